// The sums and results of channels-last tensors. The kernels are the same generators' as for planes that lie side by
// side, with another schedule: the same bytes.
#include <limits>

#include "boxes.h"
#include "engine.h"
#include "rows.h"
#include "stream.h"

namespace haline {
namespace {

// The columns of coefficients_generator.cpp and of gradient_coefficients_generator.cpp.
constexpr int64_t kForwardColumns = 7, kGradientColumns = 6;

Part Sample(const Part &part, int64_t n) { return {part.n + n, 1, part.c, part.channels, part.size}; }

// Of `blocks` blocks from `block` on; in the memory of a part of `row` padded channels.
View BlockSums(const double *sums, const Part &part, int64_t row, int64_t which, int64_t block, int64_t blocks) {
  const int64_t size = which * row;
  return View(sums + block * size,
              {{part.channels, 1}, {which, row}, {blocks, size, block}, {part.batch, size * Blocks(part.size)}});
}

}  // namespace

// Calls f(part of its channels, channels before, block, blocks) for what the kernels that sum take at a time; of less
// where threads would have nothing to do. (Zen 3, two threads, 1x64x128x128, time by that of threads with a line or two
// of each row to themselves: forward 0.74, backward 0.84.)
template <typename F>
void Engine::ForSummed(const Part &part, bool parallel, const F &f) {
  const int64_t blocks = Blocks(part.size), calls = parallel ? blocks : 1, line = LineChannels(problem_.element);
  int64_t most = kMostSummed;
  while (parallel && most > line && calls * CeilDiv(part.channels, most) < plan_.threads) most /= 2;
  const int64_t tiles = CeilDiv(part.channels, most);
  For(parallel, calls * tiles, [&](int64_t i) {
    const int64_t before = i % tiles * most;
    const Part tile{part.n, part.batch, part.c + before, std::min(most, part.channels - before), part.size};
    f(tile, before, i / tiles, blocks / calls);
  });
}

// The same for kernels that sum by lane: calls f(part of a box's channels, channels before, view) for each box, where
// view(i) is where the i-th of `terms` sums belongs, and adds up the lanes.
template <typename F>
void Engine::ForLanes(const Part &part, int64_t terms, bool parallel, double *sums, const F &f) {
  constexpr int64_t kLanes = Boxes::kLanes;
  const int64_t blocks = Blocks(part.size), together = parallel ? blocks : 1, row = part.padded();
  const Boxes boxes(part.channels, problem_.element, together, parallel ? plan_.threads : 1);
  alignas(kLine) double own[3 * kLanes * kMostSummed];
  Memory<double> heap;
  double *const lanes = Room(own, std::size(own), together * terms * kLanes * row, &heap);
  if (!lanes) return;
  for (int64_t n = 0; n < part.batch; n++) {
    for (int64_t first = 0; first < blocks; first += together) {
      For(parallel, together * boxes.count(), [&](int64_t i) {
        const int64_t block = i / boxes.count();
        const Boxes::Box box = boxes.At(i % boxes.count());
        double *const to = lanes + (block * terms * kLanes + box.lane) * row + box.before;
        f(Part{part.n + n, 1, part.c + box.before, box.channels, part.size}, box.before, [&](int64_t term) {
          return View(to + term * kLanes * row,
                      {{box.lanes, row, box.lane}, {1, 0, first + block}, {box.channels, 1}, {1, 0}});
        });
      });
      View all(lanes, {{part.channels, 1}, {kLanes, row}, {terms, kLanes * row}, {together, terms * kLanes * row}});
      View out(sums + (n * blocks + first) * terms * row, {{part.channels, 1}, {terms, row}, {together, terms * row}});
      Call("lanes", kernels_.lanes, all, out);
    }
  }
}

// Whether the part's results in `to` go past the caches and are made of whole lines, which kernels of their own write.
// (Of more than one element or row, whose distance they ask for.)
bool Engine::Lines(const Part &part, const Array &to) const {
  if (!plan_.stream || !kernels_.apply_lines.function || to.loops[0].stride != part.channels) return false;
  const bool whole = part.channels % kVector == 0;
  if (!whole && !WantRows(part, {&problem_.x, &problem_.dy, &residual(), &to})) return false;
  const int64_t size = Size(to.element), row = part.channels * (whole ? 1 : kRun) * size;
  return row % kLine == 0 && to.n_stride * size % kLine == 0 &&
         reinterpret_cast<uintptr_t>(to.plane(part.n, part.c)) % uintptr_t{kLine} == 0;
}

// The bytes from a part of the array to the next, which is fetched meanwhile; 0 where there is none or it is too large.
int32_t Engine::ToNext(const Part &part, const Array &array) const {
  const int64_t bytes = part.batch * array.n_stride * Size(array.element);
  return part.n + part.batch < problem_.batch && part.planes() * part.size <= kLastElements
             ? static_cast<int32_t>(bytes)
             : 0;
}

// The bytes from a chunk of the array to the next, which is fetched while the one is summed: of memory's, where nothing
// has fetched them before. (One Zen 5 thread, the sums alone of 64 channels: 32 MiB 18 and 25 GB/s, 4 MiB, in L3, 80
// and 66.)
int32_t Engine::ToNextChunk(const Part &part, const Array &array) const {
  const int64_t bytes = Chunk(part.size) * array.loops[0].stride * Size(array.element);
  const bool fetched = part.planes() * part.size <= kLastElements;
  return plan_.stream && !fetched && bytes <= std::numeric_limits<int32_t>::max() ? static_cast<int32_t>(bytes) : 0;
}

// Calls f(part, first element, elements, result) for ranges of elements that make up a part, where `result` begins with
// the first of those that f is to write; `from` are the arrays that it reads.
template <typename F>
void Engine::ForElements(const Part &part, bool parallel, const Array &to, const Inputs &from, const F &f) {
  const auto step = [&](int64_t first, int64_t count) {
    // (Rows side by side: what lies between others must stay.)
    const bool lines = Lines(part, to);
    if (plan_.stream && !lines && to.loops[0].stride == part.channels) {
      return Stream(part, first, count, to, from, !parallel, f);
    }
    Array result = to;
    result.data = to.plane(part.n, part.c) + first * to.loops[0].stride * Size(to.element);
    f(part, first, count, result);
    if (lines) StreamFence();
  };
  if (!parallel) return step(0, part.size);
  // From the end of what a thread has backwards: the end is what the caches hold.
  const int64_t most = std::max<int64_t>(1, plan_.task_elements / part.channels / kRun) * kRun;
  const int64_t ranges = CeilDiv(part.size, most), threads = plan_.threads;
  For(parallel, ranges, [&](int64_t i) {
    const int64_t thread = ((i + 1) * threads - 1) / ranges;
    const int64_t begin = ranges * thread / threads, end = ranges * (thread + 1) / threads;
    const int64_t first = (begin + end - 1 - i) * most;
    step(first, std::min(most, part.size - first));
  });
}

// The same with results that go past the caches, tile by tile. The next tile, and where `ahead` is true the inputs of
// the next part, are fetched meanwhile.
template <typename F>
void Engine::Stream(const Part &part, int64_t first, int64_t count, const Array &to, const Inputs &from, bool ahead,
                    const F &f) {
  const int64_t row = part.channels * Size(to.element);
  const int64_t most = std::clamp<int64_t>(kTileBytes / row, 1, count);
  alignas(kLine) char memory[kSlots * sizeof(double) + kTileBytes];
  const int64_t next = part.n + part.batch;
  Fetches fetches;
  if (ahead && next < problem_.batch) {
    for (const Array *array : from) {
      fetches.part[fetches.parts++] = Ahead(array->plane(next, part.c), part.batch * part.size * row);
    }
  }
  for (int64_t n = 0; n < part.batch && !outcome_.failed(); n++) {
    const Part sample = Sample(part, n);
    for (int64_t at = first; at < first + count; at += most) {
      const int64_t elements = std::min(most, first + count - at);
      Array result = to;
      result.data = memory;
      f(sample, at, elements, result);
      fetches.tiles = 0;
      for (const Array *array : from) {
        const char *const end = array->plane(sample.n, sample.c) + (first + count) * row;
        const char *const begin = array->plane(sample.n, sample.c) + (at + elements) * row;
        fetches.tile[fetches.tiles++] = Ahead(begin, std::min<int64_t>(end - begin, most * row));
      }
      char *const out = to.plane(sample.n, sample.c) + at * row;
      StreamOut(out, memory, elements * row, &fetches);
    }
  }
  StreamFence();
}

void Engine::MomentsLast(const Part &part, bool parallel, double *pivots, double *sums) {
  const Array x = problem_.Valid(problem_.x, part.n);
  const int64_t runs = std::min(part.size / kRun, kMostRuns), step = x.loops[0].stride, row = part.padded();
  const auto find_pivots = [&](const Part &of, double *to) {
    View samples(x.plane(of.n, of.c), problem_.element,
                 {{kRun, step}, {runs, of.size / runs * step}, {of.channels, 1}, {of.batch, x.n_stride}});
    View out(to, {{of.channels, 1}, {of.batch, row}});
    Call("pivot", kernels_.pivot_last, samples, out);
  };
  if (part.size >= kLarge && !AreRows(part, {&problem_.x})) {
    const int64_t tiles = CeilDiv(part.channels, kMostSummed);
    For(parallel, tiles, [&](int64_t i) {
      const int64_t before = i * kMostSummed;
      const int64_t channels = std::min(kMostSummed, part.channels - before);
      find_pivots({part.n, part.batch, part.c + before, channels, part.size}, pivots + before);
    });
    return ForLanes(part, 2, parallel, sums, [&](const Part &box, int64_t before, const auto &lanes) {
      View elements = Last(problem_.x, box, 0, box.size);
      View pivot(pivots + (box.n - part.n) * row + before, {{box.channels, 1}, {1, 0}});
      View first = lanes(0), second = lanes(1);
      Call("moments", kernels_.moments_large_lanes, elements, pivot, ToNextChunk(part, problem_.x), first, second);
    });
  }
  // Channel by channel where a call has all of a plane: what it samples is in L2 when it is summed.
  const bool together = !parallel || Blocks(part.size) == 1;
  if (!together) find_pivots(part, pivots);
  ForSummed(part, parallel, [&](const Part &tile, int64_t before, int64_t block, int64_t blocks) {
    if (together) find_pivots(tile, pivots + before);
    if (AreRows(tile, {&problem_.x})) {
      const RowNumbers numbers(pivots, tile, 1, row, row);
      for (int64_t n = 0; n < tile.batch; n++) {
        const Rows rows(tile, n, 0, tile.size, kRun * tile.channels);
        View elements = rows.Summed(problem_.x), pivot = numbers.Numbers(n, rows.width);
        View result = BlockSums(sums + n * 2 * row * Blocks(tile.size), Sample(tile, n), row, 2, block, blocks);
        Call("moments", tile.size < kLarge ? kernels_.moments_small_rows : kernels_.moments_large_rows, elements, pivot,
             static_cast<int32_t>(tile.channels), result);
      }
      return;
    }
    View elements = Last(problem_.x, tile, 0, tile.size);
    View pivot(pivots + before, {{tile.channels, 1}, {tile.batch, row}});
    View result = BlockSums(sums + before, tile, row, 2, block, blocks);
    Call("moments", kernels_.moments_small_last, elements, pivot, ToNextChunk(part, problem_.x), result);
  });
}

void Engine::ApplyLast(const Part &part, bool parallel, const double *coefficients, int64_t row) {
  Inputs inputs(problem_.x);
  if (has_residual()) inputs.Add(problem_.residual);
  const bool in_rows = WantRows(part, {&problem_.x, &problem_.y, &residual()});
  const bool lines = Lines(part, problem_.y);
  const int32_t ahead = ToNext(part, problem_.x);
  if (in_rows) {
    const RowNumbers numbers(coefficients, part, 3, row, kForwardColumns * row);
    return ForElements(
        part, parallel, problem_.y, inputs, [&](const Part &p, int64_t first, int64_t count, const Array &to) {
          ForRows(p, first, count, [&](const Rows &rows) {
            View x = rows.Of(problem_.x), r = rows.Of(residual()), y = rows.To(to, first);
            View in = numbers.Columns(p.n - part.n + rows.n, rows.width);
            if (lines && rows.whole()) {
              return Call("apply", kernels_.apply_lines, x, in, r, has_residual(), problem_.slope, form(), ahead, y);
            }
            Call("apply", kernels_.apply_last, x, in, r, has_residual(), problem_.slope, form(), y);
          });
        });
  }
  ForElements(part, parallel, problem_.y, inputs, [&](const Part &p, int64_t first, int64_t count, const Array &to) {
    View x = Last(problem_.x, p, first, count), r = Last(residual(), p, first, count),
         y = Last(to, {0, p.batch, 0, p.channels, p.size}, 0, count);
    View in = Columns(coefficients + (p.n - part.n) * kForwardColumns * row, p, p.channels, kForwardColumns, row);
    if (lines && count > 1) {
      return Call("apply", kernels_.apply_lines, x, in, r, has_residual(), problem_.slope, form(), ahead, y);
    }
    Call("apply", kernels_.apply_last, x, in, r, has_residual(), problem_.slope, form(), y);
  });
}

void Engine::GradientSumsLast(const Part &part, bool parallel, const double *means, const double *coefficients,
                              double *sums) {
  const int64_t row = part.padded();
  const bool lanes = part.size >= (part.channels % kVector == 0 ? kLeastLanes : kLarge);
  if (lanes && !AreRows(part, {&problem_.x, &problem_.dy, &residual()})) {
    return ForLanes(part, 3, parallel, sums, [&](const Part &box, int64_t before, const auto &lanes) {
      const int64_t n = box.n - part.n;
      View x = Last(problem_.x, box, 0, box.size), dy = Last(problem_.dy, box, 0, box.size),
           r = Last(residual(), box, 0, box.size);
      View forward =
          Columns(coefficients + n * kForwardColumns * row + before, box, box.channels, kForwardColumns, row);
      View mean(means + n * row + before, {{box.channels, 1}, {1, 0}});
      View first = lanes(0), second = lanes(1), third = lanes(2);
      Call("gradient_sums", box.size < kLarge ? kernels_.gradient_sums_small_lanes : kernels_.gradient_sums_large_lanes,
           x, dy, r, forward, mean, has_residual(), problem_.slope, problem_.slope != 1 ? 1 : 0,
           ToNextChunk(part, problem_.x), first, second, third);
    });
  }
  ForSummed(part, parallel, [&](const Part &tile, int64_t before, int64_t block, int64_t blocks) {
    if (AreRows(tile, {&problem_.x, &problem_.dy, &residual()})) {
      const RowNumbers forwards(coefficients, tile, 3, row, kForwardColumns * row), mean_rows(means, tile, 1, row, row);
      for (int64_t n = 0; n < tile.batch; n++) {
        const Rows rows(tile, n, 0, tile.size, kRun * tile.channels);
        View x = rows.Summed(problem_.x), dy = rows.Summed(problem_.dy), r = rows.Summed(residual());
        View forward = forwards.Columns(n, rows.width), mean = mean_rows.Numbers(n, rows.width);
        View result = BlockSums(sums + n * 3 * row * Blocks(tile.size), Sample(tile, n), row, 3, block, blocks);
        Call("gradient_sums",
             tile.size < kLarge ? kernels_.gradient_sums_small_rows : kernels_.gradient_sums_large_rows, x, dy, r,
             forward, mean, has_residual(), problem_.slope, problem_.slope != 1 ? 1 : 0,
             static_cast<int32_t>(tile.channels), result);
      }
      return;
    }
    View x = Last(problem_.x, tile, 0, tile.size), dy = Last(problem_.dy, tile, 0, tile.size),
         r = Last(residual(), tile, 0, tile.size);
    View forward = Columns(coefficients + before, tile, tile.channels, kForwardColumns, row);
    View mean(means + before, {{tile.channels, 1}, {tile.batch, row}});
    View result = BlockSums(sums + before, tile, row, 3, block, blocks);
    Call("gradient_sums", kernels_.gradient_sums_small_last, x, dy, r, forward, mean, has_residual(), problem_.slope,
         problem_.slope != 1 ? 1 : 0, ToNextChunk(part, problem_.x), result);
  });
}

void Engine::GradientApplyLast(const Part &part, bool parallel, const Array &to, int form, const double *means,
                               const double *coefficients, const double *gradients, int64_t row) {
  Inputs inputs(problem_.dy);
  if (form != 2 || problem_.slope != 1) inputs.Add(problem_.x);
  if (has_residual() && problem_.slope != 1) inputs.Add(problem_.residual);
  const bool in_rows = WantRows(part, {&problem_.x, &problem_.dy, &residual(), &to});
  const bool lines = Lines(part, to);
  const int32_t ahead = ToNext(part, problem_.dy);
  if (in_rows) {
    const RowNumbers forwards(coefficients, part, 3, row, kForwardColumns * row),
        slopes(gradients, part, 3, row, kGradientColumns * row), mean_rows(means, part, 1, row, row);
    return ForElements(part, parallel, to, inputs,
                       [&](const Part &p, int64_t first, int64_t count, const Array &result) {
                         ForRows(p, first, count, [&](const Rows &rows) {
                           const int64_t n = p.n - part.n + rows.n;
                           View x = rows.Of(problem_.x), dy = rows.Of(problem_.dy), r = rows.Of(residual()),
                                out = rows.To(result, first);
                           View forward = forwards.Columns(n, rows.width), gradient = slopes.Columns(n, rows.width),
                                mean = mean_rows.Numbers(n, rows.width);
                           if (lines && rows.whole()) {
                             return Call("gradient_apply", kernels_.gradient_apply_lines, x, dy, r, forward, mean,
                                         has_residual(), problem_.slope, form, gradient, ahead, out);
                           }
                           Call("gradient_apply", kernels_.gradient_apply_last, x, dy, r, forward, mean, has_residual(),
                                problem_.slope, form, gradient, out);
                         });
                       });
  }
  ForElements(part, parallel, to, inputs, [&](const Part &p, int64_t first, int64_t count, const Array &result) {
    const int64_t n = p.n - part.n;
    View out = Last(result, {0, p.batch, 0, p.channels, p.size}, 0, count);
    View x = Last(problem_.x, p, first, count), dy = Last(problem_.dy, p, first, count),
         r = Last(residual(), p, first, count);
    View forward = Columns(coefficients + n * kForwardColumns * row, p, p.channels, kForwardColumns, row);
    View gradient = Columns(gradients + n * kGradientColumns * row, p, p.channels, kGradientColumns, row);
    View mean(means + n * row, {{p.channels, 1}, {p.batch, row}});
    if (lines && count > 1) {
      return Call("gradient_apply", kernels_.gradient_apply_lines, x, dy, r, forward, mean, has_residual(),
                  problem_.slope, form, gradient, ahead, out);
    }
    Call("gradient_apply", kernels_.gradient_apply_last, x, dy, r, forward, mean, has_residual(), problem_.slope, form,
         gradient, out);
  });
}

}  // namespace haline

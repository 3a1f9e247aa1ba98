// Channels-last tensors: which problems are such, how they are cut into tasks, and the sums over them. The kernels are
// the same generators' as for planes that lie side by side, with another schedule: the same bytes.
#include <limits>

#include "engine.h"
#include "rows.h"
#include "stream.h"

namespace haline {
namespace {

// Halide's strides, and the distances that they add up to, are 32 bits wide.
constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

// Whether kernels can take the array as channels-last. (Absent ones don't matter.)
bool IsLast(const Array &array, const Problem &problem) {
  if (!array.data) return true;
  const int64_t step = array.loops[0].stride;
  if (array.loop_count != 1 || array.c_stride != 1 || step < problem.channels || array.n_stride < 0) return false;
  return step <= kMost / problem.size();
}

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Calls f for every tensor of x's shape; those that are absent have no data.
template <typename F>
void ForArrays(const Problem &problem, const F &f) {
  for (const Array *array : {&problem.x, &problem.y, &problem.residual, &problem.dy, &problem.dx, &problem.dresidual}) {
    f(*array);
  }
}

int64_t Bytes(const Problem &problem) {
  int64_t arrays = 0;
  ForArrays(problem, [&](const Array &array) { arrays += array.data != nullptr; });
  return arrays * problem.planes() * problem.size() * Size(problem.element);
}

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

Layout CommonLayout(const Problem &problem) {
  if (problem.channels < kLeastLast || problem.size() < 2) return Layout::kPlanes;
  bool last = true;
  ForArrays(problem, [&](const Array &array) { last = last && IsLast(array, problem); });
  return last ? Layout::kLast : Layout::kPlanes;
}

// A task is some whole samples. All threads together work on one where there are few. (Some channels of a sample would
// rarely stay in L2 where the whole does not: with a power of two of channels they share the same few sets.)
void PlanLast(const Problem &problem, const Tuning &tuning, Plan *plan) {
  const int64_t size = problem.size(), channels = problem.channels;
  plan->stream = kStreams && Bytes(problem) > (tuning.stream_bytes >= 0 ? tuning.stream_bytes : kStreamBytes);
  plan->part_channels = std::min(channels, kSlots);
  plan->part_batch = 1;
  plan->split =
      size >= kTiny && problem.batch < 2 * plan->threads && (plan->threads > 1 || channels * size > kLastElements);
  if (plan->split) return;
  if (plan->part_channels == channels && !problem.lengths) {
    const int64_t share = CeilDiv(problem.batch, plan->threads == 1 ? 1 : 4 * plan->threads);
    int64_t room = kSlots / (CeilDiv(channels, Part::kPad) * Part::kPad * Blocks(size));
    if (AreRows({0, 1, 0, channels, size}, {})) room = std::min(room, kSlots / (kRun * channels));
    plan->part_batch =
        std::clamp<int64_t>(plan->task_elements / (channels * size), 1, std::max<int64_t>(1, std::min(share, room)));
    ForArrays(problem, [&](const Array &array) {
      if (array.data && array.n_stride > kMost / plan->part_batch) plan->part_batch = 1;
    });
  }
  plan->channel_parts = CeilDiv(channels, plan->part_channels);
  plan->parts = plan->channel_parts * CeilDiv(problem.batch, plan->part_batch);
}

// Calls f(part of its channels, channels before, block, blocks) for what the kernels that sum take at a time.
template <typename F>
void Engine::ForSummed(const Part &part, bool parallel, const F &f) {
  const int64_t blocks = Blocks(part.size), tiles = CeilDiv(part.channels, kMostSummed);
  const int64_t calls = parallel ? blocks : 1;
  For(parallel, calls * tiles, [&](int64_t i) {
    const int64_t before = i % tiles * kMostSummed;
    const Part tile{part.n, part.batch, part.c + before, std::min(kMostSummed, part.channels - before), part.size};
    f(tile, before, i / tiles, blocks / calls);
  });
}

// Calls f(part, first element, elements, result) for ranges of elements that make up a part, where `result` begins with
// the first of those that f is to write; `from` are the arrays that it reads.
template <typename F>
void Engine::ForElements(const Part &part, bool parallel, const Array &to, const Inputs &from, const F &f) {
  const auto step = [&](int64_t first, int64_t count) {
    // (Rows side by side: what lies between others must stay.)
    if (plan_.stream && to.loops[0].stride == part.channels) return Stream(part, first, count, to, from, !parallel, f);
    Array result = to;
    result.data = to.plane(part.n, part.c) + first * to.loops[0].stride * Size(to.element);
    f(part, first, count, result);
  };
  if (!parallel) return step(0, part.size);
  // From the end backwards: the end is what the caches hold.
  const int64_t most = std::max<int64_t>(1, plan_.task_elements / part.channels);
  const int64_t ranges = CeilDiv(part.size, most);
  For(parallel, ranges, [&](int64_t i) {
    const int64_t first = (ranges - 1 - i) * most;
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
  View samples(x.plane(part.n, part.c), problem_.element,
               {{kRun, step}, {runs, part.size / runs * step}, {part.channels, 1}, {part.batch, x.n_stride}});
  View out = PerPlanes(pivots, part, part.channels);
  Call("pivot", kernels_.pivot_last, samples, out);
  ForSummed(part, parallel, [&](const Part &tile, int64_t before, int64_t block, int64_t blocks) {
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
    Call("moments", tile.size < kLarge ? kernels_.moments_small_last : kernels_.moments_large_last, elements, pivot,
         result);
  });
}

void Engine::ApplyLast(const Part &part, bool parallel, const double *coefficients, int64_t row) {
  Inputs inputs(problem_.x);
  if (has_residual()) inputs.Add(problem_.residual);
  if (AreRows(part, {&problem_.x, &problem_.y, &residual()})) {
    const RowNumbers numbers(coefficients, part, 3, row, kForwardColumns * row);
    return ForElements(part, parallel, problem_.y, inputs,
                       [&](const Part &p, int64_t first, int64_t count, const Array &to) {
                         ForRows(p, first, count, [&](const Rows &rows) {
                           View x = rows.Of(problem_.x), r = rows.Of(residual()), y = rows.To(to, first);
                           View in = numbers.Columns(p.n - part.n + rows.n, rows.width);
                           Call("apply", kernels_.apply_last, x, in, r, has_residual(), problem_.slope, form(), y);
                         });
                       });
  }
  ForElements(part, parallel, problem_.y, inputs, [&](const Part &p, int64_t first, int64_t count, const Array &to) {
    View x = Last(problem_.x, p, first, count), r = Last(residual(), p, first, count),
         y = Last(to, {0, p.batch, 0, p.channels, p.size}, 0, count);
    View in = Columns(coefficients + (p.n - part.n) * kForwardColumns * row, p, p.channels, kForwardColumns, row);
    Call("apply", kernels_.apply_last, x, in, r, has_residual(), problem_.slope, form(), y);
  });
}

void Engine::GradientSumsLast(const Part &part, bool parallel, const double *means, const double *coefficients,
                              double *sums) {
  const int64_t row = part.padded();
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
    Call("gradient_sums", tile.size < kLarge ? kernels_.gradient_sums_small_last : kernels_.gradient_sums_large_last, x,
         dy, r, forward, mean, has_residual(), problem_.slope, problem_.slope != 1 ? 1 : 0, result);
  });
}

void Engine::GradientApplyLast(const Part &part, bool parallel, const Array &to, int form, const double *means,
                               const double *coefficients, const double *gradients, int64_t row) {
  Inputs inputs(problem_.dy);
  if (form != 2 || problem_.slope != 1) inputs.Add(problem_.x);
  if (has_residual() && problem_.slope != 1) inputs.Add(problem_.residual);
  if (AreRows(part, {&problem_.x, &problem_.dy, &residual(), &to})) {
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
    Call("gradient_apply", kernels_.gradient_apply_last, x, dy, r, forward, mean, has_residual(), problem_.slope, form,
         gradient, out);
  });
}

}  // namespace haline

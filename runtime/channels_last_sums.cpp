// The sums of channels-last tensors. The kernels are the same generators' as for planes that lie side by side, with
// another schedule: the same bytes.
#include <limits>

#include "boxes.h"
#include "engine.h"
#include "rows.h"

namespace haline {
namespace {

// Of `blocks` blocks from `block` on; in the memory of a part of `row` padded channels.
View BlockSums(const double *sums, const Part &part, int64_t row, int64_t which, int64_t block, int64_t blocks) {
  const int64_t size = which * row;
  return View(sums + block * size,
              {{part.channels, 1}, {which, row}, {blocks, size, block}, {part.batch, size * Blocks(part.size)}});
}

}  // namespace

// Whether the part's sums are made lane by lane: those of large planes, and, of channels that fill vectors, of smaller
// ones from `least` elements and up to `most` channels. Not those of rows, but where threads would have nothing to do.
bool Engine::ByLane(const Part &part, bool parallel, bool rows, int64_t least, int64_t most) const {
  const bool whole = part.channels % kVector == 0;
  if (rows && !(whole && parallel && Blocks(part.size) < plan_.threads)) return false;
  return part.size >= kLarge || (whole && part.size >= least && part.channels <= most);
}

// Calls f(part of its channels, channels before) for what the kernels that sum small planes take at a time; of less
// where threads would have nothing to do.
template <typename F>
void Engine::ForSummed(const Part &part, bool parallel, const F &f) {
  const int64_t line = LineChannels(problem_.element);
  int64_t most = kMostSummed;
  while (parallel && most > line && CeilDiv(part.channels, most) < plan_.threads) most /= 2;
  For(parallel, CeilDiv(part.channels, most), [&](int64_t i) {
    const int64_t before = i * most;
    f(Part{part.n, part.batch, part.c + before, std::min(most, part.channels - before), part.size}, before);
  });
}

// Calls f(sample, block, blocks) for the blocks of each of the part's samples, all at once or in parallel.
template <typename F>
void Engine::ForSampleBlocks(const Part &part, bool parallel, const F &f) {
  const int64_t blocks = Blocks(part.size), calls = parallel ? blocks : 1;
  For(parallel, part.batch * calls, [&](int64_t i) { f(i / calls, i % calls, blocks / calls); });
}

// The same for kernels that sum lane by lane: calls f(part of a box's channels, channels before, view) for each box,
// where view(i) is where the lanes of the i-th of `terms` sums belong, and adds them up.
template <typename F>
void Engine::ForLanes(const Part &part, int64_t terms, bool parallel, double *sums, const F &f) {
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

// The bytes from a chunk of the array to the next, which is fetched while the one is summed: of memory's, where nothing
// has fetched them before. (One Zen 5 thread, the sums alone of 64 channels: 32 MiB 18 and 25 GB/s, 4 MiB, in L3, 80
// and 66.) Negative of what is summed of the last sample: after its last chunk there is none.
int32_t Engine::ToNextChunk(const Part &part, const Part &summed, const Array &array) const {
  const int64_t bytes = Chunk(part.size) * array.loops[0].stride * Size(array.element);
  const bool fetched = part.planes() * part.size <= kLastElements;
  if (!plan_.stream || fetched || bytes > std::numeric_limits<int32_t>::max()) return 0;
  return static_cast<int32_t>(summed.n + summed.batch < problem_.batch ? bytes : -bytes);
}

void Engine::MomentsLast(const Part &part, bool parallel, double *pivots, double *sums) {
  const Array x = problem_.Valid(problem_.x, part.n);
  const int64_t row = part.padded();
  const auto find_pivots = [&](const Part &of, double *to) {
    View out(to, {{of.channels, 1}, {of.batch, row}});
    if (of.channels <= kMostPacked) return PackedPivots(x, of, out);
    Call("pivot", kernels_.pivot_last, Last(x, of, 0, of.size), out);
  };
  const bool rows = AreRows(part, {&problem_.x});
  if (ByLane(part, parallel, rows, kLeastLanes, kMostLanes)) {
    const int64_t line = LineChannels(problem_.element), limit = MostPivots(problem_.element);
    const int64_t tiles = std::max<int64_t>(CeilDiv(part.channels, limit), parallel ? plan_.threads : 1);
    const int64_t most = std::min(limit, CeilDiv(CeilDiv(part.channels, tiles), line) * line);
    For(parallel, CeilDiv(part.channels, most), [&](int64_t i) {
      const int64_t before = i * most, channels = std::min(most, part.channels - before);
      find_pivots({part.n, part.batch, part.c + before, channels, part.size}, pivots + before);
    });
    return ForLanes(part, 2, parallel, sums, [&](const Part &box, int64_t before, const auto &lanes) {
      View elements = Last(problem_.x, box, 0, box.size);
      View pivot(pivots + (box.n - part.n) * row + before, {{box.channels, 1}, {1, 0}});
      View first = lanes(0), second = lanes(1);
      Call("moments", box.size < kLarge ? kernels_.moments_small_lanes : kernels_.moments_large_lanes, elements, pivot,
           ToNextChunk(part, box, problem_.x), first, second);
    });
  }
  if (rows) {
    find_pivots(part, pivots);
    const RowNumbers numbers(pivots, part, 1, row, row);
    return ForSampleBlocks(part, parallel, [&](int64_t n, int64_t block, int64_t blocks) {
      const Rows of(part, n, 0, part.size, kLanes * part.channels);
      View elements = of.Summed(problem_.x), pivot = numbers.Numbers(n, of.width);
      View result = BlockSums(sums + n * 2 * row * Blocks(part.size), part.Sample(n), row, 2, block, blocks);
      Call("moments", part.size < kLarge ? kernels_.moments_small_rows : kernels_.moments_large_rows, elements, pivot,
           static_cast<int32_t>(part.channels), result);
    });
  }
  // Some channels at a time: what is sampled is in L2 when it is summed.
  ForSummed(part, parallel, [&](const Part &tile, int64_t before) {
    find_pivots(tile, pivots + before);
    View elements = Last(problem_.x, tile, 0, tile.size);
    View pivot(pivots + before, {{tile.channels, 1}, {tile.batch, row}});
    View result = BlockSums(sums + before, tile, row, 2, 0, 1);
    Call("moments", kernels_.moments_small_last, elements, pivot, ToNextChunk(part, tile, problem_.x), result);
  });
}

void Engine::GradientSumsLast(const Part &part, bool parallel, const double *means, const double *coefficients,
                              double *sums) {
  const int64_t row = part.padded();
  const bool rows = AreRows(part, {&problem_.x, &problem_.dy, &residual()});
  if (ByLane(part, parallel, rows, kLeastGradientLanes, kSlots)) {
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
           ToNextChunk(part, box, problem_.x), first, second, third);
    });
  }
  if (rows) {
    const RowNumbers forwards(coefficients, part, 3, row, kForwardColumns * row), mean_rows(means, part, 1, row, row);
    return ForSampleBlocks(part, parallel, [&](int64_t n, int64_t block, int64_t blocks) {
      const Rows of(part, n, 0, part.size, kLanes * part.channels);
      View x = of.Summed(problem_.x), dy = of.Summed(problem_.dy), r = of.Summed(residual());
      View forward = forwards.Columns(n, of.width), mean = mean_rows.Numbers(n, of.width);
      View result = BlockSums(sums + n * 3 * row * Blocks(part.size), part.Sample(n), row, 3, block, blocks);
      Call("gradient_sums", part.size < kLarge ? kernels_.gradient_sums_small_rows : kernels_.gradient_sums_large_rows,
           x, dy, r, forward, mean, has_residual(), problem_.slope, problem_.slope != 1 ? 1 : 0,
           static_cast<int32_t>(part.channels), result);
    });
  }
  ForSummed(part, parallel, [&](const Part &tile, int64_t before) {
    View x = Last(problem_.x, tile, 0, tile.size), dy = Last(problem_.dy, tile, 0, tile.size),
         r = Last(residual(), tile, 0, tile.size);
    View forward = Columns(coefficients + before, tile, tile.channels, kForwardColumns, row);
    View mean(means + before, {{tile.channels, 1}, {tile.batch, row}});
    View result = BlockSums(sums + before, tile, row, 3, 0, 1);
    Call("gradient_sums", kernels_.gradient_sums_small_last, x, dy, r, forward, mean, has_residual(), problem_.slope,
         problem_.slope != 1 ? 1 : 0, ToNextChunk(part, tile, problem_.x), result);
  });
}

}  // namespace haline

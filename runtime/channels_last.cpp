// Channels-last tensors: which problems are such, how they are cut into tasks, and the sums over them. The kernels are
// the same generators' as for planes that lie side by side, with another schedule: the same bytes.
#include <limits>

#include "engine.h"

namespace haline {
namespace {

// Whether kernels can take the array as channels-last. (Absent ones don't matter.)
bool IsLast(const Array &array, const Problem &problem) {
  if (!array.data) return true;
  const int64_t step = array.loops[0].stride;
  if (array.loop_count != 1 || array.c_stride != 1 || step < problem.channels || array.n_stride < 0) return false;
  // Halide's strides, and the distances that they add up to, are 32 bits wide.
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  return step <= kMost / problem.size() && (problem.batch == 1 || array.n_stride <= kMost / problem.batch);
}

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The columns of coefficients_generator.cpp and of gradient_coefficients_generator.cpp.
constexpr int64_t kForwardColumns = 7, kGradientColumns = 6;

// Elements [first, first + count) of a part's planes, as the kernels take them.
View Elements(const Array &array, const Part &part, int64_t first, int64_t count) {
  const int64_t step = array.loops[0].stride;
  return View(array.plane(part.n, part.c) + first * step * Size(array.element), array.element,
              {{count, step}, {part.channels, 1}, {part.batch, array.n_stride}});
}

// Of `blocks` blocks from `block` on; in the memory of a part of `row` padded channels.
View BlockSums(const double *sums, const Part &part, int64_t row, int64_t which, int64_t block, int64_t blocks) {
  const int64_t size = which * row;
  return View(sums + block * size,
              {{part.channels, 1}, {which, row}, {blocks, size, block}, {part.batch, size * Blocks(part.size)}});
}

}  // namespace

Layout CommonLayout(const Problem &problem) {
  if (problem.channels < kLeastLast || problem.size() < kTiny) return Layout::kPlanes;
  for (const Array *array : {&problem.x, &problem.y, &problem.residual, &problem.dy, &problem.dx, &problem.dresidual}) {
    if (!IsLast(*array, problem)) return Layout::kPlanes;
  }
  return Layout::kLast;
}

// Whole samples where L2 holds them, else as many channels as it holds, whole cache lines of them; where that is too
// little to be read at a time, all threads together on sample after sample.
void PlanLast(const Problem &problem, Plan *plan) {
  const int64_t size = problem.size(), channels = problem.channels;
  const int64_t most_channels = kSlots / Blocks(size) / Part::kPad * Part::kPad;
  int64_t fit = kLastElements / size;
  if (plan->threads > 1) fit = std::min(fit, CeilDiv(problem.planes(), 4 * plan->threads));
  fit = std::max(fit, kMostSummed);
  plan->split = fit * size > kLastElements && channels * size > kLastElements;
  plan->task_channels = std::min({channels, kSlots});
  if (plan->split) return;
  if (fit < channels) plan->task_channels = std::min(plan->task_channels, fit / kMostSummed * kMostSummed);
  plan->task_batch = 1;
  if (plan->task_channels == channels && !problem.lengths) {
    const int64_t padded = CeilDiv(channels, Part::kPad) * Part::kPad;
    plan->task_batch =
        std::clamp<int64_t>(fit / channels, 1, std::max<int64_t>(1, std::min(problem.batch, most_channels / padded)));
  }
  plan->channel_tasks = CeilDiv(channels, plan->task_channels);
  plan->tasks = plan->channel_tasks * CeilDiv(problem.batch, plan->task_batch);
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

// Calls f(first element, elements) for ranges of elements, from the end backwards: the end is what the caches hold.
template <typename F>
void Engine::ForElements(const Part &part, bool parallel, const F &f) {
  if (!parallel) return f(0, part.size);
  const int64_t most = std::max<int64_t>(1, kTaskElements / part.channels);
  const int64_t ranges = CeilDiv(part.size, most);
  For(parallel, ranges, [&](int64_t i) {
    const int64_t first = (ranges - 1 - i) * most;
    f(first, std::min(most, part.size - first));
  });
}

void Engine::MomentsLast(const Part &part, bool parallel, double *pivots, double *sums) {
  const Array x = problem_.Valid(problem_.x, part.n);
  const int64_t runs = std::min(part.size / kRun, kMostRuns), step = x.loops[0].stride, row = part.padded();
  View samples(x.plane(part.n, part.c), problem_.element,
               {{kRun, step}, {runs, part.size / runs * step}, {part.channels, 1}, {part.batch, x.n_stride}});
  View out = PerPlanes(pivots, part, part.channels);
  Call("pivot", kernels_.pivot_last, samples, out);
  ForSummed(part, parallel, [&](const Part &tile, int64_t before, int64_t block, int64_t blocks) {
    View elements = Elements(problem_.x, tile, 0, tile.size);
    View pivot(pivots + before, {{tile.channels, 1}, {tile.batch, row}});
    View result = BlockSums(sums + before, tile, row, 2, block, blocks);
    Call("moments", tile.size < kLarge ? kernels_.moments_small_last : kernels_.moments_large_last, elements, pivot,
         result);
  });
}

void Engine::ApplyLast(const Part &part, bool parallel, const double *coefficients, int64_t row) {
  ForElements(part, parallel, [&](int64_t first, int64_t count) {
    View x = Elements(problem_.x, part, first, count), r = Elements(residual(), part, first, count),
         y = Elements(problem_.y, part, first, count);
    View in = Columns(coefficients, part, part.channels, kForwardColumns, row);
    Call("apply", kernels_.apply_last, x, in, r, has_residual(), problem_.slope, form(), y);
  });
}

void Engine::GradientSumsLast(const Part &part, bool parallel, const double *means, const double *coefficients,
                              double *sums) {
  const int64_t row = part.padded();
  ForSummed(part, parallel, [&](const Part &tile, int64_t before, int64_t block, int64_t blocks) {
    View x = Elements(problem_.x, tile, 0, tile.size), dy = Elements(problem_.dy, tile, 0, tile.size),
         r = Elements(residual(), tile, 0, tile.size);
    View forward = Columns(coefficients + before, tile, tile.channels, kForwardColumns, row);
    View mean(means + before, {{tile.channels, 1}, {tile.batch, row}});
    View result = BlockSums(sums + before, tile, row, 3, block, blocks);
    Call("gradient_sums", tile.size < kLarge ? kernels_.gradient_sums_small_last : kernels_.gradient_sums_large_last, x,
         dy, r, forward, mean, has_residual(), problem_.slope, problem_.slope != 1 ? 1 : 0, result);
  });
}

void Engine::GradientApplyLast(const Part &part, bool parallel, const Array &to, int form, const double *means,
                               const double *coefficients, const double *gradients, int64_t row) {
  ForElements(part, parallel, [&](int64_t first, int64_t count) {
    View x = Elements(problem_.x, part, first, count), dy = Elements(problem_.dy, part, first, count),
         r = Elements(residual(), part, first, count), out = Elements(to, part, first, count);
    View forward = Columns(coefficients, part, part.channels, kForwardColumns, row);
    View gradient = Columns(gradients, part, part.channels, kGradientColumns, row);
    View mean(means, {{part.channels, 1}, {part.batch, row}});
    Call("gradient_apply", kernels_.gradient_apply_last, x, dy, r, forward, mean, has_residual(), problem_.slope, form,
         gradient, out);
  });
}

}  // namespace haline

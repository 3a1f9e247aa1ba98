#include "plan.h"

#include <algorithm>

namespace haline {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Plan MakePlan(const Problem &problem, int threads) {
  Plan plan;
  const int64_t size = std::max<int64_t>(1, problem.size()), channels = problem.channels, planes = problem.planes();
  if (planes == 0) return plan;
  plan.threads = planes <= kSerialElements / size ? 1 : threads;
  plan.split = size > kSplitPlane || (planes < 2 * plan.threads && size >= 8 * kBlock);
  if (plan.split) return plan;

  // Planes of a task: what L2 holds, but four tasks a thread, so that a slow one does not hold up the rest.
  const int64_t budget = std::max<int64_t>(1, kTaskElements / size);
  const int64_t share = std::max<int64_t>(1, planes / (4 * plan.threads));
  const int64_t task_planes = plan.threads == 1 ? budget : std::min(budget, share);
  const int64_t most_channels = kSlots / Blocks(size) / Part::kPad * Part::kPad;
  plan.task_channels = std::min({channels, task_planes, most_channels});
  const int64_t whole = size < kTiny ? kGroup : Part::kPad;
  if (plan.task_channels > whole) plan.task_channels = CeilDiv(plan.task_channels, whole) * whole;
  plan.task_channels = std::min({plan.task_channels, channels, most_channels});
  plan.task_batch = 1;
  if (plan.task_channels == channels && !problem.lengths) {
    const int64_t padded = CeilDiv(channels, Part::kPad) * Part::kPad;
    // Tiny planes in whole groups need no scratch memory for each, where nobody has to do with their statistics.
    const bool roomless = size < kTiny && channels % kGroup == 0 && !problem.has_statistics();
    const int64_t most_batch = roomless ? problem.batch : most_channels / padded;
    plan.task_batch = std::clamp<int64_t>(task_planes / channels, 1, std::min(problem.batch, most_batch));
  }
  plan.channel_tasks = CeilDiv(channels, plan.task_channels);
  plan.tasks = plan.channel_tasks * CeilDiv(problem.batch, plan.task_batch);
  return plan;
}

}  // namespace haline

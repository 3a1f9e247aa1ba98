#include "plan.h"

#include <algorithm>

namespace haline {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Plan MakePlan(const Problem &problem, int threads, bool last) {
  Plan plan;
  const int64_t size = std::max<int64_t>(1, problem.size()), channels = problem.channels, planes = problem.planes();
  if (planes == 0) return plan;
  plan.threads = planes <= kSerialElements / size ? 1 : threads;
  if (last) plan.layout = CommonLayout(problem);
  if (plan.layout == Layout::kLast) return PlanLast(problem, &plan), plan;
  plan.split = size > kSplitPlane || (planes < 2 * plan.threads && size >= 8 * kBlock);
  if (plan.split) return plan;

  // Planes of a task: what L2 holds, but four tasks a thread, so that a slow one does not hold up the rest.
  const int64_t budget = std::max<int64_t>(1, kTaskElements / size);
  const int64_t share = std::max<int64_t>(1, planes / (4 * plan.threads));
  const int64_t task_planes = plan.threads == 1 ? budget : std::min(budget, share);
  const int64_t most_channels = kSlots / Blocks(size) / Part::kPad * Part::kPad;
  plan.task_channels = std::min({channels, task_planes, most_channels});
  if (plan.task_channels > Part::kPad) plan.task_channels = CeilDiv(plan.task_channels, Part::kPad) * Part::kPad;
  plan.task_channels = std::min({plan.task_channels, channels, most_channels});
  plan.task_batch = 1;
  if (plan.task_channels == channels && !problem.lengths) {
    const int64_t padded = CeilDiv(channels, Part::kPad) * Part::kPad;
    plan.task_batch = std::clamp<int64_t>(task_planes / channels, 1, std::min(problem.batch, most_channels / padded));
  }
  plan.channel_tasks = CeilDiv(channels, plan.task_channels);
  plan.tasks = plan.channel_tasks * CeilDiv(problem.batch, plan.task_batch);
  return plan;
}

}  // namespace haline

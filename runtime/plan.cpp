#include "plan.h"

#include <algorithm>

namespace haline {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

// What a task holds of a plane that is not split has room in its scratch memory.
static_assert(kKnobTable[kSplitKnob].most <= kSlots / Part::kPad * kBlock);

Plan MakePlan(const Problem &problem, int threads, const Tuning &tuning) {
  Plan plan;
  const int64_t size = std::max<int64_t>(1, problem.size()), channels = problem.channels, planes = problem.planes();
  if (planes == 0) return plan;
  plan.threads = static_cast<int>(std::clamp<int64_t>(planes * size / (tuning.serial_elements / 2), 1, threads));
  plan.task_elements = tuning.task_elements;
  plan.layout = CommonLayout(problem);
  if (plan.layout == Layout::kLast) return PlanLast(problem, &plan), plan;
  plan.split = size > tuning.split_plane || (planes < 2 * plan.threads && size >= 8 * kBlock);
  if (plan.split) return plan;

  // Planes of a task: what L2 holds, but the same number of tasks for each thread. (A task costs half a microsecond.)
  const int64_t budget = std::max<int64_t>(1, tuning.task_elements / size);
  int64_t task_planes = budget;
  if (plan.threads > 1) {
    const int64_t tasks = CeilDiv(CeilDiv(planes, budget), plan.threads) * plan.threads;
    task_planes = CeilDiv(planes, tasks);
  }
  const int64_t most_channels = kSlots / Blocks(size) / Part::kPad * Part::kPad;
  plan.task_channels = std::min({channels, task_planes, most_channels});
  const int64_t whole = size < kTiny ? kGroup : Part::kPad;
  if (plan.task_channels > whole) plan.task_channels = CeilDiv(plan.task_channels, whole) * whole;
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

#include "plan.h"

#include <algorithm>

namespace haline {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Plan MakePlan(const Problem &problem, int threads) {
  Plan plan;
  const int64_t size = problem.size, channels = problem.channels, planes = problem.planes();
  if (size == 0 || planes == 0) return plan;
  plan.threads = planes <= kSerialElements / size ? 1 : threads;
  plan.regime = size < kTiny ? Regime::kTiny : Regime::kResident;
  if (size > kSplitPlane || (planes < 2 * plan.threads && size >= 2 * kBlock)) {
    plan.regime = Regime::kSplit;
    plan.tasks = planes;  // one after the other
    return plan;
  }

  // Elements of a task: what L2 holds, but four tasks a thread, so that a slow one does not hold up the rest. (By the
  // plane, as the number of all elements may overflow.)
  const int64_t budget = std::max<int64_t>(1, kTaskElements / size);        // planes
  const int64_t share = std::max<int64_t>(1, planes / (4 * plan.threads));  // planes
  const int64_t task_planes = plan.threads == 1 ? budget : std::min(budget, share);
  const int64_t blocks = CeilDiv(size, kBlock);
  const int64_t most_channels = kSlots / blocks / kPad * kPad;
  plan.task_channels = std::min({channels, task_planes, most_channels});
  if (plan.task_channels > kPad) plan.task_channels = CeilDiv(plan.task_channels, kPad) * kPad;
  plan.task_channels = std::min({plan.task_channels, channels, most_channels});
  plan.task_batch = 1;
  if (plan.task_channels == channels) {
    const int64_t padded = CeilDiv(channels, kPad) * kPad;
    plan.task_batch = std::clamp<int64_t>(task_planes / channels, 1, std::min(problem.batch, most_channels / padded));
  }
  plan.channel_tasks = CeilDiv(channels, plan.task_channels);
  plan.tasks = plan.channel_tasks * CeilDiv(problem.batch, plan.task_batch);
  return plan;
}

}  // namespace haline

// Channels-last tensors: which problems are such, and how they are cut into tasks.
#include <algorithm>
#include <limits>

#include "plan.h"
#include "rows.h"
#include "stream.h"

namespace haline {
namespace {

// Halide's strides, and the distances that they add up to, are 32 bits wide.
constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

// Whether kernels can take the array as channels-last. (Absent ones don't matter.)
bool IsLast(const Array &array, const Problem &problem) {
  if (!array.data) return true;
  if (array.loop_count != 1 || array.c_stride != 1 || array.n_stride < 0) return false;
  const int64_t step = array.loops[0].stride;
  return problem.size() == 1 || (step >= problem.channels && step <= kMost / problem.size());
}

// Of a sample that threads share, the channels of a part: whole lines, several of them, and as many parts as keep every
// thread busy; 0 where that can't be.
int64_t SharedChannels(const Problem &problem, const Plan &plan) {
  const int64_t channels = problem.channels, line = LineChannels(problem.element), least = kLeastShared * line;
  for (int64_t parts = CeilDiv(channels, kSlots); parts <= channels / least; parts++) {
    const int64_t share = CeilDiv(CeilDiv(channels, parts), line) * line;
    if (problem.batch * parts % plan.threads == 0 && CeilDiv(channels, share) == parts) return share;
  }
  return 0;
}

}  // namespace

// Whether the kernels of channels-last tensors suit the problem. (Of planes of one element, results alone are made
// across channels: their statistics have a kernel.)
static bool SuitsLast(const Problem &problem) {
  if (problem.channels < kLeastLast || problem.size() < (problem.given ? 1 : 2)) return false;
  const bool small = problem.size() >= kTiny && problem.size() < MostCopiedSize(problem.dy.data != nullptr);
  return problem.channels > kMostCopied || !small;
}

Layout CommonLayout(const Problem &problem) {
  bool last = SuitsLast(problem);
  ForArrays(problem, [&](const Array &array) { last = last && IsLast(array, problem); });
  return last ? Layout::kLast : Layout::kPlanes;
}

bool AcrossAll(const Problem &problem) {
  bool last = SuitsLast(problem);
  ForArrays(problem, [&](const Array &array) { last = last && (!array.data || array.across()); });
  return last;
}

// A task is some whole samples. Of few, threads share each: of small planes, which one kernel does, a thread has some
// channels; of others lanes (boxes.h) or channels of its own in the sums and elements of its own in the results, as
// what threads write had better not lie within a few lines of each other: processors fetch those ahead. (Zen 3, bare
// loops, two threads by one, rows of 256 bytes to 2 KiB: each thread its half of every row 0.7 to 1.8 of the time, read
// so and written by rows 0.5 to 0.85, all by rows 0.5. Here, by channels and split so: 1x512x17x17 1.3 and 0.9,
// backward 0.85 and 0.72, but 1x512x10x10 0.52 and 0.58, 1x1024x8x8 0.52 and 0.76, 0.55 and 0.72.)
void PlanLast(const Problem &problem, const Tuning &tuning, Plan *plan) {
  const int64_t size = problem.size(), channels = problem.channels;
  plan->stream = kStreams && OutgrowCaches(problem, tuning, plan->threads) && !KeptInPlace(problem);
  const bool roomless = Roomless(problem);
  plan->part_channels = roomless && problem.dy.data ? channels : std::min(channels, kSlots);
  plan->part_batch = 1;
  const bool few = plan->threads > 1 && problem.batch < 2 * plan->threads && problem.batch != plan->threads;
  plan->split = size >= kTiny && (few || (problem.batch < 2 && channels * size > kLastElements));
  if (plan->split && few && !plan->stream && size < kMostColumn) {
    const int64_t shared = SharedChannels(problem, *plan);
    plan->split = shared == 0;
    if (!plan->split) plan->part_channels = shared;
  }
  if (plan->split) return;
  if (plan->part_channels == channels && !problem.lengths) {
    const int64_t share = CeilDiv(problem.batch, plan->threads == 1 ? 1 : 4 * plan->threads);
    int64_t room = roomless ? problem.batch : kSlots / (CeilDiv(channels, Part::kPad) * Part::kPad * Blocks(size));
    if (WantRows({0, 1, 0, channels, size}, {})) room = std::min(room, kSlots / (kLanes * channels));
    plan->part_batch =
        std::clamp<int64_t>(plan->task_elements / (channels * size), 1, std::max<int64_t>(1, std::min(share, room)));
  }
  PlanByChannel(problem, plan);
  ForArrays(problem, [&](const Array &array) {
    if (array.data && array.n_stride > kMost / plan->part_batch) plan->part_batch = 1;
  });
  const int64_t batch_parts = CeilDiv(problem.batch, plan->part_batch);
  plan->channel_parts = CeilDiv(channels, plan->part_channels);
  plan->parts = plan->channel_parts * batch_parts;
  if (plan->by_channel) plan->run = batch_parts;
}

}  // namespace haline

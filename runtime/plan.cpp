#include "plan.h"

#include <unistd.h>

#include <algorithm>

#include "stream.h"

namespace haline {
namespace {

// The largest divisor of `count` that is at most `most`, and no less than a quarter of it; else 0. (Two parts are
// worked on at a time only where they are as large.)
int64_t Divisor(int64_t count, int64_t most) {
  for (int64_t d = most; 4 * d >= most; d--) {
    if (count % d == 0) return d;
  }
  return 0;
}

// Whether lines of the result begin with elements: its rows may begin anywhere in one. (Fractions of a copy, one Zen 5
// thread, plain and streamed: planes of 31 x 31 0.50 and 0.72, of 181 x 181 0.45 and 0.68.)
bool Aligned(const Array &result) {
  return reinterpret_cast<uintptr_t>(result.data) % static_cast<uintptr_t>(Size(result.element)) == 0;
}

// Whether any of the tensors has something between its planes' elements.
bool Strided(const Problem &problem) {
  bool strided = false;
  ForArrays(problem, [&](const Array &array) { strided = strided || (array.data && !array.contiguous()); });
  return strided;
}

// Bytes that L2 keeps of those that come one after the other, about.
#if !defined(HALINE_KEPT_BYTES)
#define HALINE_KEPT_BYTES (kFarL3 ? sysconf(_SC_LEVEL2_CACHE_SIZE) * 5 / 8 : 0)  // tests set it lower
#endif
const int64_t kKeptBytes = HALINE_KEPT_BYTES;

// Whether the tensors have so many bytes together, or half as many again, of several threads.
bool Outgrow(const Problem &problem, const Tuning &tuning, int threads, int64_t bytes) {
  int64_t arrays = 0, most = threads > 1 ? bytes * 3 / 2 : bytes;
  if (tuning.stream_bytes >= 0) most = tuning.stream_bytes;
  ForArrays(problem, [&](const Array &array) { arrays += array.data != nullptr; });
  return arrays * problem.planes() * problem.size() * Size(problem.element) >= most;
}

// Whether results had better go past the caches, which don't hold the tensors.
bool Streams(const Problem &problem, const Tuning &tuning, int threads) {
  const bool halves = Size(problem.element) == 2, forward = !problem.dy.data;
  const bool lines = problem.size() * Size(problem.element) % kLine == 0 || problem.element == Element::kF64;
  const int64_t least = halves && forward ? kLeastHalfStreamed : lines ? kTiny : kLeastStreamed;
  if (!kStreams || problem.size() < least) return false;
  if (Strided(problem) || (problem.dresidual.data && !FlowsBackward(problem))) return false;
  for (const Array *result : {&problem.y, &problem.dx, &problem.dresidual}) {
    if (result->data && kStreamBytes != 0 && !Aligned(*result)) return false;
  }
  const bool small = problem.element == Element::kF32 && forward && problem.size() < kLarge;
  return Outgrow(problem, tuning, threads, small ? kSmallStreamBytes : kStreamBytes) && !KeptInPlace(problem);
}

// Whether results that stay in the caches had better wait: of planes of one size, in several parts for each thread,
// that kernels_.flow_plain and kernels_.gradient_flow_plain take.
bool Waits(const Problem &problem, const Tuning &tuning, int threads) {
  const bool backward = problem.dy.data != nullptr;
  const int64_t size = problem.size();
  if (size < (tuning.flow_elements >= 0 ? tuning.flow_elements : kFlowElements)) return false;
  if (backward && size > kMostGradientFlowed) return false;
  if (problem.planes() * size < 4 * threads * kStreamElements) return false;
  if (problem.lengths || Strided(problem)) return false;
  // 16-bit ones, forward, where they go over x and no cache holds it. (Time by that where they do not wait, the same
  // Xeon, bfloat16 and float16, planes of 2 KiB 0.76 to 0.86, 64 KiB 0.81 to 0.92, 512 KiB 0.59 to 0.68, one thread and
  // two, AVX2 0.6 to 0.84.)
  const bool halves_in_place =
      !backward && Size(problem.element) == 2 && KeptInPlace(problem) && OutgrowCaches(problem, tuning, threads);
  if (problem.element != Element::kF32 && !halves_in_place) return false;
  if (backward && !FlowsBackward(problem)) return false;
  if (problem.given || !(backward ? problem.dx : problem.y).data) return false;
  for (const Array *result : {&problem.y, &problem.dx, &problem.dresidual}) {
    if (!Aligned(*result)) return false;
  }
  return true;
}

// How much of a plane is written last, in 64ths. From a line's part in the sums to its part in the result that waits,
// two planes are read: of planes larger than half of what L2 keeps, each line has just left it then. So as much as has
// to have left is passed over at first, and all that comes before it is still there. Time by that without, one thread
// of a Xeon with 2 MiB of L2, float32, forward and backward: planes of 0.5 MiB - and 0.95, 0.7 MiB 0.99 and 0.89, 1 MiB
// 0.94 and 0.90, 1.5 MiB 0.91 and 0.93, 2 MiB 0.92 and 0.95; results that stay in the caches 0.92 to 0.99 and 0.92 to
// 0.97; bfloat16 1.02 to 0.97 and 0.99 to 0.94; two threads, 1 MiB, 0.96 and 0.93; AVX2 0.94 and 0.90. (By 16ths, 1 and
// 2 MiB: forward 2 0.97 and -, 6 0.95 and 0.98, 8 0.96 and 0.95, 11 1.00 and 0.93, 14 1.01 and 0.97; of 4 MiB 14 0.98;
// of 8 MiB 6 to 13 1.04.)
int32_t Turn(const Problem &problem) {
  const int64_t read = !problem.dy.data ? 1 : problem.residual.data && problem.slope != 1 ? 3 : 2;
  const int64_t bytes = problem.size() * Size(problem.element) * read;
  if (2 * bytes <= kKeptBytes || bytes > 4 * kKeptBytes) return 0;
  return static_cast<int32_t>(64 - 32 * kKeptBytes / bytes);
}

// Planes of a part, no fewer: where channels lie side by side, as many as share a line, as each part copies what it
// takes from all lines.
int64_t CopiedTogether(const Problem &problem) {
  bool across = false;
  ForArrays(problem, [&](const Array &array) { across = across || (array.data && array.across()); });
  return across ? std::min(problem.channels, LineChannels(problem.element)) : 1;
}

}  // namespace

bool OutgrowCaches(const Problem &problem, const Tuning &tuning, int threads) {
  return Outgrow(problem, tuning, threads, kStreamBytes);
}

bool InPlace(const Problem &problem) {
  bool in_place = false;
  for (const Array *result : {&problem.y, &problem.dx, &problem.dresidual}) {
    for (const Array *input : {&problem.x, &problem.residual, &problem.dy}) {
      in_place = in_place || (result->data && result->data == input->data);
    }
  }
  return in_place;
}

bool KeptInPlace(const Problem &problem) { return InPlace(problem) && kStreamBytes != 0; }

bool Roomless(const Problem &problem) {
  if (problem.size() >= kTiny || problem.channels % kGroup != 0) return false;
  if (!problem.dy.data) return !problem.has_statistics();
  return problem.dscale.n_stride == 0 && problem.dshift.n_stride == 0;
}

void PlanByChannel(const Problem &problem, Plan *plan) {
  const int64_t channels = problem.channels, threads = plan->threads;
  if (!Roomless(problem) || (!problem.dscale && !problem.dshift)) return;
  if (threads == 1 || channels < threads * kStep) return;
  // Two tasks for each thread, where the kernels can work on some steps of each sample.
  const int64_t tasks = channels >= 4 * threads * kStep ? 2 * threads : threads;
  const int64_t share = CeilDiv(CeilDiv(channels, tasks), kGroup) * kGroup;
  const int64_t most = problem.lengths ? 1 : problem.batch;
  plan->by_channel = true;
  plan->part_channels = share;
  plan->part_batch = std::clamp<int64_t>(plan->task_elements / (share * std::max<int64_t>(1, problem.size())), 1, most);
  plan->channel_parts = CeilDiv(channels, share);
  plan->run = CeilDiv(problem.batch, plan->part_batch);
  plan->parts = plan->channel_parts * plan->run;
}

Plan MakePlan(const Problem &problem, int threads, const Tuning &tuning, bool last) {
  Plan plan;
  const int64_t size = std::max<int64_t>(1, problem.size()), channels = problem.channels, planes = problem.planes();
  if (planes == 0) return plan;
  const int64_t all = planes * size, least = tuning.serial_elements / 2;
  plan.threads = all < 2 * least ? 1 : static_cast<int>(std::clamp<int64_t>(all / least, 1, threads));
  plan.task_elements = tuning.task_elements;
  if (last) plan.layout = CommonLayout(problem);
  if (plan.layout == Layout::kLast) {
    PlanLast(problem, tuning, &plan);
    return plan;  // (by its name alone, as everywhere here: else each return copies)
  }
  plan.stream = Streams(problem, tuning, plan.threads);
  plan.waits = plan.stream || (last && Waits(problem, tuning, plan.threads));
  if (plan.waits) plan.turn = Turn(problem);
  const bool strided = Strided(problem);
  const int64_t together = strided ? CopiedTogether(problem) : 1;
  plan.copied = strided && size * together <= kMostCopiedElements;
  if (plan.copied) plan.task_elements = std::min(plan.task_elements, kCopiedElements);
  if (plan.copied && last && AcrossAll(problem)) plan.layout = Layout::kLast;
  const bool large = size > tuning.split_plane, few = planes < 2 * plan.threads * together && size >= 8 * kBlock;
  plan.split = large || few;
  // With planes enough, each thread overlaps reading and writing on planes of its own.
  if (plan.stream) plan.split = plan.threads > 1 && (few || (large && planes < 8 * plan.threads));
  // (Eight planes of 8 MiB in place, one Xeon thread: 0.81 of the time, three of 64 MiB 0.75.)
  if (plan.waits && plan.threads == 1) plan.split = planes == 1 && !plan.stream;
  if (plan.split) {
    plan.waits = plan.stream;
    plan.part_channels = together;
    return plan;
  }

  // What one task has time and room for is one part: so it would come out below, too, after six divisions.
  if (plan.threads == 1 && !plan.waits && !problem.lengths && all <= plan.task_elements &&
      CeilDiv(channels, Part::kPad) * Part::kPad * problem.batch * Blocks(size) <= kSlots) {
    plan.part_channels = channels;
    plan.part_batch = problem.batch;
    plan.channel_parts = plan.parts = 1;
    return plan;
  }

  // Planes of a part: what L2 holds, but the same number of parts for each thread. (A part costs half a microsecond.)
  const int64_t budget = std::max<int64_t>(1, (plan.waits ? kStreamElements : plan.task_elements) / size);
  int64_t part_planes = budget;
  if (plan.threads > 1) part_planes = CeilDiv(planes, CeilDiv(CeilDiv(planes, budget), plan.threads) * plan.threads);
  const int64_t most_channels = std::max<int64_t>(1, kSlots / Blocks(size) / Part::kPad * Part::kPad);
  plan.part_channels = std::min({channels, part_planes, most_channels});
  const int64_t whole = size < kTiny ? kGroup : Part::kPad;
  if (const int64_t even = plan.waits ? Divisor(channels, plan.part_channels) : 0; even > 0) {
    plan.part_channels = even;
  } else if (plan.part_channels > whole) {
    plan.part_channels = CeilDiv(plan.part_channels, whole) * whole;
  }
  plan.part_channels = std::max(together, std::min({plan.part_channels, channels, most_channels}));
  plan.part_batch = 1;
  if (plan.part_channels == channels && !problem.lengths) {
    const int64_t padded = CeilDiv(channels, Part::kPad) * Part::kPad;
    const int64_t most_batch = Roomless(problem) ? problem.batch : std::max<int64_t>(1, most_channels / padded);
    plan.part_batch = std::clamp<int64_t>(part_planes / channels, 1, std::min(problem.batch, most_batch));
  }
  plan.channel_parts = CeilDiv(channels, plan.part_channels);
  plan.parts = plan.channel_parts * CeilDiv(problem.batch, plan.part_batch);
  PlanByChannel(problem, &plan);
  if (plan.by_channel) return plan;
  if (plan.threads == 1) {
    plan.run = plan.parts;
  } else if (plan.waits) {
    // (Results that stay in the caches, two Xeon threads, time by that where they don't wait, one task for each thread
    // 0.87 to 0.97, two 0.86 to 0.98, four 0.95 to 1.00: a task's last part waits for nothing.)
    const int64_t tasks = plan.stream && size <= tuning.split_plane ? 4 : 2;  // of a thread
    plan.run = std::max<int64_t>(1, plan.parts / (tasks * plan.threads));
  }
  return plan;
}

}  // namespace haline

// How a problem is cut into tasks. Decides time, never bits: what may change a sum depends on the plane's size alone
// (kTiny, kLarge, kBlock) and is written down in generators/statistics.h and docs/numerics.md.
#ifndef HALINE_RUNTIME_PLAN_H_
#define HALINE_RUNTIME_PLAN_H_

#include <cstdint>

#include "problem.h"
#include "tuning.h"

namespace haline {

// Part of the numerics.
constexpr int64_t kTiny = 64;                 // planes of fewer elements: all in double, vectors across planes
constexpr int64_t kLarge = 512;               // planes of fewer elements: chunks of 64, else of 128
constexpr int64_t kBlock = 16384;             // elements whose partial sums are kept apart
constexpr int64_t kRun = 16, kMostRuns = 32;  // the pivot's samples

// Part of the schedule, as is what tuning.h has.
constexpr int64_t kGroup = 16;   // tiny planes are worked on in groups: the widest vector of any back end
constexpr int64_t kSlots = 512;  // planes x blocks of a task, as many as its scratch memory has room for

constexpr int64_t kMostSummed = 64;        // channels that a channels-last kernel sums together
constexpr int64_t kLeastLast = 8;          // channels of a tensor that is worth treating as channels-last
constexpr int64_t kLastElements = 131072;  // of a channels-last task: x and y stay in L2

constexpr int64_t kLastStream = 32 << 20;  // bytes: larger channels-last problems are written past the caches
constexpr int64_t kLastTile = 8192;        // bytes of a result that are made in L1 and then written past the caches

// What the problem's tensors have in common. kPlanes: the elements of a plane lie side by side, or are copied. kLast:
// the channels of an element do (channels-last), and a plane's elements have one stride.
enum class Layout { kPlanes, kLast };

struct alignas(64) Plan {
  int threads = 1;
  Layout layout = Layout::kPlanes;
  bool stream = false;        // kLast: results go past the caches
  bool split = false;         // plane by plane (kLast: sample by sample), all threads on one
  int64_t task_elements = 0;  // that a task should have, about
  int64_t task_channels = 0;  // else a task is task_batch x task_channels planes
  int64_t task_batch = 0;
  int64_t channel_tasks = 0;
  int64_t tasks = 0;
};

Plan MakePlan(const Problem &problem, int threads, const Tuning &tuning);
Layout CommonLayout(const Problem &problem);
// Completes the plan of a problem of that layout.
void PlanLast(const Problem &problem, Plan *plan);

constexpr int64_t Blocks(int64_t size) {
  // The tail chunk, which may reach over the border, belongs to the last block of whole chunks.
  const int64_t chunk = size < kLarge ? 64 : 128;
  const int64_t full = size / chunk, chunks_per_block = kBlock / chunk;
  return full == 0 ? 1 : (full + chunks_per_block - 1) / chunks_per_block;
}

}  // namespace haline

#endif  // HALINE_RUNTIME_PLAN_H_

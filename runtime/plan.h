// How a problem is cut into tasks. Decides time, never bits: what may change a sum depends on the plane's size alone
// (kTiny, kLarge, kBlock) and is written down in generators/statistics.h and docs/numerics.md.
#ifndef HALINE_RUNTIME_PLAN_H_
#define HALINE_RUNTIME_PLAN_H_

#include <cstdint>

#include "problem.h"

namespace haline {

// Part of the numerics.
constexpr int64_t kTiny = 64;                 // planes of fewer elements: all in double, vectors across planes
constexpr int64_t kLarge = 512;               // planes of fewer elements: chunks of 64, else of 128
constexpr int64_t kBlock = 16384;             // elements whose partial sums are kept apart
constexpr int64_t kRun = 16, kMostRuns = 32;  // the pivot's samples

// Part of the schedule.
constexpr int64_t kSlots = 512;             // planes x blocks of a task, as many as its scratch memory has room for
constexpr int64_t kTaskElements = 32768;    // read twice, written once: x and y of a task stay in a core's L2
constexpr int64_t kSerialElements = 32768;  // fewer in all: a thread costs more than it saves; each has half of it
constexpr int64_t kBriefElements = 131072;  // no more in all: 20 us, done before a thread that slept has come
constexpr int64_t kSplitPlane = 1 << 20;    // larger planes are worked on by all threads together

struct alignas(64) Plan {
  int threads = 1;
  bool split = false;         // plane by plane, all threads on one
  int64_t task_channels = 0;  // else a task is task_batch x task_channels planes
  int64_t task_batch = 0;
  int64_t channel_tasks = 0;
  int64_t tasks = 0;
};

Plan MakePlan(const Problem &problem, int threads);

constexpr int64_t Blocks(int64_t size) {
  // The tail chunk, which may reach over the border, belongs to the last block of whole chunks.
  const int64_t chunk = size < kLarge ? 64 : 128;
  const int64_t full = size / chunk, chunks_per_block = kBlock / chunk;
  return full == 0 ? 1 : (full + chunks_per_block - 1) / chunks_per_block;
}

}  // namespace haline

#endif  // HALINE_RUNTIME_PLAN_H_

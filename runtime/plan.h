// How a problem is cut into tasks. Decides time, never bits: what may change a sum depends on the plane's size alone
// (kTiny, kLarge, kBlock) and is written down in generators/statistics.h and docs/numerics.md.
#ifndef HALINE_RUNTIME_PLAN_H_
#define HALINE_RUNTIME_PLAN_H_

#include <algorithm>
#include <cstdint>

#include "problem.h"
#include "stream.h"
#include "tuning.h"

namespace haline {

// Part of the numerics.
constexpr int64_t kTiny = 64;                    // planes of fewer elements: all in double, vectors across planes
constexpr int64_t kLarge = 512;                  // planes of fewer elements: chunks of 64, else of 128
constexpr int64_t kBlock = 16384;                // elements whose partial sums are kept apart
constexpr int64_t kLanes = 16;                   // that are added each for itself
constexpr int64_t kMostRuns = 32, kHalfRun = 8;  // the pivot's samples

// Where they are in a plane, as PivotRuns in generators/pivot.h.
struct PivotRuns {
  int64_t count, step;

  explicit PivotRuns(int64_t size) : count(std::min(size / kLanes, kMostRuns)), step(size / count) {}

  // Of the k-th of 2 * count half runs.
  int64_t Start(int64_t k) const {
    const int64_t share = step / 4 * 2, turn = 211 * (k * (k + 3) / 2) % 509;
    return k / 2 * step + k % 2 * share + turn * (share / kHalfRun) / 509 * kHalfRun;
  }
};

// Part of the schedule, as is what tuning.h has.
constexpr int64_t kCopiedElements = 16384;        // of a part that is copied, about: L2 holds it beside its copies
constexpr int64_t kMostCopiedElements = 1 << 18;  // planes of more are copied a block at a time: window.h
constexpr int64_t kGroup = 16;              // tiny planes are worked on in groups: the widest vector of any back end
constexpr int64_t kStep = 4 * kGroup;       // planes of a step of their kernels
constexpr int64_t kSmallGroup = 8;          // small planes too, where one kernel does all that is done with them
constexpr int64_t kMostGrouped = kLarge;    // elements of planes that are small
constexpr int64_t kLeast = 4;               // elements of tiny planes that may lie anywhere: Turn::kSide
constexpr int64_t kSlots = 512;             // planes x blocks of a task, as many as its scratch memory has room for
constexpr int64_t kBriefElements = 131072;  // no more in all: 20 us, done before a thread that slept has come

// Channels, no more, of a channels-last tensor whose samples are copied for their pivots; of a part of a vector they
// would be read under a mask, one by one. (One Zen 1 thread, float32, all forward by that, 32x32: 2 channels 0.56,
// 3 0.65, 4 0.73, 5 0.84, 6 and 7 1.0, 8, which fill a vector, 1.6. Of 4 channels there are vectors, too.)
constexpr int64_t kMostPacked = 3;
constexpr int64_t kMostSummed = 64;  // channels that a channels-last kernel sums together
constexpr int64_t kMostBoxed = 512;  // of those that sum by lane: boxes.h
constexpr int64_t MostPivots(Element element) { return element == Element::kF64 ? 128 : 256; }  // of those that sample
// Elements of small planes that are summed so too, where their channels fill vectors; and channels, forward, no more,
// as the lanes' sums had better leave room in L2. (One Zen 3 thread, time by that of 64 channels at a time:
// 32x256x16x16 0.80, backward 0.71; 12x128x20x20 0.90 and 0.97; 64x64x12x12 1.06 and 1.01; 8x512x14x14 1.11 and 0.89;
// backward 128x64x8x8 1.09, 16x40x12x12 1.18.)
constexpr int64_t kLeastLanes = 256, kMostLanes = 256, kLeastGradientLanes = 128;
constexpr int64_t kVector = 16;    // channels: a multiple of every back end's vectors
constexpr int64_t kLeastLast = 2;  // channels of a tensor that is worth treating as channels-last
// Channels, no more, of one whose small planes are copied instead, and fewer elements than these: vectors across them
// are not full, and what is taken by rows has 16 lanes of each to be added up. (One Zen 1 thread, AVX2, float32, 8
// samples, time by that where they are not copied, forward and backward: 64 elements of 6 channels 0.37 and 0.42; 128
// of 2, 3, 4, 6 0.61, 0.79, 0.38, 0.56 and 0.66, 0.88, 0.56, 0.77; 196 0.70, 0.86, 0.42, 0.61 and 0.85, 1.08, 0.70,
// 0.95; 400 0.82, 1.04, 0.50, 0.69 and 1.39, 1.80, 1.02, 1.46. 8, which fill a vector: 64 0.87 and 1.07. More, of
// which 1 to 7 are left, would gain too, 12 and 20 0.4 to 0.8, but not where masks cost nothing.)
constexpr int64_t kMostCopied = 7;
constexpr int64_t MostCopiedSize(bool backward) { return backward ? 200 : 400; }
// Elements, fewer, of the channels-last planes that one kernel does all of: of more it reads too far apart. One Zen 5
// thread, against several kernels, of a copy: 64 elements of 256 channels 0.31 and 0.27, of 320 0.16 and 0.13, 225 of
// 64 0.24 and 0.27, 256 of 128 0.27 and 0.31.
constexpr int64_t kMostColumn = 128;
// Channels that it takes: a multiple of every back end's vectors of its results.
constexpr int64_t ColumnVector(Element element) { return element == Element::kBF16 ? 2 * kVector : kVector; }
// Lines of a row, no fewer, that a thread has of samples that several share.
constexpr int64_t kLeastShared = 4;
// The channels of an element that fill whole lines and vectors.
constexpr int64_t LineChannels(Element element) { return std::max(kVector, kLine / Size(element)); }
constexpr int64_t kMostRowChannels = 32;   // of rows: generators/layout.h
constexpr int64_t kLeastRows = 128;        // elements of their planes
constexpr int64_t kLastElements = 131072;  // of a channels-last task: x and y stay in L2

// Problems as large, inputs and results together, are written past the caches by one thread, by several what is half as
// large again: L3 serves each of them, memory all together. 32 MiB of L3, plain and streamed as fractions of a copy:
// one Zen 5 thread 8 MiB 0.62 and 0.68, 12 MiB 0.54 and 0.62, 16 MiB 0.48 and 0.73, 32 MiB 0.54 and 0.73, 64 MiB 0.51
// and 0.84; two threads, GB/s, 16 MiB 110 and 66, 24 MiB 26 and 46. (Zen 3, time of streamed by that of plain: one
// thread 4 MiB 1.1 to 1.3, 8 MiB 1.0, 12 MiB 0.4 to 0.65, backward 6 MiB 1.2, 8 MiB 1.2, 12 MiB 0.75 to 0.8; two
// threads 8 MiB 1.4, 12 MiB 1.3, 16 MiB 0.7 to 1.2, 20 MiB 0.53.) Smaller results had better stay in L3, for whoever
// reads them next, too.
#if !defined(HALINE_STREAM_BYTES)
#define HALINE_STREAM_BYTES kKnobTable[kStreamKnob].otherwise  // tests set it to 0
#endif
constexpr int64_t kStreamBytes = HALINE_STREAM_BYTES;
// Whether lines in L3 are as far as memory: on Intel's processors.
#if defined(__x86_64__)
inline const bool kFarL3 = __builtin_cpu_is("intel");
#else
constexpr bool kFarL3 = false;
#endif
// Forward, of 16-bit elements, planes of as many: the kernels for smaller ones take longer than memory does. Time by
// theirs of others, whose results stay in the caches, a Xeon with AVX-512, float16 and bfloat16, of 26 and of 210 MB:
// 64 elements 0.55 to 0.57 and 0.73 to 0.75, 100 0.67 and 0.56 to 0.58, 196 0.72 to 0.75 and 0.60 to 0.62, 256 0.71 to
// 0.77 and 1.01 to 1.03, 400 0.70 to 0.77 and 0.90 to 0.97, two threads 0.53 to 0.74 and 0.60 to 0.97, AVX2 0.53 to
// 0.90 and 0.56 to 0.92. (Backward 0.73 to 0.98 and 0.75 to 1.45, float32 0.84 to 1.02 and 1.00 to 1.35, 1024 elements
// 0.91 to 0.99 and 1.55 to 1.60.) On other processors not yet known.
inline const int64_t kLeastHalfStreamed = kFarL3 && kStreamBytes != 0 ? kLarge : kTiny;
// Of other types but float64, planes that are no whole lines, of as many; and the bytes of float32's tensors, forward,
// where planes are small. Time through the caches by that past them, the same Xeon, one thread, float32, forward and
// backward, into one y and into twelve to sixteen in turns, which L3 does not hold: 64 elements of 26 MB 0.75, 0.94
// and 1.14, -; 81 of 100 MB 0.73, 1.00; 100 of 26 MB 0.70, 0.84 and 0.52, 0.67; 196 of 13 MB 0.87, 1.00, of 50 MB - and
// 0.77, -; 256 of 13 MB 0.85, 0.99 and 1.09, -, of 50 MB 0.85, - and 1.28, -; 400 of 52 MB 0.96, 1.21 and 1.28, -.
// bfloat16 backward 64 elements 0.67, 100 0.79 and 0.58. AVX2 100 elements 0.75, 256 0.94; two threads 64 0.68, 100
// 0.63, 256 1.01, 400 0.94. (64 elements of 134 MB and backward of 201 MB 1.13 and 1.77.)
inline const int64_t kLeastStreamed = kFarL3 && kStreamBytes != 0 ? 128 : kTiny;
inline const int64_t kSmallStreamBytes = kFarL3 && kStreamBytes != 0 ? int64_t{32} << 20 : kStreamBytes;
// Blocks, no more, that a thread writes in one go of a plane that it shares with others. (Past the caches, two threads
// of a Xeon, three planes of 64 MiB, time by that of one block: 4 0.93, 16 0.92 to 0.95, 32 0.92; bfloat16 0.79, 0.76,
// 0.81.)
constexpr int64_t kMostTogether = 16;
// Of a part then; sums are made of one while the one before is written. One Zen 5 thread, planes of 4 and 9 KiB, as
// above: 16384 elements 0.88 and 0.87, 32768 0.90 and 0.94, 65536 0.87 and 0.93.
#if !defined(HALINE_STREAM_ELEMENTS)
#define HALINE_STREAM_ELEMENTS 32768  // tests set it lower
#endif
constexpr int64_t kStreamElements = HALINE_STREAM_ELEMENTS;
// Elements of a float32 plane, no fewer, whose result waits where it stays in the caches, too. Time by that where it
// does not, one thread of a Xeon with AVX-512, 2 MiB of L2 and 480 MiB of L3, forward and backward: 8x128x25x25 0.87
// and 0.90, 1x512x31x31 0.84 and 0.92, 16x64x1023 0.82 and -, 8x64x32x32 0.93 and 0.93, 1x128x64x64 0.95 and 0.91,
// 1x64x128x128 0.97 and 0.99, 1x16x256x256 0.96 and 1.00, in L2 4x64x32x32 0.91 and 0.92; AVX2 0.83 to 0.90 and 0.90 to
// 1.02; two threads 0.88 to 1.01 and 0.90 to 1.01. (20x20 0.97 and 0.93, two threads 15x15 - and 1.03. The other types'
// kernels have more to work out than to wait for: bfloat16 1.05 to 1.15, float16 1.2 to 1.3. With parts of 8192
// elements 0.92 to 1.07, of 16384 0.89 to 1.00, of 65536 as of 32768.) On other processors not yet known.
#if !defined(HALINE_FLOW_ELEMENTS)
#define HALINE_FLOW_ELEMENTS (kFarL3 ? kKnobTable[kFlowKnob].otherwise : kKnobTable[kFlowKnob].most)  // tests set it
#endif
inline const int64_t kFlowElements = HALINE_FLOW_ELEMENTS;
constexpr int64_t kMostGradientFlowed = kBlock - 1;  // and backward no more
// Of a part while whose sums are made y's lines, or, as engine.cpp says, the next part of x, are fetched, so that they
// are still in L2 then. (A task's elements, and the planes that make up a whole number of them.) Time by that without,
// of y's, one thread, Zen 3: 8x64x32x32 0.87, 8x64x24x24 0.89, 1x64x128x128 0.85, 1x128x64x64 1.07, tensors in memory
// 0.89 to 0.97. Zen 1, one pair of tensors and four in turns, which are in memory: 8x64x32x32 1.02 and 0.90,
// 1x128x64x64 1.03 and 0.93, 1x64x128x128 0.90 and 0.92, 1x512x31x31 1.01 and 0.93. (The gradient's, meanwhile: 0.98 to
// 1.03.)
constexpr int64_t kFetchedBytes = 1 << 18;
constexpr int64_t kTileBytes = 8192;  // of a result that is made in L1 first; 4096 measured slower, 16384 alike

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Calls f for every tensor of x's shape; those that are absent have no data.
template <typename F>
void ForArrays(const Problem &problem, const F &f) {
  for (const Array *array : {&problem.x, &problem.y, &problem.residual, &problem.dy, &problem.dx, &problem.dresidual}) {
    f(*array);
  }
}

// What the problem's tensors have in common. kPlanes: the elements of a plane lie side by side, or are copied. kLast:
// the channels of an element do (channels-last), and a plane's elements have one stride.
enum class Layout { kPlanes, kLast };

struct alignas(64) Plan {
  int threads = 1;
  Layout layout = Layout::kPlanes;
  bool split = false;         // part by part, of one sample (kPlanes: as a rule of one plane), all threads on one
  bool stream = false;        // results go past the caches
  bool waits = false;         // kPlanes: results are written while the sums of the next part are made
  int32_t turn = 0;           // 64ths of a plane that are written last of it, where results wait
  bool copied = false;        // each part is, as the kernels can't take its tensors as they lie
  int64_t task_elements = 0;  // that a task should have, about
  int64_t part_channels = 0;  // a part is part_batch x part_channels planes
  int64_t part_batch = 0;
  int64_t channel_parts = 0;
  int64_t parts = 0;
  int64_t run = 1;  // parts of a task, one after the other
  // A task has all samples of its channels, one after the other: what is added up over them needs no room for each.
  bool by_channel = false;
};

// `last`: whether there are kernels for channels-last tensors.
Plan MakePlan(const Problem &problem, int threads, const Tuning &tuning, bool last);
Layout CommonLayout(const Problem &problem);
// Whether copies of the problem's tensors had better be channels-last, as these are but for what lies between.
bool AcrossAll(const Problem &problem);
// Whether the tensors are so large together that results had better go past the caches.
bool OutgrowCaches(const Problem &problem, const Tuning &tuning, int threads);
// Whether a result is written over what it is made from.
bool InPlace(const Problem &problem);
// Whether it is so, and its lines, which are in the caches then, had better stay there.
// (Of a copy, one Zen 5 thread, plain and past the caches: 32 planes of 1 MiB 0.9 and 0.86. Channels last, one Xeon
// thread, time by that past the caches: 64x64x32x32 0.43, 1x32x512x512 0.36, 1x8x1080x1920 0.37, 256x128x10x10 0.56.)
bool KeptInPlace(const Problem &problem);
// Whether a kernel can make all the problem's gradients while it sums: dx, and a residual's beside it. (Not where dx
// goes over what both are made from.)
inline bool FlowsBackward(const Problem &problem) {
  const char *const dx = problem.dx.data;
  return dx && (!problem.dresidual.data || (dx != problem.x.data && dx != problem.dy.data));
}
// Whether the numbers of tiny planes need no room: nobody wants them, or they are added up by channel where the kernels
// write them.
bool Roomless(const Problem &problem);
// Completes the plan of a problem whose tiny planes' gradients are added up by channel, if the threads can share the
// channels.
void PlanByChannel(const Problem &problem, Plan *plan);
// Completes the plan of a problem of that layout.
void PlanLast(const Problem &problem, const Tuning &tuning, Plan *plan);

// The most elements of planes that the kernels of few elements take, as MostFew in generators/wide_schedule.h.
constexpr int64_t MostFew(Element element, bool old_processor) {
  return element == Element::kF64 || old_processor ? 4 : 8;
}

// Whether tiny planes' results are made across planes, not along them, where the rest of a vector is stored under a
// mask. In place, such a store holds up the load of the next plane. (One Xeon thread, 32x512 planes, time by that along
// planes. AVX-512, float32 9 to 12 elements 0.93, 13 to 15 0.98, 17 to 20 0.91, 21 to 28 0.94 to 0.98, 29 to 31 1.06,
// 33 1.01, 49 1.08, bfloat16 0.82, 0.92, 0.74, 0.80 to 0.91, 0.97, 0.86 and 0.90, 16 1.01, float16 0.91, 1.02, 0.95,
// 0.96 to 1.11, 1.05, 1.04 and 1.07, float64 0.95, 1.06, 1.1 to 1.3. AVX2, float32 0.90, 1.01, 0.95, 1.0
// to 1.07, 1.07, 1.04 and 1.09, float64 1.0 to 1.4; a Zen 1, float32, 9 0.73, 17 0.86, 25 0.96, 31 1.05. In place
// AVX-512 9 0.31 to 0.39, 20 0.46 to 0.52, 31 0.65, 49 0.82, 63 0.92, float64 0.50, 0.63, 0.80, 0.98, 1.01, AVX2 0.46,
// 0.61, 0.78, 0.93, 1.00, float64 0.68, 1.09, 1.00, 1.11, 1.13. Of 16 bits AVX2 has no kernel that makes them along
// planes: 9 0.68 to 0.74, 16 0.89, 33 0.81, 63 0.85.)
constexpr bool ResultsAcross(Element element, int64_t size, bool in_place) {
  if (element == Element::kBF16) return size % 16 != 0;
  const int64_t rest = size % 8;  // of the vectors along planes
  if (rest == 0) return false;
  if (element == Element::kF64) return in_place && size < 32;
  return in_place || (size <= 28 && (element == Element::kF32 || rest <= 4));
}

// Of channels-last tensors, without residual and statistics: as kFewLast in generators/tiny_last.h.
constexpr bool IsFewLast(int64_t size) { return size == 4 || size == 8; }

constexpr int64_t Chunk(int64_t size) { return size < kLarge ? 64 : 128; }

constexpr int64_t Blocks(int64_t size) {
  // The tail chunk, which may reach over the border, belongs to the last block of whole chunks.
  const int64_t chunk = Chunk(size);
  const int64_t full = size / chunk, chunks_per_block = kBlock / chunk;
  return full == 0 ? 1 : (full + chunks_per_block - 1) / chunks_per_block;
}

}  // namespace haline

#endif  // HALINE_RUNTIME_PLAN_H_

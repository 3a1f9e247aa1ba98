// Tensor layouts: the order of a tensor's elements in memory, and what a generator says of it to Halide.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_LAYOUT_H_
#define HALINE_GENERATORS_LAYOUT_H_

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "Halide.h"

namespace haline {

// kPlanes: the elements of a plane lie side by side. kLast: the channels of an element do (channels-last), and a
// plane's elements have one stride. kRows: channels-last tensors of few channels, which would leave vectors across them
// nearly empty; where 16 elements of all planes, a row, lie side by side, a vector is any part of a row. The dimensions
// are (s, c, n) in all; for kRows c counts within the row that starts at element s of the first channel.
enum class Layout { kPlanes, kLast, kRows };

inline const std::map<std::string, Layout> kLayouts = {
    {"planes", Layout::kPlanes}, {"last", Layout::kLast}, {"rows", Layout::kRows}};

constexpr int kLineBytes = 64;  // of a cache's lines

// Channels of a channels-last tensor that a call takes: their numbers are staged on the stack.
constexpr int kMostChannels = 512;  // of the element-wise kernels
constexpr int kMostSummed = 64;     // of those that sum; runtime/plan.h has the same numbers
constexpr int kMostBoxed = 512;     // of those that sum by lane
constexpr int kMostRow = 512;       // numbers of a row: of up to 32 channels

template <typename F>
void SetLayout(F &f, Layout layout) {
  if (layout == Layout::kPlanes) return;
  f.dim(0).set_stride(Halide::Expr());
  f.dim(1).set_stride(1);
}

// Channels that channels-last kernels work on at a time: on x86 those of a line at least, as the half of one would be
// gone from L1 before the other is wanted where rows lie kilobytes apart, and meet in few of its sets. (One Zen 3
// thread, AVX2, float32, time by that of 8 channels: pivots 0.86 to 1.03 of all forward, results 0.91 to 1.0, the
// gradient's sums 0.83 to 1.02 of all backward, its results 0.95 to 1.03, column 0.81 to 1.04; bfloat16 0.87 to 1.08.)
// Only where channels are whole lines: of the largest vector more would be left, which is read and stored under a mask.
// (One Zen 1 thread, AVX2, float32, time by that of lines everywhere, forward and backward: 8x40x16x16 0.52 and 0.39,
// 8x40x32x32 backward 0.34, 8x72x14x14 backward 0.59, 8x24x32x32 0.67 and 1.0, 16x33x16x16 0.77 and 0.68.)
inline int AcrossVector(const Halide::Type &math, const Halide::Target &target) {
  const int natural = target.natural_vector_size(math);
  return target.arch == Halide::Target::X86 ? std::max(natural, kLineBytes / math.bytes()) : natural;
}

// Calls schedule(stage, vector) for a result (s, c, n): for lines or whole registers of stored elements, `whole`, where
// the channels fill them, and for vectors of what is computed otherwise. (bfloat16, of which a register holds two
// vectors, one Zen 4 thread, y of 128 elements in L2: 15.5 ns by vectors, 9.9 by registers.)
template <typename F>
void ByRegisters(Halide::Func f, int vector, int whole, const F &schedule) {
  const Halide::Expr channels = f.output_buffers()[0].dim(1).extent();
  if (whole > vector) schedule(f.specialize(channels % whole == 0), whole);
  schedule(f, vector);
}

// The schedule of a result (s, c, n) made element by element: vectors across channels, some elements with the same
// numbers in registers at a time, rows more or less as they lie in memory.
inline void ElementsAcross(Halide::Stage f, const std::vector<Halide::Var> &args, int vector) {
  const Halide::Var s = args[0], c = args[1], n = args[2];
  Halide::Var so("so"), si("si"), co("co"), ci("ci");
  f.split(s, so, si, 8, Halide::TailStrategy::GuardWithIf)
      .split(c, co, ci, vector, Halide::TailStrategy::Predicate)
      .reorder(ci, si, co, so, n)
      .vectorize(ci)
      .never_partition(so);
}

// The same, element by element as they lie in memory.
inline void InOrderAcross(Halide::Stage f, const std::vector<Halide::Var> &args, int vector) {
  const Halide::Var s = args[0], c = args[1], n = args[2];
  Halide::Var co("co"), ci("ci");
  f.split(c, co, ci, vector, Halide::TailStrategy::Predicate).reorder(ci, co, s, n).vectorize(ci).never_partition(s, n);
}

// Whether a result (s, c, n) had better be made in memory's order: where its elements outgrow L2, or rows share few
// sets of L1. (One Zen 4 thread, AVX-512, float32, 128 elements of y, 8 rows at a time and in order: 64 channels in
// L2 9.0 and 10.7 ns, in L3 11.8 and 10.9, 512 channels in L3 16.0 and 12.0.)
inline Halide::Expr WantsOrder(const Halide::OutputImageParam &buffer) {
  constexpr int kOfL2 = 512 << 10, kFarApart = 2048;  // bytes
  const int bytes = buffer.type().bytes();
  const Halide::Expr row = buffer.dim(0).stride();
  return buffer.dim(0).extent() * row > kOfL2 / bytes || row >= kFarApart / bytes;
}

// The schedule of a result (s, c, n) made element by element, `in_order` or not; `by_case(stage)` gives a stage
// versions for what a call asks for.
template <typename F>
void ScheduleAcross(Halide::Func f, const Halide::Expr &in_order, int vector, int whole, const F &by_case) {
  ByRegisters(f, vector, whole, [&](Halide::Stage stage, int of) {
    Halide::Stage ordered = stage.specialize(in_order);
    InOrderAcross(ordered, f.args(), of);
    by_case(ordered);
    ElementsAcross(stage, f.args(), of);
    by_case(stage);
  });
}

// What results of whole lines are: rows of whole lines, of whole vectors.
inline void SetLines(const Halide::Func &f, int vector) {
  std::vector<Halide::OutputImageParam> buffers = f.output_buffers();
  for (Halide::OutputImageParam &buffer : buffers) {
    const int line = kLineBytes / buffer.type().bytes();
    buffer.set_host_alignment(kLineBytes);
    for (int i : {0, 2}) buffer.dim(i).set_stride(buffer.dim(i).stride() / line * line);
  }
  // (The others' are the same.)
  for (int i : {0, 1, 2}) buffers[0].dim(i).set_min(0);
  buffers[0].dim(1).set_extent(buffers[0].dim(1).extent() / vector * vector);
}

// Numbers (c, n) of up to `channels` planes, made once for the loop `at` instead of at every element.
inline void StageAcross(Halide::Func f, const Halide::LoopLevel &at, int channels, int vector) {
  const Halide::Var c = f.args()[0];
  f.compute_at(at).store_in(Halide::MemoryType::Stack).bound_storage(c, channels);
  f.vectorize(c, vector, Halide::TailStrategy::PredicateLoads);
}

}  // namespace haline

#endif  // HALINE_GENERATORS_LAYOUT_H_

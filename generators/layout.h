// Tensor layouts: the order of a tensor's elements in memory, and what a generator says of it to Halide.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_LAYOUT_H_
#define HALINE_GENERATORS_LAYOUT_H_

#include <map>
#include <string>

#include "Halide.h"

namespace haline {

// kPlanes: the elements of a plane lie side by side. kLast: the channels of an element do (channels-last), and a
// plane's elements have one stride. kRows: channels-last tensors of few channels, which would leave vectors across them
// nearly empty; where 16 elements of all planes, a row, lie side by side, a vector is any part of a row. The dimensions
// are (s, c, n) in all; for kRows c counts within the row that starts at element s of the first channel.
enum class Layout { kPlanes, kLast, kRows };

inline const std::map<std::string, Layout> kLayouts = {
    {"planes", Layout::kPlanes}, {"last", Layout::kLast}, {"rows", Layout::kRows}};

// Channels of a channels-last tensor that a call takes: their numbers are staged on the stack.
constexpr int kMostChannels = 512;  // of the element-wise kernels
constexpr int kMostSummed = 64;     // of those that sum; runtime/plan.h has the same numbers
constexpr int kMostRow = 512;       // numbers of a row: of up to 32 channels

template <typename F>
void SetLayout(F &f, Layout layout, int s = 0, int c = 1) {
  if (layout == Layout::kPlanes) return;
  f.dim(s).set_stride(Halide::Expr());
  f.dim(c).set_stride(1);
}

// The schedule of a result (s, c, n) made element by element: vectors across channels, some elements with the same
// numbers in registers at a time, rows more or less as they lie in memory.
inline void ElementsAcross(Halide::Func f, int vector) {
  const Halide::Var s = f.args()[0], c = f.args()[1], n = f.args()[2];
  Halide::Var so("so"), si("si"), co("co"), ci("ci");
  f.split(s, so, si, 8, Halide::TailStrategy::GuardWithIf)
      .split(c, co, ci, vector, Halide::TailStrategy::Predicate)
      .reorder(ci, si, co, so, n)
      .vectorize(ci)
      .never_partition(so);
}

// Numbers (c, n) of up to `channels` planes, made once for the loop `at` instead of at every element.
inline void StageAcross(Halide::Func f, const Halide::LoopLevel &at, int channels, int vector) {
  const Halide::Var c = f.args()[0];
  f.compute_at(at).store_in(Halide::MemoryType::Stack).bound_storage(c, channels);
  f.vectorize(c, vector, Halide::TailStrategy::PredicateLoads);
}

}  // namespace haline

#endif  // HALINE_GENERATORS_LAYOUT_H_

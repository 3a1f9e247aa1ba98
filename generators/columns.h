// How the kernels that make numbers of planes from their sums work on several planes at a time.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_COLUMNS_H_
#define HALINE_GENERATORS_COLUMNS_H_

#include "Halide.h"
#include "gpu.h"

namespace haline {

// The schedule of a kernel that makes `count` numbers (c, which, n) of each plane: `columns` makes them, from `total`,
// the sum over `blocks`. Vectors across planes: the square root and the divisions are what a small plane would spend
// its time on.
inline void ScheduleColumns(Halide::Func result, int count, Halide::Func columns, Halide::Func total,
                            const Halide::RDom &blocks, int vector) {
  const Halide::Var c = result.args()[0], which = result.args()[1], n = result.args()[2];
  Halide::Var co("co"), ci("ci");
  result.split(c, co, ci, vector, Halide::TailStrategy::RoundUp)
      .reorder(ci, which, co, n)
      .vectorize(ci)
      .bound(which, 0, count)
      .unroll(which);
  columns.compute_at(result, co).vectorize(c, vector);
  total.compute_at(result, co).vectorize(c, vector);
  total.update().reorder(c, blocks[0]).vectorize(c, vector);
}

// The same on GPUs: a thread for each plane, whose loop is given back.
inline Halide::LoopLevel ScheduleColumnsOnGpu(Halide::Func result, int count, Halide::Func columns,
                                              Halide::Func total) {
  const Halide::Var c = result.args()[0], which = result.args()[1], n = result.args()[2];
  result.bound(which, 0, count);
  const PlaneThreads threads(result, {which}, c, n, 64);
  columns.compute_at(result, threads.ci);
  total.compute_at(result, threads.ci);
  return Halide::LoopLevel(result, threads.ci);
}

}  // namespace haline

#endif  // HALINE_GENERATORS_COLUMNS_H_

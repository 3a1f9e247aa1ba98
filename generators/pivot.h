// A number near the mean of each plane, about which its statistics are summed:
//
//   pivot = x0 + mean(x - x0) over r runs of 16 elements spread over the plane, r = min(S / 16, 32)
//
// Exactly the constant of a constant plane; unharmed by an offset. Takes planes of at least 64 elements.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_PIVOT_H_
#define HALINE_GENERATORS_PIVOT_H_

#include <functional>
#include <memory>

#include "element.h"
#include "statistics.h"

namespace haline {

constexpr int kRun = kLanes, kMostRuns = 32;  // runtime/plan.h has the same numbers

class PlanePivot {
 public:
  // x(u, run): element u of a run of plane (c, n), in the type that is computed in; x(0, 0) is x0.
  PlanePivot(const std::function<Halide::Expr(Halide::Expr, Halide::Expr)> &x, const Halide::Expr &run_count,
             Element element, Halide::Var u, Halide::Var c, Halide::Var n) {
    using namespace Halide;
    first(c, n) = x(0, 0);
    run = RDom(0, run_count, "run");
    runs(u, c, n) = cast(MathType(element), 0);
    runs(u, c, n) += x(u, run) - first(c, n);
    tree = std::make_unique<LaneTree>(runs, "tree");
    value = cast<double>(first(c, n) + tree->Total({c, n})[0] / cast(MathType(element), run_count * kLanes));
  }

  Halide::Func first{"first"}, runs{"runs"};
  Halide::RDom run;
  std::unique_ptr<LaneTree> tree;
  Halide::Expr value;  // a function of c and n
};

}  // namespace haline

#endif  // HALINE_GENERATORS_PIVOT_H_

// The pivot of a plane, about which its statistics are summed: written here once, for the kernels that make it.
//
//   pivot = x0 + mean(x - x0) over r runs of 16 elements spread over the plane, r = min(S / 16, 32): PivotRuns
//
// Exactly the constant of a constant plane; unharmed by an offset. For planes of at least 64 elements.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_PIVOT_H_
#define HALINE_GENERATORS_PIVOT_H_

#include <functional>
#include <memory>
#include <utility>

#include "statistics.h"

namespace haline {

constexpr int kMostRuns = 32;  // runtime/plan.h has the same number

// Where the runs begin: each in a share of its own, and, once they are as many as there may be, each somewhere else in
// it. (At the same place of each, images of 2^k x 2^k would be sampled in their first columns alone, and up to two
// planes in three of what looks like photographs had pivots that float sums can't be made about: docs/numerics.md.)
struct PivotRuns {
  Halide::Expr count, step, places;  // places: in a share, whole runs apart, as lines are

  explicit PivotRuns(const Halide::Expr &size)
      : count(Halide::min(size / kLanes, kMostRuns)),
        step(size / count),
        places(Halide::select(count == kMostRuns, step / kLanes, 1)) {}
  PivotRuns(Halide::Expr count, Halide::Expr step, Halide::Expr places)
      : count(std::move(count)), step(std::move(step)), places(std::move(places)) {}

  Halide::Expr Start(const Halide::Expr &run) const {
    constexpr int kTurns = 509;  // a prime, so that no width divides it; times the most places, an int
    const Halide::Expr turn = 211 * (run * (run + 3) / 2) % kTurns;  // an order without a period
    return run * step + turn * places / kTurns * kLanes;
  }

  // The same of every run as a table, to be made once for all planes. (One Zen 3 thread, float32, time of 128x64x32x32
  // without: 1.02 to 1.04.)
  Halide::Func Table() const {
    const Halide::Var run("run");
    Halide::Func starts("starts");
    starts(run) = Start(run);
    return starts;
  }
  static void Schedule(Halide::Func starts) {
    starts.compute_root().store_in(Halide::MemoryType::Stack).bound_storage(starts.args()[0], kMostRuns);
  }
};

struct PlanePivot {
  Halide::Func first{"first"}, runs{"runs"};
  Halide::RDom run;
  std::unique_ptr<LaneTree> tree;
  Halide::Expr value;  // in the type of the samples

  // `x(u, run)` is element u of 16 of run `run` of `count`, of plane (c, n).
  PlanePivot(const std::function<Halide::Expr(Halide::Expr, Halide::Expr)> &x, const Halide::Expr &count, Halide::Var u,
             Halide::Var c, Halide::Var n)
      : run(0, count, "run") {
    first(c, n) = x(0, 0);
    const Halide::Type type = first.value().type();
    runs(u, c, n) = Halide::cast(type, 0);
    runs(u, c, n) += x(u, run) - first(c, n);
    tree = std::make_unique<LaneTree>(runs, "tree");
    value = first(c, n) + tree->Total({c, n})[0] / Halide::cast(type, count * kLanes);
  }

  // Vectors along the lanes, `unroll` runs a step; the runs of the planes that the loop `at` works on, and the tree of
  // each inside the loop `plane`.
  void Schedule(const Halide::LoopLevel &at, const Halide::LoopLevel &plane, int vector, int unroll = 1) {
    const Halide::Var u = runs.args()[0], c = runs.args()[1];
    runs.compute_at(at).bound(u, 0, kLanes).vectorize(u, vector).unroll(u).unroll(c);
    runs.update().reorder(u, c, run[0]).vectorize(u, vector).unroll(u).unroll(c);
    if (unroll > 1) runs.update().unroll(run[0], unroll);
    tree->Schedule(plane);
  }

  // Vectors across channels, the lanes of one vector in registers; inside the loop `at`.
  void ScheduleAcross(const Halide::LoopLevel &at, int vector) {
    const Halide::Var u = runs.args()[0], c = runs.args()[1];
    runs.compute_at(at).bound(u, 0, kLanes).reorder_storage(c, u).reorder(c, u).vectorize(c, vector).unroll(u);
    runs.update().reorder(c, u, run[0]).vectorize(c, vector).unroll(u);
  }
};

}  // namespace haline

#endif  // HALINE_GENERATORS_PIVOT_H_

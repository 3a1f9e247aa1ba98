// The pivot of a plane, about which its statistics are summed: written here once, for the kernels that make it.
//
//   pivot = x0 + mean(x - x0) over 16 r elements spread over the plane, r = min(S / 16, 32): PivotRuns
//
// Exactly the constant of a constant plane; unharmed by an offset. For planes of at least 64 elements.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_PIVOT_H_
#define HALINE_GENERATORS_PIVOT_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "statistics.h"

namespace haline {

constexpr int kMostRuns = 32;  // runtime/plan.h has the same numbers
constexpr int kHalfRun = kLanes / 2;

// Where the elements are: 8 of a run in one half of the run's share of the plane, 8 in the other; side by side, and
// somewhere else in each half that has several places. (At the same place of each, images of 2^k x 2^k would be sampled
// in their first columns alone; 16 side by side, one plane of photographs in a hundred got a pivot that float sums
// can't be made about: docs/numerics.md.)
struct PivotRuns {
  Halide::Expr count, step;

  explicit PivotRuns(const Halide::Expr &size) : PivotRuns(Halide::min(size / kLanes, kMostRuns), size) {}
  PivotRuns(Halide::Expr runs, const Halide::Expr &size) : count(std::move(runs)), step(size / count) {}

  Halide::Expr At(const Halide::Expr &run, const Halide::Expr &lane) const {
    return Start(run, lane / kHalfRun) + lane % kHalfRun;
  }

  // The same from a table of where they begin, to be made once for all planes. (One Zen 1 thread, float32, time of
  // 128x64x32x32 without: 1.02 to 1.04.)
  Halide::Expr At(const Halide::Func &table, const Halide::Expr &run, const Halide::Expr &lane) const {
    const Halide::Expr last = step * count - kHalfRun;
    return Halide::unsafe_promise_clamped(table(lane / kHalfRun, run), 0, last) + lane % kHalfRun;
  }
  Halide::Func Table() const {
    const Halide::Var half("half"), run("run");
    Halide::Func starts("starts");
    starts(half, run) = Start(run, half);
    return starts;
  }
  static void Schedule(Halide::Func starts) {
    starts.compute_root().store_in(Halide::MemoryType::Stack);
    starts.bound(starts.args()[0], 0, 2).bound_storage(starts.args()[1], kMostRuns);
  }

 private:
  Halide::Expr Start(const Halide::Expr &run, const Halide::Expr &half) const {
    // Up to 512 elements, where a share has 16 to 19, a run's lie all side by side: group.h and columns count on it.
    const Halide::Expr share = step / 4 * 2, places = share / kHalfRun;
    constexpr int kTurns = 509;  // a prime, so that no width divides it; times the most places, an int
    const Halide::Expr k = 2 * run + half, turn = 211 * (k * (k + 3) / 2) % kTurns;  // an order without a period
    return run * step + half * share + turn * places / kTurns * kHalfRun;
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
    vector = std::min(vector, kHalfRun);
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

// The sums of several small planes at a time, as pivot.h and statistics.h define them: the same bits in another order
// of work. Where the lanes of a plane are less than a vector, several planes share one, so that sixteen lanes become
// one sum with a sixth of the shuffles.
//
// A sum's first addition, to 0, comes last here, as all that it can change is the sign of a sum that is 0.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_GROUP_H_
#define HALINE_GENERATORS_GROUP_H_

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "statistics.h"
#include "turn.h"

namespace haline {

// How planes c are worked on: up to `planes` of them, groups of kGroup, for each iteration of the loop `at`.
struct GroupLoop {
  static constexpr int kGroup = 8;  // runtime/plan.h has the same number

  Halide::LoopLevel at;
  int planes;

  void Schedule(Halide::Func f, const Halide::Var &c, int vector) const {
    using Halide::TailStrategy;
    f.compute_at(at).store_in(Halide::MemoryType::Stack).bound_storage(c, planes);
    f.split(c, Halide::Var("co"), Halide::Var("ci"), vector, TailStrategy::RoundUp);
  }
};

// The sum over the lanes u of `f` (u, c, n), a tree as LaneTree's.
class GroupTree {
 public:
  GroupTree(const Halide::Func &f, const std::string &name) {
    using namespace Halide;
    const std::vector<Var> args = f.args();
    Func prev = f;
    for (int width = kLanes / 2; width >= 1; width /= 2) {
      Func halves(name + std::to_string(width) + "_halves"), level(name + std::to_string(width));
      const Var u = args[0], c = args[1], n = args[2];
      Exprs values = Values(prev, {u + half_ * width, c, n});
      for (Expr &e : values) e = Bits(e);
      halves(u, c, half_, n) = Tuple(values);
      const Exprs low = Values(halves, {u, c, 0, n}), high = Values(halves, {u, c, 1, n});
      Exprs sums;
      for (size_t i = 0; i < low.size(); i++) {
        const Type type = prev.types()[i];
        sums.push_back(reinterpret(type, low[i]) + reinterpret(type, high[i]));
      }
      level(u, c, n) = Tuple(sums);
      halves_.push_back(halves);
      levels_.push_back(level);
      prev = level;
    }
  }

  Exprs Total(const Halide::Var &c, const Halide::Var &n) const {
    Exprs total = Values(levels_.back(), {0, c, n});
    for (Halide::Expr &e : total) e = Halide::cast(e.type(), 0) + e;
    return total;
  }

  // Returns the loop over the vectors of the first level, for which the lanes are wanted.
  Halide::LoopLevel Schedule(const GroupLoop &loop, int vector) {
    const Halide::Var co("co"), ci("ci");
    for (size_t i = 0; i < levels_.size(); i++) {
      const int width = kLanes >> (i + 1), planes = std::clamp(vector / width, 1, GroupLoop::kGroup);
      Halide::Func level = levels_[i], halves = halves_[i];
      const Halide::Var u = level.args()[0], c = level.args()[1];
      loop.Schedule(level, c, planes);
      level.bound(u, 0, width).reorder(u, ci, co).vectorize(u, std::min(vector, width)).vectorize(ci);
      if (planes == 1) continue;
      // What a vector's sums are made from, sorted in registers.
      halves.compute_at(level, co).bound(u, 0, width).bound(half_, 0, 2).bound_extent(c, planes);
      halves.vectorize(u).vectorize(c).vectorize(half_);
    }
    return Halide::LoopLevel(levels_[0], co);
  }

 private:
  const Halide::Var half_{"half"};
  std::vector<Halide::Func> halves_, levels_;
};

// PlanePivot's value, of planes (c, n) of `size` elements x(s).
class GroupPivot {
 public:
  GroupPivot(const std::function<Halide::Expr(Halide::Expr)> &x, const Halide::Expr &size, int most_runs, Halide::Var c,
             Halide::Var n)
      : count_(Halide::min(size / kLanes, most_runs)), run_(1, count_ - 1, "run"), runs_(Runs(x, size, c, n)) {
    value = x(0) + tree_.Total(c, n)[0] / Halide::cast(x(0).type(), count_ * kLanes);
  }

  void Schedule(const GroupLoop &loop, int vector) {
    const Halide::Var u = runs_.args()[0], c = runs_.args()[1];
    runs_.compute_at(tree_.Schedule(loop, vector)).bound(u, 0, kLanes);
    runs_.reorder(u, c).vectorize(u, vector).unroll(u).unroll(c);
    runs_.update().reorder(u, c, run_[0]).vectorize(u, vector).unroll(u).unroll(c);
  }

  Halide::Expr value;

 private:
  Halide::Func Runs(const std::function<Halide::Expr(Halide::Expr)> &x, const Halide::Expr &size, Halide::Var c,
                    Halide::Var n) {
    const Halide::Var u("u");
    Halide::Func runs("runs");
    runs(u, c, n) = x(u) - x(0);
    runs(u, c, n) += x(run_ * (size / count_) + u) - x(0);
    return runs;
  }

  const Halide::Expr count_;
  const Halide::RDom run_;
  Halide::Func runs_;
  GroupTree tree_{runs_, "tree"};
};

// BlockSums' totals, of planes (c, n) of one block.
class GroupSums {
 public:
  GroupSums(const BlockSums::Terms &terms, const Halide::Expr &size, int chunk, Halide::Var c, Halide::Var n)
      : k_(1, size / chunk - 1, "k"), lanes_(Lanes(terms, size, chunk, c, n)) {}

  Exprs Total(const Halide::Var &c, const Halide::Var &n) const { return tree_.Total(c, n); }

  // Vectors of lanes, and, once they are added, of doubles.
  void Schedule(const GroupLoop &loop, int vector, int doubles) {
    const Halide::Var u = lanes_.args()[0];
    lanes_.compute_at(tree_.Schedule(loop, doubles)).bound(u, 0, kLanes).vectorize(u, vector).unroll(u);
    lanes_.update().reorder(u, k_[0]).vectorize(u, vector).unroll(u);
    for (size_t i = 0; i < tails_.size(); i++) {
      lanes_.update(1 + static_cast<int>(i)).reorder(u, tails_[i][0]).vectorize(u, vector).unroll(u);
    }
  }

 private:
  Halide::Func Lanes(const BlockSums::Terms &terms, const Halide::Expr &size, int chunk, Halide::Var c, Halide::Var n) {
    using namespace Halide;
    const Var u("u");
    Func lanes("lanes");
    const Expr counted = size / chunk * chunk;
    // The sums of `rows` rows of lanes that begin at `first`; the elements before `from` are 0.
    const auto sums = [&](const Expr &first, int rows, const Expr &from) {
      Exprs of_rows;
      for (size_t t = 0; t < terms(0).size(); t++) {
        of_rows.push_back(cast<double>(Tree(rows, [&](int i) {
          const Expr s = first + i * kLanes + u, e = terms(s)[t];
          return from.defined() ? select(s < from, cast(e.type(), 0), e) : e;
        })));
      }
      return of_rows;
    };
    const auto add = [&](const Exprs &more) {
      Exprs all = Values(lanes, {u, c, n});
      for (size_t t = 0; t < all.size(); t++) all[t] += more[t];
      lanes(u, c, n) = Tuple(all);
    };
    const int rows_of_chunk = chunk / kLanes;
    lanes(u, c, n) = Tuple(sums(0, rows_of_chunk, Expr()));
    add(sums(k_ * chunk, rows_of_chunk, Expr()));
    for (const Tail &t : Tails(size, chunk, true)) {
      tails_.emplace_back(0, 1, "tail");
      tails_.back().where(t.wanted);
      add(sums(size - t.rows * kLanes + tails_.back(), t.rows, counted));
    }
    return lanes;
  }

  const Halide::RDom k_;
  std::vector<Halide::RDom> tails_;
  Halide::Func lanes_;
  GroupTree tree_{lanes_, "lane_tree"};
};

}  // namespace haline

#endif  // HALINE_GENERATORS_GROUP_H_

// The sums over a plane: the roundings that haline's statistics make. docs/numerics.md derives the error bound from
// these lines; a schedule may reorder loops, never a sum. (group.h and resident.h make the same sums in pieces of other
// sizes, where a schedule alone can't; the tests' tables of hashes hold them to these.)
//
//   lane u    16 lanes; a chunk of K elements gives each lane K / 16 elements, added as a binary tree in float
//   block     16,384 elements: the chunks' lane sums, added one after the other in double, then a tree over lanes
//   plane     the blocks' sums, added one after the other in double (coefficients_generator.cpp)
//
// Where K does not divide S, the last chunk is the plane's last K elements, those already counted replaced by zero:
// full vectors everywhere, and an order that depends on S alone.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_STATISTICS_H_
#define HALINE_GENERATORS_STATISTICS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "Halide.h"
#include "gpu.h"
#include "layout.h"

namespace haline {

using Exprs = std::vector<Halide::Expr>;

constexpr int kLanes = 16;
constexpr int kTiny = 64;      // planes of fewer elements go to the wide kernels' one-lane form
constexpr int kBlock = 16384;  // elements; runtime/plan.h has the same numbers

// ((v0 + v1) + (v2 + v3)) + ...: a binary tree over `count` (a power of two) values.
inline Halide::Expr Tree(int count, const std::function<Halide::Expr(int)> &value, int first = 0) {
  if (count == 1) return value(first);
  return Tree(count / 2, value, first) + Tree(count / 2, value, first + count / 2);
}

// f's values at `args`, whether it has one or several.
inline Exprs Values(const Halide::Func &f, const Exprs &args) {
  if (f.outputs() == 1) return {f(args)};
  Exprs values;
  for (int i = 0; i < f.outputs(); i++) values.push_back(f(args)[i]);
  return values;
}

// The sum over the lanes of `f`, whose first argument is the lane: f(u) + f(u + 8), then + 4, 2, 1.
struct LaneTree {
  std::vector<Halide::Func> levels;

  LaneTree(const Halide::Func &f, const std::string &name) {
    Halide::Func prev = f;
    const std::vector<Halide::Var> args = f.args();
    const Exprs low(args.begin(), args.end());
    for (int width = kLanes / 2; width >= 1; width /= 2) {
      Halide::Func next(name + std::to_string(width));
      Exprs high = low;
      high[0] = low[0] + width;
      Exprs sums = Values(prev, low);
      for (size_t i = 0; i < sums.size(); i++) sums[i] += Values(prev, high)[i];
      next(args) = Halide::Tuple(sums);
      levels.push_back(next);
      prev = next;
    }
  }

  // The sums, at the arguments after the lane.
  Exprs Total(Exprs at) const {
    at.insert(at.begin(), 0);
    return Values(levels.back(), at);
  }

  void Schedule(const Halide::LoopLevel &at) {
    int width = kLanes;
    for (Halide::Func &level : levels) {
      width /= 2;
      const Halide::Var u = level.args()[0];
      level.compute_at(at).bound(u, 0, width);
      if (width > 1) level.vectorize(u, width);
    }
  }
};

// The last rows of lanes of a plane, and when they are what is added for its tail chunk: all of the chunk, or, of
// `short_tails`, as few (1, 2, 4, ...) as have what is not counted yet. The sums of the others are 0. (One Zen 1
// thread, AVX2, float32, time by that of all of it, forward and backward: 65 elements 0.82 and 0.88, 80 0.85 and 0.87,
// 81 0.89 and 0.93, 129 0.90 and 0.91, 260 0.92 and 0.93; where half a chunk and more is left, 0.99 and 1.03.)
struct Tail {
  int rows;
  Halide::Expr wanted;
};
inline std::vector<Tail> Tails(const Halide::Expr &size, int chunk, bool short_tails) {
  const Halide::Expr left = size % chunk;
  std::vector<Tail> tails;
  int least = 0;
  for (int rows = short_tails ? 1 : chunk / kLanes; rows * kLanes <= chunk; rows *= 2) {
    tails.push_back({rows, left > least && left <= rows * kLanes});
    least = rows * kLanes;
  }
  return tails;
}

// The sums of several terms over the blocks of planes. A term is a function of the element's index s; `terms(s)` lists
// those of one element, in float (in double for float64 tensors).
class BlockSums {
 public:
  using Terms = std::function<Exprs(Halide::Expr s)>;

  // Total(b, c, n) are the sums of `terms` over block b. `size` is the number of elements of a plane, >= `chunk`.
  // `meanwhile(chunk)` is 0, and done once for each whole chunk. `row`: the channels that rows of Layout::kRows are of;
  // c is within such a row then, and there is one lane. `short_tails`: see Tails; not of rows.
  BlockSums(const Terms &terms, const Halide::Expr &size, int chunk, Halide::Var b, Halide::Var c, Halide::Var n,
            const std::function<Halide::Expr(Halide::Expr)> &meanwhile = nullptr,
            const Halide::Expr &row = Halide::Expr(), bool short_tails = false)
      : at_{u_, b, c, n}, rows_(row.defined()) {
    using namespace Halide;
    const Expr full = size / chunk;  // whole chunks
    const int chunks_per_block = kBlock / chunk;
    const size_t count = terms(0).size();
    lanes_(at_) = Tuple(Exprs(count, cast<double>(0)));

    k_ = RDom(0, chunks_per_block, "k");
    k_.where(b * chunks_per_block + k_ < full);
    // Bounds inference does not see that through the blocks' loop.
    Expr index = min(b * chunks_per_block + k_, full - 1);
    if (meanwhile) index = unsafe_promise_clamped(index + meanwhile(index), 0, full - 1);
    Add(count, chunk, [&](int i) { return terms(index * chunk + i * kLanes + u_); });

    // The tail chunk belongs to the last block.
    for (const Tail &t : Tails(size, chunk, short_tails)) {
      tails_.emplace_back(0, 1, "tail");
      tails_.back().where(t.wanted && b == (full - 1) / chunks_per_block);
      Add(count, t.rows * kLanes, [&](int i) {
        const Expr s = size - t.rows * kLanes + tails_.back() + i * kLanes + u_;
        Exprs values = terms(s);
        const Expr counted = rows_ ? s * row + c < full * chunk * row : s < full * chunk;
        for (Expr &e : values) e = select(counted, cast(e.type(), 0), e);
        return values;
      });
    }
    Func lanes = lanes_;
    if (rows_) {
      lanes = Func("lanes_of_rows");
      lanes(at_) = Tuple(Values(lanes_, {0, b, u_ * row + c, n}));
    }
    tree_ = std::make_unique<LaneTree>(lanes, "lane_tree");
  }

  Exprs Total(const Halide::Expr &b, const Halide::Var &c, const Halide::Var &n) const {
    return tree_->Total({b, c, n});
  }

  // Vectors along the lanes, `unroll` chunks a step; all of it inside the loop `at`.
  void Schedule(const Halide::LoopLevel &at, int vector, int unroll = 1) {
    lanes_.compute_at(at).bound(u_, 0, kLanes).vectorize(u_, vector).unroll(u_);
    lanes_.update(0).reorder(u_, k_[0]).vectorize(u_, vector).unroll(u_);
    if (unroll > 1) lanes_.update(0).unroll(k_[0], unroll);
    for (int i = 1; i < lanes_.num_update_definitions(); i++) {
      lanes_.update(i).reorder(u_, Step(i)).vectorize(u_, vector).unroll(u_);
    }
    tree_->Schedule(at);
  }

  // For `sums` (c, which, b, n), which takes `count` of them: the blocks of planes are blocks. `across`: where channels
  // lie side by side.
  void ScheduleOnGpu(Halide::Func sums, int count, const Halide::Expr &across) {
    const Halide::Var c = sums.args()[0], which = sums.args()[1], b = sums.args()[2], n = sums.args()[3];
    sums.bound(which, 0, count);
    const auto blocks = [&](Halide::Stage stage, int planes) {
      Halide::Var co("co"), ci("ci");
      stage.split(c, co, ci, planes, Halide::TailStrategy::GuardWithIf)
          .reorder(which, ci, b, co, n)
          .unroll(which)
          .gpu_threads(ci)
          .gpu_blocks(b, co, n);
    };
    blocks(sums.specialize(across), kGpuChannels);
    blocks(sums, kGpuPlanes);
    ScheduleLanes(lanes_, Halide::LoopLevel(sums, b), c, kLanes, across);
  }

  // Vectors across channels: for channels-last tensors, whose neighbours in memory are the same element of all planes.
  // A chunk's trees are vertical, and the lanes of kMostSummed channels, 16 KiB for two terms, stay in L1. Inside the
  // loop `at`, which has those channels. Where the `channels` fill them, `wide` vectors.
  void ScheduleAcross(const Halide::LoopLevel &at, int vector, int wide, const Halide::Expr &channels, bool masks) {
    using Halide::TailStrategy;
    const Halide::Var b = lanes_.args()[1], c = lanes_.args()[2], n = lanes_.args()[3];
    lanes_.compute_at(at).bound(u_, 0, kLanes).bound_storage(c, kMostSummed).reorder_storage(c, u_, b, n);
    lanes_.reorder(c, u_).vectorize(c, vector, TailStrategy::RoundUp);
    // Guarded: nothing past the last channel may be read.
    const auto by = [&](Halide::Stage stage, int of, int i) {
      Halide::Var co("co"), ci("ci");
      stage.split(c, co, ci, of, TailStrategy::PredicateLoads).reorder(ci, co, u_, Step(i)).vectorize(ci);
      if (i == 0) return;
      // (A tail runs once for a plane: its loops in one piece.)
      stage.never_partition(u_);
      if (masks) stage.never_partition(co);
    };
    if (wide > vector) {
      wide_.push_back(lanes_.update(0).specialize(channels % wide == 0));
      by(wide_.back(), wide, 0);
    }
    for (int i = 0; i < lanes_.num_update_definitions(); i++) by(lanes_.update(i), vector, i);
  }

  // The sums of each lane, (lane, b, c, n): a result of its own, of any of the lanes.
  Halide::Func Lanes() const { return lanes_; }

  // Their schedule, vectors across channels, whose numbers in `staged` are made once; `wide` ones as above.
  void ScheduleLanesAcross(Halide::Func staged, int vector, int wide) {
    using Halide::TailStrategy;
    const Halide::Var b = lanes_.args()[1], c = lanes_.args()[2], n = lanes_.args()[3];
    for (Halide::OutputImageParam result : lanes_.output_buffers()) {
      result.dim(0).set_stride(Halide::Expr());
      result.dim(2).set_stride(1);
    }
    Halide::Var co("co"), ci("ci");
    lanes_.split(c, co, ci, vector, TailStrategy::Predicate).reorder(ci, co, u_, b, n).vectorize(ci);
    const auto by = [&](Halide::Stage stage, int of, int i) {
      stage.split(c, co, ci, of, TailStrategy::Predicate).reorder(ci, co, u_, Step(i), b, n).vectorize(ci);
      if (i > 0) stage.never_partition(u_, co);
    };
    for (int i = 0; i < lanes_.num_update_definitions(); i++) {
      if (wide > vector) {
        wide_.push_back(lanes_.update(i).specialize(lanes_.output_buffers()[0].dim(2).extent() % wide == 0));
        by(wide_.back(), wide, i);
      }
      by(lanes_.update(i), vector, i);
    }
    StageAcross(staged, Halide::LoopLevel(lanes_, n), kMostBoxed, vector);
  }

  // Vectors across channels, one of them inside the loop `at`: a lane's sums stay in registers.
  void ScheduleColumn(const Halide::LoopLevel &at, int vector) {
    const Halide::Var c = lanes_.args()[2];
    Halide::Func kept = lanes_.in();
    kept.compute_at(at).bound(u_, 0, kLanes).reorder_storage(c, u_).reorder(c, u_).vectorize(c, vector);
    lanes_.compute_at(kept, u_).vectorize(c, vector);
    for (int i = 0; i < lanes_.num_update_definitions(); i++) {
      lanes_.update(i).reorder(c, Step(i)).vectorize(c, vector);
    }
  }

  // Vectors along rows of `row` channels.
  void ScheduleRows(const Halide::LoopLevel &at, int vector, const Halide::Expr &row) {
    using Halide::TailStrategy;
    const Halide::Var b = lanes_.args()[1], c = lanes_.args()[2], n = lanes_.args()[3];
    lanes_.compute_at(at).bound(u_, 0, 1).bound(c, 0, row * kLanes).bound_storage(c, kMostRow);
    lanes_.reorder_storage(c, u_, b, n).vectorize(c, vector, TailStrategy::RoundUp);
    Halide::Var co("co"), ci("ci");
    for (int i : {0, 1}) {
      lanes_.update(i).split(c, co, ci, vector, TailStrategy::RoundUp).reorder(ci, u_, co, Step(i)).vectorize(ci);
    }
  }

  // Where what is done meanwhile belongs.
  Halide::LoopLevel EachChunk() { return Halide::LoopLevel(lanes_, k_[0]); }

  // A version of its own for calls where `condition` holds. After Schedule.
  void Specialize(const Halide::Expr &condition) {
    for (Halide::Stage &stage : wide_) stage.specialize(condition);
    for (int i = 0; i < lanes_.num_update_definitions(); i++) lanes_.update(i).specialize(condition);
  }

 private:
  // One chunk more: a tree over its vectors in the terms' type, then onto the lanes in double.
  void Add(size_t count, int chunk, const std::function<Exprs(int)> &vector) {
    Exprs sums = Values(lanes_, at_);
    for (size_t t = 0; t < count; t++) {
      sums[t] += Halide::cast<double>(Tree(chunk / kLanes, [&](int i) { return vector(i)[t]; }));
    }
    lanes_(at_) = Halide::Tuple(sums);
  }

  // The loop of an update of lanes_: over whole chunks, or a tail's.
  Halide::RVar Step(int update) const { return update == 0 ? k_[0] : tails_[update - 1][0]; }

  Halide::Var u_{"u"};
  Exprs at_;
  bool rows_;
  Halide::RDom k_;
  std::vector<Halide::RDom> tails_;
  Halide::Func lanes_{"lanes"};
  std::vector<Halide::Stage> wide_;  // of lanes_'s updates, for channels that fill wide vectors
  std::unique_ptr<LaneTree> tree_;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_STATISTICS_H_

// GPU kernels that read a plane once: what the fused kernels share. Planes lie in a block's shared memory, where
// threads share each step: a copy of the elements, the sums of chunks (statistics.h), lanes, numbers of planes,
// results.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_RESIDENT_H_
#define HALINE_GENERATORS_RESIDENT_H_

#include <memory>
#include <string>

#include "element.h"
#include "gpu.h"
#include "statistics.h"

namespace haline {

// The planes of a block and the threads of each; a warp or more.
struct ResidentShape {
  int planes, threads;
};

// Small chunks: 8 planes of 64 to 511 elements, a warp each. Else a block for each plane.
inline ResidentShape ResidentShapeOf(int chunk) { return chunk < 128 ? ResidentShape{8, 32} : ResidentShape{1, 256}; }

// The schedule of a kernel's results, both of them updates: `result` (s, c, n) and `numbers` (c, which, n).
class ResidentSchedule {
 public:
  ResidentSchedule(Halide::Func result, Halide::Func numbers, int chunk, Halide::Var c, Halide::Var n)
      : shape_(ResidentShapeOf(chunk)), block_(numbers, Halide::RVar("co")), c_(c), n_(n) {
    using Halide::RVar, Halide::TailStrategy;
    RVar co("co"), ci("ci"), nn("nn"), so("so"), si("si");
    std::vector<RVar> r = numbers.rvars();
    numbers.update()
        .split(r[1], co, ci, shape_.planes, TailStrategy::GuardWithIf)
        .rename(r[2], nn)
        .reorder({r[0], ci, co, nn})
        .unroll(r[0])
        .gpu_threads(ci)
        .gpu_blocks(co, nn);
    r = result.rvars();
    result.update()
        .split(r[1], co, ci, shape_.planes, TailStrategy::GuardWithIf)
        .rename(r[2], nn)
        .split(r[0], so, si, shape_.threads, TailStrategy::GuardWithIf)
        .reorder({so, si, ci, co, nn})
        .gpu_threads(si, ci)
        .gpu_blocks(co, nn);
    result.update().compute_with(numbers.update(), co);
  }

  // f(i, ..., c, n) in shared memory: its first argument, or that one fused with the second, over a plane's threads.
  void Threads(Halide::Func f, bool fuse = false) {
    Halide::Var i = f.args()[0], io("io"), ii("ii");
    if (fuse) f.fuse(i, f.args()[1], i);
    f.split(i, io, ii, shape_.threads, Halide::TailStrategy::GuardWithIf).reorder(io, ii, c_).gpu_threads(ii, c_);
    Bound(f.compute_at(block_));
  }

  // f(u, c, n), a plane's lanes.
  void Lanes(Halide::Func f) {
    ScheduleLanes(f, block_, c_, kLanes);
    Bound(f.in());
  }

  // f(c, n), in shared memory, and those that are made on its way.
  void Numbers(Halide::Func f, const std::vector<Halide::Func> &inside) {
    Bound(f.compute_at(block_).gpu_threads(c_));
    for (Halide::Func g : inside) g.compute_at(f, c_);
  }

 private:
  // Else the host would look for the largest extents of all blocks, block by block, as bounds inference does not see
  // that they are alike.
  void Bound(Halide::Func f) { f.bound_extent(c_, shape_.planes).bound_extent(n_, 1); }

  const ResidentShape shape_;
  const Halide::LoopLevel block_;
  const Halide::Var c_, n_;
};

// The sums of BlockSums for planes of one block, each chunk's trees side by side.
class ResidentSums {
 public:
  ResidentSums(const BlockSums::Terms &terms, const Halide::Expr &size, int chunk, Halide::Var c, Halide::Var n) {
    using namespace Halide;
    const size_t count = terms(0).size();
    // The tail chunk is the last of them, with what was counted before replaced by zero.
    const Expr whole = size / chunk, chunks_of_plane = (size + chunk - 1) / chunk;
    const Expr start = min(k_ * chunk, size - chunk);
    Exprs sums;
    for (size_t t = 0; t < count; t++) {
      sums.push_back(Tree(chunk / kLanes, [&](int i) {
        const Expr s = start + i * kLanes + u_;
        const Expr e = terms(s)[t];
        return select(s >= k_ * chunk, e, cast(e.type(), 0));
      }));
    }
    chunks(u_, k_, c, n) = Tuple(sums);

    lanes(u_, c, n) = Tuple(Exprs(count, cast<double>(0)));
    const RDom k(0, chunks_of_plane, "k");
    Exprs added = Values(lanes, {u_, c, n});
    for (size_t t = 0; t < count; t++) added[t] += cast<double>(Values(chunks, {u_, k, c, n})[t]);
    lanes(u_, c, n) = Tuple(added);
    tree_ = std::make_unique<LaneTree>(lanes, "lane_tree");
    total(c, n) = Tuple(tree_->Total({c, n}));
  }

  void Schedule(ResidentSchedule *schedule) {
    chunks.bound(u_, 0, kLanes);
    schedule->Threads(chunks, true);
    schedule->Lanes(lanes);
  }

  Halide::Func chunks{"chunks"}, lanes{"lanes"}, total{"total"};

 private:
  Halide::Var u_{"u"}, k_{"k"};
  std::unique_ptr<LaneTree> tree_;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_RESIDENT_H_

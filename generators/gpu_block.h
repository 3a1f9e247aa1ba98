// GPU kernels that do all that is done with some planes: a block of threads for a few planes, whose elements or numbers
// lie in its shared memory, where its threads share each step.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_GPU_BLOCK_H_
#define HALINE_GENERATORS_GPU_BLOCK_H_

#include <vector>

#include "gpu.h"
#include "statistics.h"

namespace haline {

// How a block's threads share the elements of its planes. kRows: some threads for each plane. kEach: all threads for
// one plane after the other, most of which are none of the kernel's. kFlat: all threads for all planes, as they lie.
struct BlockShape {
  enum { kRows, kEach, kFlat } order;
  int planes, threads;  // of a block; of a plane (kRows), or of all
};

// The schedule of a kernel's results, both of them updates: `result` (s, c, n) and `numbers` (c, which, n).
class BlockSchedule {
 public:
  BlockSchedule(Halide::Func result, Halide::Func numbers, const BlockShape &shape, Halide::Var c, Halide::Var n)
      : shape_(shape), block_(numbers, Halide::RVar("co")), c_(c), n_(n) {
    using Halide::RVar, Halide::TailStrategy;
    RVar co("co"), ci("ci"), nn("nn"), so("so"), si("si"), st("st");
    std::vector<RVar> r = numbers.rvars();
    numbers.update()
        .split(r[1], co, ci, shape.planes, TailStrategy::GuardWithIf)
        .rename(r[2], nn)
        .reorder({r[0], ci, co, nn})
        .unroll(r[0])
        .gpu_threads(ci)
        .gpu_blocks(co, nn);
    r = result.rvars();
    Halide::Stage stage = result.update();
    stage.split(r[1], co, ci, shape.planes, TailStrategy::GuardWithIf).rename(r[2], nn);
    if (shape.order == BlockShape::kFlat) {
      stage.fuse(r[0], ci, si).split(si, so, si, shape.threads, TailStrategy::GuardWithIf);
      stage.reorder({so, si, co, nn}).gpu_threads(si);
    } else if (shape.order == BlockShape::kRows) {
      stage.split(r[0], so, si, shape.threads, TailStrategy::GuardWithIf).reorder({so, si, ci, co, nn});
      stage.gpu_threads(si, ci);
    } else {
      stage.split(r[0], so, si, shape.threads, TailStrategy::GuardWithIf).split(si, st, si, kWarp);
      stage.reorder({so, ci, si, st, co, nn}).gpu_threads(si, st);
    }
    stage.gpu_blocks(co, nn);
    stage.compute_with(numbers.update(), co);
  }

  // f(s, c, n), or (c, s, n), in shared memory: the elements as they lie.
  void Elements(Halide::Func f, const Halide::Var &s) {
    if (shape_.order == BlockShape::kFlat) return Fused(f, s, c_);
    Halide::Var so("so"), si("si");
    f.split(s, so, si, shape_.threads, Halide::TailStrategy::GuardWithIf).reorder(so, si, c_).gpu_threads(si, c_);
    Bound(f);
  }

  // f, two of whose arguments are one loop, over a plane's threads.
  void Fused(Halide::Func f, const Halide::Var &inner, const Halide::Var &outer) {
    Halide::Var i("i"), io("io"), ii("ii");
    f.fuse(inner, outer, i).split(i, io, ii, shape_.threads, Halide::TailStrategy::GuardWithIf);
    if (shape_.order == BlockShape::kFlat) {
      f.reorder(io, ii).gpu_threads(ii);
    } else {
      f.reorder(io, ii, c_).gpu_threads(ii, c_);
    }
    Bound(f);
  }

  // f(u, c, n), a plane's lanes.
  void Lanes(Halide::Func f) {
    ScheduleLanes(f, block_, c_, kLanes);
    Bound(f.in());
  }

  // f(c, n), in shared memory, and those that are made on its way.
  void Numbers(Halide::Func f, const std::vector<Halide::Func> &inside) {
    f.gpu_threads(c_);
    if (f.has_update_definition()) f.update().gpu_threads(c_);
    Bound(f);
    for (Halide::Func g : inside) g.compute_at(f, c_);
  }

 private:
  static constexpr int kWarp = 32;

  // Else the host would look for the largest extents of all blocks, block by block, as bounds inference does not see
  // that they are alike.
  void Bound(Halide::Func f) { f.compute_at(block_).bound_extent(c_, shape_.planes).bound_extent(n_, 1); }

  const BlockShape shape_;
  const Halide::LoopLevel block_;
  const Halide::Var c_, n_;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_GPU_BLOCK_H_

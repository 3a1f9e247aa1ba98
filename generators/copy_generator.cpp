// A copy, for GPUs: planes that no kernel takes, to and from contiguous scratch memory. Elements are moved as integers.
// Compiled with 64-bit indices (large_buffers).
#include "gpu.h"

namespace haline {
using namespace Halide;

class Copy : public KernelGenerator<Copy> {
 public:
  Input<Buffer<void, 6>> from{"from"};  // (s0, s1, s2, s3, c, n): element s of a plane is (s0, .., s3), s0 innermost
  Input<int> first{"first"}, count{"count"};  // of s0
  Output<Buffer<void, 6>> to{"to"};           // the same elements; any strides

  void configure() { AddInputs(0); }

  void generate() {
    std::vector<UpdateLoop> loops = {{s[0], first, count}};
    for (int i = 1; i < 4; i++) loops.push_back({s[i], 0, from.dim(i).extent()});
    Define(to, {s[0], s[1], s[2], s[3], c, n}, from(s[0], s[1], s[2], s[3], c, n), loops, c, n);
  }

  void schedule() {
    const std::vector<RVar> r = Func(to).rvars();
    RVar so("so"), si("si"), inner("inner"), row("row"), block("block");
    to.update()
        .split(r[0], so, si, 64, TailStrategy::GuardWithIf)
        .fuse(r[1], r[2], inner)
        .fuse(inner, r[3], row)
        .fuse(so, row, block)
        .reorder(si, block, r[4], r[5])
        .gpu_threads(si)
        .gpu_blocks(block, r[4], r[5]);
    FinishGpuSchedule(from, to);
  }

 private:
  Var s[4], c{"c"}, n{"n"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Copy, haline_copy)

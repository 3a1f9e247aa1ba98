// The moments of two tiles together, for GPUs; runtime/merge.cpp is the same for processors, and says how tiles are
// paired. The first tile has the more elements, or as many.
#include "gpu.h"

namespace haline {
using namespace Halide;

class Merge : public KernelGenerator<Merge> {
 public:
  Input<Buffer<double, 1>> mean_a{"mean_a"}, m2_a{"m2_a"}, mean_b{"mean_b"}, m2_b{"m2_b"};  // (plane)
  Input<double> count_a{"count_a"}, count_b{"count_b"};
  Output<Buffer<double, 2>> merged{"merged"};  // (plane, {mean, M2})

  void generate() {
    const Expr count = count_a + count_b, swapped = count_a == count_b && mean_b(p) > mean_a(p);
    const Expr mean = select(swapped, mean_b(p), mean_a(p));
    const Expr delta = select(swapped, mean_a(p), mean_b(p)) - mean;
    const Expr m2 = (m2_a(p) + m2_b(p)) + delta * delta * (count_a * (count_b / count));
    merged(p, which) = mux(which, {mean + delta * (count_b / count), m2});
  }

  void schedule() {
    Var po("po"), pi("pi");
    merged.dim(1).set_bounds(0, 2);
    merged.bound(which, 0, 2).gpu_tile(p, po, pi, 64, TailStrategy::GuardWithIf).reorder(which, pi, po).unroll(which);
    FinishGpuSchedule();
  }

 private:
  Var p{"p"}, which{"which"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Merge, haline_merge)

// Sums over the samples in their order, for GPUs: the gradients of scale and shift, and running statistics.
#include "gpu.h"

namespace haline {
using namespace Halide;

class Samples : public KernelGenerator<Samples> {
 public:
  Input<Buffer<double, 2>> values{"values"};  // (c, n)
  Input<Buffer<double, 1>> old{"old"};        // (c)
  Input<double> keep{"keep"}, gain{"gain"}, count{"count"};
  Input<bool> running{"running"};
  Output<Buffer<double, 1>> result{"result"};  // (c): the sum, or running: keep * old + gain * (the sum / count)

  void generate() {
    RDom n(0, values.dim(1).extent(), "n");
    sum(c) = cast<double>(0);
    sum(c) += values(c, n);
    result(c) = select(running, keep * old(c) + gain * (sum(c) / count), sum(c));
  }

  void schedule() {
    values.dim(1).set_min(0);
    Var co("co"), ci("ci");
    result.gpu_tile(c, co, ci, 64, TailStrategy::GuardWithIf);
    sum.compute_at(result, ci);
    FinishGpuSchedule(values, old);
  }

 private:
  Var c{"c"};
  Func sum{"sum"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Samples, haline_samples)

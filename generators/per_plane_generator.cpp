// Numbers of planes, for GPUs: from one type to another, as runtime/element.h does it for processors.
#include "element.h"
#include "gpu.h"

namespace haline {
using namespace Halide;

class PerPlane : public KernelGenerator<PerPlane> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};  // of `to`
  GeneratorParam<Element> source{"source", Element::kF64, kElements};    // of `from`

  Input<Buffer<void, 2>> from{"from"};  // (c, n), any strides
  Input<double> factor{"factor"};
  Input<int> form{"form"};           // 0: times the factor; 1: 1 / value^2, of 0 it is 0; 2: the factor itself
  Output<Buffer<void, 2>> to{"to"};  // (c, n), any strides

  void configure() { AddInputs(0); }

  void generate() {
    const Expr value = cast<double>(Load(from(c, n), source, get_target()));
    const Expr result =
        select(form == 0, value * factor, form == 1, select(value == 0, 0, 1 / (value * value)), factor);
    Define(to, {c, n}, Store(OneNan(cast(MathType(element), result)), element, get_target()), {}, c, n);
  }

  void schedule() {
    const std::vector<RVar> r = Func(to).rvars();
    RVar co("co"), ci("ci");
    to.update().gpu_tile(r[0], co, ci, 64, TailStrategy::GuardWithIf).gpu_blocks(co, r[1]);
    FinishGpuSchedule(from, to);
  }

 private:
  Var c{"c"}, n{"n"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::PerPlane, haline_per_plane)

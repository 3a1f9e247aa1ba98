// From the gradient's sums to the numbers that make dx, and to the plane's shares: see gradient_numbers.h.
#include "columns.h"
#include "estimates.h"
#include "gpu.h"
#include "gradient_numbers.h"

namespace haline {
using namespace Halide;

class GradientCoefficients : public KernelGenerator<GradientCoefficients> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> vector{"vector", 0};  // schedule: planes of a vector, up to 8; 0: a register of doubles

  // Scratch memory, c padded to a multiple of 8.
  Input<Buffer<double, 4>> sums{"sums"};  // (c, {g, g * d, d}, block, n)
  Input<Buffer<double, 2>> mean{"mean"};  // (c, n)
  Input<Buffer<double, 2>> rstd{"rstd"};  // (c, n)
  Input<Buffer<void, 2>> scale{"scale"};  // (c, n)
  Input<double> count{"count"};           // elements of a plane
  Input<bool> frozen{"frozen"};
  Output<Buffer<double, 3>> gradient{"gradient"};  // (c, {A, B, E, fast, dshift, dscale}, n)

  void generate() {
    block = RDom(0, sums.dim(2).extent(), "block");
    total(c, n) = Tuple(Exprs(3, cast<double>(0)));
    Exprs added = Values(total, {c, n});
    for (int i = 0; i < 3; i++) added[i] += sums(c, i, block, n);
    total(c, n) = Tuple(added);

    const Expr gain = cast<double>(scale(min(likely(c), scale.dim(0).max()), n));
    columns(c, n) = Tuple(GradientNumbers(element, Values(total, {c, n}), mean(c, n), rstd(c, n), gain, count, frozen));
    gradient(c, which, n) = mux(which, Values(columns, {c, n}));
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    sums.dim(1).set_bounds(0, 3);
    sums.dim(2).set_min(0);
    gradient.dim(1).set_bounds(0, 6);
    if (gpu()) {
      ScheduleColumnsOnGpu(gradient, 6, columns, total);
      return FinishGpuSchedule(mean, rstd, scale);
    }
    sums.dim(0).set_min(0);
    mean.dim(0).set_min(0);
    rstd.dim(0).set_min(0);
    gradient.dim(0).set_min(0);
    ScheduleColumns(gradient, 6, columns, total, block, vector > 0 ? int(vector) : natural_vector_size<double>());
  }

 private:
  Var c{"c"}, n{"n"}, which{"which"};
  RDom block;
  Func total{"total"}, columns{"columns"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::GradientCoefficients, haline_gradient_coefficients)

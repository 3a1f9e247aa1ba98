// From the gradient's sums to the three numbers that make dx = (g * A + d * B) + E, and to the plane's share of the
// gradients of shift and scale. With xhat = (d - lo) * rstd, where lo is what rounding the mean to float left of it:
//
//   dshift = sum(g)      dscale = sum(g * xhat)      dx = scale * rstd * (g - dshift / S - xhat * dscale / S)
//
// as in Ioffe and Szegedy, "Batch Normalization", 2015, section 3, for one plane. With frozen statistics, which do not
// depend on x, dx = scale * rstd * g.
#include "element.h"
#include "estimates.h"
#include "gpu.h"
#include "statistics.h"

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
    const auto rounded = [&](const Expr &e) { return cast<double>(cast(MathType(element), e)); };
    block = RDom(0, sums.dim(2).extent(), "block");
    total(c, n) = Tuple(Exprs(3, cast<double>(0)));
    Exprs added = Values(total, {c, n});
    for (int i = 0; i < 3; i++) added[i] += sums(c, i, block, n);
    total(c, n) = Tuple(added);

    const Expr sum_g = total(c, n)[0], r = rstd(c, n);
    const Expr lo = select(frozen, mean(c, n) - rounded(mean(c, n)), total(c, n)[2] / count);
    const Expr sum_gx = (total(c, n)[1] - lo * sum_g) * r;
    const Expr a = cast<double>(scale(min(likely(c), scale.dim(0).max()), n)) * r;
    // (Times -1: to Halide -e is 0 - e, which it compiles to (-0) - e for ARM.)
    const Expr minus_a = a * Expr(-1.0);
    const Expr slope = select(frozen, 0, minus_a * r * (sum_gx / count));
    const Expr offset = select(frozen, 0, minus_a * (sum_g / count) - slope * lo);

    const Expr finite = Expr(element == Element::kF64 ? 1e300 : 3e38);
    const Expr steep = Expr(element == Element::kF64 ? 1e280 : 1e30);  // beyond, g * d that underflowed would matter
    const Expr fast = abs(a) < finite && abs(slope) < finite && abs(offset) < finite && abs(sum_g) < Expr(1e300) &&
                      abs(sum_gx) < Expr(1e300) && r < steep && abs(a) * r < steep;
    columns(c, n) = Tuple(rounded(a), rounded(slope), rounded(offset), select(fast, cast<double>(1), 0), sum_g, sum_gx);
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

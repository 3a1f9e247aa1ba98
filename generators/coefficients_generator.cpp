// From a plane's sums to the three numbers that normalise it, y = (x - h) * a + b: in double, each rounded once to the
// type that apply_generator.cpp computes in.
//
//   mean = pivot + s1 / S      var = s2 / S - (s1 / S)^2      rstd = 1 / sqrt(var + eps)
//   a = scale * rstd           h + lo = mean                  b = shift - lo * a
//
// `fast` is 0 where these can't keep the promised accuracy: such a plane goes to the wide kernel.
#include "element.h"
#include "estimates.h"
#include "gpu.h"
#include "statistics.h"

namespace haline {
using namespace Halide;

class Coefficients : public KernelGenerator<Coefficients> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> vector{"vector", 0};  // schedule: planes of a vector, up to 8; 0: a register of doubles

  // Scratch memory, c padded to a multiple of 8.
  Input<Buffer<double, 2>> pivot{"pivot"};  // (c, n)
  Input<Buffer<double, 4>> sums{"sums"};    // (c, {s1, s2}, block, n)
  Input<Buffer<void, 2>> scale{"scale"};    // (c, n)
  Input<Buffer<void, 2>> shift{"shift"};    // (c, n)
  Input<double> eps{"eps"};
  Input<double> count{"count"};                            // elements of a plane
  Output<Buffer<double, 3>> coefficients{"coefficients"};  // (c, {h, a, b, fast, mean, var, rstd}, n)

  void generate() {
    const bool wide = element == Element::kF64;
    const auto rounded = [&](const Expr &e) { return cast<double>(cast(MathType(element), e)); };

    block = RDom(0, sums.dim(2).extent(), "block");
    total(c, n) = Tuple(cast<double>(0), cast<double>(0));
    total(c, n) = Tuple(total(c, n)[0] + sums(c, 0, block, n), total(c, n)[1] + sums(c, 1, block, n));

    // The scratch buffers are padded to whole vectors; the caller's are not, so their last element is repeated.
    const auto padded = [this](Input<Buffer<void, 2>> &f, const Expr &plane) {
      return cast<double>(f(min(likely(plane), f.dim(0).max()), n));
    };
    const auto gain = [&](const Expr &plane) { return padded(scale, plane); };
    const auto offset = [&](const Expr &plane) { return padded(shift, plane); };

    const Expr s1 = total(c, n)[0], s2 = total(c, n)[1];
    {
      const Expr delta = s1 / count;
      const Expr difference = s2 / count - delta * delta;
      const Expr var = select(difference < 0, 0, difference);  // not max, which may lose a NaN
      const Expr rstd = select(var + eps > 0, 1 / sqrt(var + eps), 0);
      moments(c, n) = Tuple(delta, pivot(c, n) + delta, var, rstd, gain(c) * rstd);
    }

    // h and b of plane i of vector v.
    const int width = VectorSize();
    {
      const Expr plane = v * width + i;
      const Expr delta = moments(plane, n)[0], mean = moments(plane, n)[1], a = moments(plane, n)[4];
      const Expr hi = rounded(mean);
      const Expr lo = (pivot(plane, n) - hi) + delta;
      line(i, v, n) = Tuple(hi, rounded(offset(plane) - lo * a));
    }

    // A shift that is large beside y would leave y the shift's rounding error. Then h is where y is 0, instead of
    // the mean, and y keeps its relative accuracy. (Not for a constant plane, whose y is exactly the shift.)
    // Such shifts are rare, and vectors without one are spared the arithmetic.
    const auto large = [&](const Expr &plane) { return abs(offset(plane)) > 2 * max(abs(gain(plane)), 1); };
    lane = RDom(0, width, "lane");
    any_large(v, n) = 0;
    any_large(v, n) = max(any_large(v, n), cast<int>(large(v * width + lane)));
    rooted = RDom(0, width, "rooted");
    rooted.where(any_large(v, n) > 0);
    {
      const Expr plane = v * width + rooted;
      const Expr delta = moments(plane, n)[0], mean = moments(plane, n)[1], var = moments(plane, n)[2],
                 a = moments(plane, n)[4];
      const Expr distance = offset(plane) / a;
      const Expr root = mean - distance;
      const Expr hi = rounded(root);
      const Expr lo = ((pivot(plane, n) - hi) - distance) + delta;
      const Expr found = large(plane) && var > 0 && abs(root) < Expr(wide ? 1e250 : 1e30);
      line(rooted, v, n) = Tuple(select(found, hi, line(rooted, v, n)[0]),
                                 select(found, rounded(lo * a * Expr(-1.0)), line(rooted, v, n)[1]));
    }
    const Expr h = line(c % width, c / width, n)[0], b = line(c % width, c / width, n)[1];
    const Expr mean = moments(c, n)[1], var = moments(c, n)[2], rstd = moments(c, n)[3], a = moments(c, n)[4];

    // The pivot lies within 0.36 standard deviations of the mean; no square overflowed nor, where eps is too small
    // to hide it, underflowed; the three numbers are finite. Each is written so that a NaN says no.
    const Expr finite = Expr(wide ? 1e300 : 3e38);
    const Expr fast = 9 * s1 * s1 <= count * s2 && s2 < finite * (wide ? Expr(1.0) : count) &&
                      (eps >= Expr(wide ? 1e-250 : 1e-24) || s2 >= count * Expr(wide ? 1e-280 : 1e-30)) &&
                      abs(mean) < finite && abs(h) < finite && abs(a) < finite && abs(b) < finite;
    columns(c, n) = Tuple(h, rounded(a), b, select(fast, cast<double>(1), 0), mean, var, rstd);
    coefficients(c, which, n) = mux(which, Values(columns, {c, n}));
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    sums.dim(1).set_bounds(0, 2);
    sums.dim(2).set_min(0);
    coefficients.dim(1).set_bounds(0, 7);
    if (gpu()) {
      const LoopLevel threads = ScheduleColumnsOnGpu(coefficients, 7, columns, total);
      for (Func f : {moments, line, any_large}) f.compute_at(threads);
      return FinishGpuSchedule(pivot, scale, shift);
    }
    pivot.dim(0).set_min(0);
    sums.dim(0).set_min(0);
    coefficients.dim(0).set_min(0);
    // x86-avx512, one core, planes of 64 elements: 1.8 ns a plane; 2.2 with the roots worked out for all.
    const int width = VectorSize();
    ScheduleColumns(coefficients, 7, columns, total, block, width);
    const LoopLevel vectors(coefficients, Var("co"));
    moments.compute_at(vectors).vectorize(c, width);
    line.compute_at(vectors).bound(i, 0, width).vectorize(i);
    line.update().vectorize(rooted);
    any_large.compute_at(vectors);
    any_large.update().atomic().vectorize(lane);
  }

 private:
  int VectorSize() const { return gpu() ? 1 : vector > 0 ? int(vector) : natural_vector_size<double>(); }

  Var c{"c"}, n{"n"}, which{"which"}, i{"i"}, v{"v"};
  RDom block, lane, rooted;
  Func total{"total"}, moments{"moments"}, line{"line"}, any_large{"any_large"}, columns{"columns"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Coefficients, haline_coefficients)

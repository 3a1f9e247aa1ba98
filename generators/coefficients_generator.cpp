// From a plane's sums to the three numbers that normalise it, y = (x - h) * a + b: in double, each rounded once to the
// type that apply_generator.cpp computes in.
//
//   mean = pivot + s1 / S      var = s2 / S - (s1 / S)^2      rstd = 1 / sqrt(var + eps)
//   a = scale * rstd           h + lo = mean                  b = shift - lo * a
//
// `fast` is 0 where these can't keep the promised accuracy: such a plane goes to the wide kernel.
#include "element.h"
#include "estimates.h"
#include "statistics.h"

namespace haline {
using namespace Halide;

class Coefficients : public Generator<Coefficients> {
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

    const Expr s1 = total(c, n)[0], s2 = total(c, n)[1];
    const Expr delta = s1 / count;
    const Expr mean = pivot(c, n) + delta;
    const Expr difference = s2 / count - delta * delta;
    const Expr var = select(difference < 0, 0, difference);  // not max, which may lose a NaN
    const Expr rstd = select(var + eps > 0, 1 / sqrt(var + eps), 0);

    // The scratch buffers are padded to whole vectors; the caller's are not, so their last element is repeated.
    const auto padded = [this](Input<Buffer<void, 2>> &f) {
      return cast<double>(f(min(likely(c), f.dim(0).max()), n));
    };
    const Expr gain = padded(scale), offset = padded(shift);
    const Expr a = gain * rstd;
    const Expr hi = rounded(mean);
    const Expr lo = (pivot(c, n) - hi) + delta;

    // A shift that is large beside y would leave y the shift's rounding error. Then h is where y is 0, instead of
    // the mean, and y keeps its relative accuracy. (Not for a constant plane, whose y is exactly the shift.)
    const Expr distance = offset / a;
    const Expr root = mean - distance;
    const Expr root_hi = rounded(root);
    const Expr root_lo = ((pivot(c, n) - root_hi) - distance) + delta;
    const Expr rooted = abs(offset) > 2 * max(abs(gain), 1) && var > 0 && abs(root) < Expr(wide ? 1e250 : 1e30);

    const Expr h = select(rooted, root_hi, hi);
    const Expr b = rounded(select(rooted, root_lo * a * Expr(-1.0), offset - lo * a));

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
    pivot.dim(0).set_min(0);
    sums.dim(0).set_min(0);
    sums.dim(1).set_bounds(0, 2);
    sums.dim(2).set_min(0);
    coefficients.dim(0).set_min(0);
    coefficients.dim(1).set_bounds(0, 7);
    ScheduleColumns(coefficients, 7, columns, total, block, vector > 0 ? int(vector) : natural_vector_size<double>());
  }

 private:
  Var c{"c"}, n{"n"}, which{"which"};
  RDom block;
  Func total{"total"}, columns{"columns"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Coefficients, haline_coefficients)

// From a plane's sums to the numbers that normalise it, y = (x - h) * a + b: in double, each rounded once to the type
// that elements are computed in.
//
//   mean = pivot + s1 / S      var = s2 / S - (s1 / S)^2      rstd = 1 / sqrt(var + eps)
//   a = scale * rstd           h + lo = mean                  b = shift - lo * a
//
// `fast` is 0 where these can't keep the promised accuracy: such a plane goes to the wide kernel.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_PLANE_NUMBERS_H_
#define HALINE_GENERATORS_PLANE_NUMBERS_H_

#include <functional>

#include "element.h"
#include "mean_of.h"
#include "statistics.h"

namespace haline {

struct PlaneNumbers {
  using OfPlane = std::function<Halide::Expr(Halide::Expr plane)>;

  // Of plane (c, n): {s1, s2}, and what is given of any plane (c, n). `width`: planes of a vector. `power_of_two` as
  // MeanOf has it.
  PlaneNumbers(Element element, int width, const Exprs &sums, const OfPlane &pivot, const OfPlane &gain,
               const OfPlane &offset, const Halide::Expr &eps, const Halide::Expr &count, Halide::Var c, Halide::Var n,
               const Halide::Expr &power_of_two = Halide::Expr()) {
    using namespace Halide;
    const bool wide = element == Element::kF64;
    const auto rounded = [&](const Expr &e) { return cast<double>(cast(MathType(element), e)); };
    const Expr s1 = sums[0], s2 = sums[1];
    const MeanOf mean_of(count, false, power_of_two);
    {
      const Expr delta = mean_of(s1);
      const Expr difference = mean_of(s2) - delta * delta;
      const Expr var = select(difference < 0, 0, difference);  // not max, which may lose a NaN
      const Expr rstd = select(var + eps > 0, 1 / sqrt(var + eps), 0);
      moments(c, n) = Tuple(delta, pivot(c) + delta, var, rstd, gain(c) * rstd);
    }

    // h and b of plane i of vector v.
    {
      const Expr plane = v * width + i;
      const Expr delta = moments(plane, n)[0], mean = moments(plane, n)[1], a = moments(plane, n)[4];
      const Expr hi = rounded(mean);
      const Expr lo = (pivot(plane) - hi) + delta;
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
      const Expr lo = ((pivot(plane) - hi) - distance) + delta;
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
  }

  // What the columns are made from: vectors across planes, inside the loop `at` over them.
  void Schedule(const Halide::LoopLevel &at, int width) {
    const Halide::Var c = moments.args()[0];
    moments.compute_at(at).vectorize(c, width);
    line.compute_at(at).bound(i, 0, width).vectorize(i);
    line.update().vectorize(rooted);
    any_large.compute_at(at);
    any_large.update().atomic().vectorize(lane);
  }

  Halide::Var i{"i"}, v{"v"};
  Halide::RDom lane, rooted;
  Halide::Func moments{"moments"}, line{"line"}, any_large{"any_large"};
  Halide::Func columns{"columns"};  // (c, n): {h, a, b, fast, mean, var, rstd}
};

}  // namespace haline

#endif  // HALINE_GENERATORS_PLANE_NUMBERS_H_

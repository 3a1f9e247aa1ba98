// From the gradient's sums to the three numbers that make dx = (g * A + d * B) + E, and to the plane's share of the
// gradients of shift and scale. With xhat = (d - lo) * rstd, where lo is what rounding the mean to float left of it:
//
//   dshift = sum(g)      dscale = sum(g * xhat)      dx = scale * rstd * (g - dshift / S - xhat * dscale / S)
//
// as in Ioffe and Szegedy, "Batch Normalization", 2015, section 3, for one plane. With frozen statistics, which do not
// depend on x, dx = scale * rstd * g.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_GRADIENT_NUMBERS_H_
#define HALINE_GENERATORS_GRADIENT_NUMBERS_H_

#include "element.h"
#include "statistics.h"

namespace haline {

// {A, B, E, fast, dshift, dscale}, of the plane's sums {g, g * d, d} and of its mean, rstd and scale.
inline Exprs GradientNumbers(Element element, const Exprs &total, const Halide::Expr &mean, const Halide::Expr &r,
                             const Halide::Expr &scale, const Halide::Expr &count, const Halide::Expr &frozen) {
  using namespace Halide;
  const auto rounded = [&](const Expr &e) { return cast<double>(cast(MathType(element), e)); };
  const Expr sum_g = total[0];
  const Expr lo = select(frozen, mean - rounded(mean), total[2] / count);
  const Expr sum_gx = (total[1] - lo * sum_g) * r;
  const Expr a = scale * r;
  // (Times -1: to Halide -e is 0 - e, which it compiles to (-0) - e for ARM.)
  const Expr minus_a = a * Expr(-1.0);
  const Expr slope = select(frozen, 0, minus_a * r * (sum_gx / count));
  const Expr offset = select(frozen, 0, minus_a * (sum_g / count) - slope * lo);

  const Expr finite = Expr(element == Element::kF64 ? 1e300 : 3e38);
  const Expr steep = Expr(element == Element::kF64 ? 1e280 : 1e30);  // beyond, g * d that underflowed would matter
  const Expr fast = abs(a) < finite && abs(slope) < finite && abs(offset) < finite && abs(sum_g) < Expr(1e300) &&
                    abs(sum_gx) < Expr(1e300) && r < steep && abs(a) * r < steep;
  return {rounded(a), rounded(slope), rounded(offset), select(fast, cast<double>(1), 0), sum_g, sum_gx};
}

}  // namespace haline

#endif  // HALINE_GENERATORS_GRADIENT_NUMBERS_H_

// What may follow the normalisation in the same pass: a residual and an activation, y = act(z), z = norm(x) + residual.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_ACTIVATION_H_
#define HALINE_GENERATORS_ACTIVATION_H_

#include <cmath>

#include "Halide.h"

namespace haline {

// z where it is above 0, else z * slope: 0 is ReLU, also of -infinity, which no slope of 0 is multiplied by. The 0 that
// is added turns a -0 into 0. (A -0 elsewhere in the same expression would become that 0: Halide takes the two for
// equal.)
inline Halide::Expr Activate(const Halide::Expr &z, const Halide::Expr &slope) {
  using namespace Halide;
  const Type type = z.type();
  const Expr least = select(slope == 0, cast(type, -1), Internal::make_const(type, -INFINITY));
  return select(z > 0, z, select(least > z, least, z) * slope + cast(type, 0));
}

// The same with a slope of 0; 0 of a NaN, or a NaN of it. (Not of z <= 0: Halide takes that for the opposite of z > 0.)
inline Halide::Expr Relu(const Halide::Expr &z) { return Halide::select(z > 0, z, Halide::cast(z.type(), 0)); }
inline Halide::Expr ReluOrNan(const Halide::Expr &z) {
  const Halide::Expr zero = Halide::cast(z.type(), 0);
  return Halide::select(z < 0, zero, z) + zero;
}

// The gradient of z, given that of act(z).
inline Halide::Expr ActivateGradient(const Halide::Expr &z, const Halide::Expr &slope, const Halide::Expr &gradient) {
  const Halide::Expr zero = Halide::cast(z.type(), 0);
  return Halide::select(z > 0, gradient, Halide::select(slope == 0, zero, gradient * slope));
}

}  // namespace haline

#endif  // HALINE_GENERATORS_ACTIVATION_H_

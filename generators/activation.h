// What may follow the normalisation in the same pass: a residual and an activation, y = act(z), z = norm(x) + residual.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_ACTIVATION_H_
#define HALINE_GENERATORS_ACTIVATION_H_

#include "Halide.h"

namespace haline {

// max(z, 0), and 0 of a NaN, or a NaN of it. The 0 that is added turns a -0 into 0. (A -0 elsewhere in the same
// expression would become that 0: Halide takes the two for equal. Nor is it z <= 0, which Halide takes for the opposite
// of z > 0.)
inline Halide::Expr Relu(const Halide::Expr &z) { return Halide::select(z > 0, z, Halide::cast(z.type(), 0)); }
inline Halide::Expr ReluOrNan(const Halide::Expr &z) {
  const Halide::Expr zero = Halide::cast(z.type(), 0);
  return Halide::select(z < 0, zero, z) + zero;
}

// z where it is above 0, else z * slope, which is not 0.
inline Halide::Expr Leaky(const Halide::Expr &z, const Halide::Expr &slope) {
  return Halide::select(z > 0, z, z * slope + Halide::cast(z.type(), 0));
}

// The same of any slope: of 0 it is ReLU, also of -infinity, which is not multiplied by 0.
inline Halide::Expr Activate(const Halide::Expr &z, const Halide::Expr &slope) {
  return Halide::select(slope == 0, ReluOrNan(z), Leaky(z, slope));
}

// The gradient of z, given that of act(z).
inline Halide::Expr ActivateGradient(const Halide::Expr &z, const Halide::Expr &slope, const Halide::Expr &gradient) {
  const Halide::Expr zero = Halide::cast(z.type(), 0);
  return Halide::select(z > 0, gradient, Halide::select(slope == 0, zero, gradient * slope));
}

}  // namespace haline

#endif  // HALINE_GENERATORS_ACTIVATION_H_

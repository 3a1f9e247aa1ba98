// The formulas of an element, each written here once, whichever kernel works on it. `numbers` are those of its plane:
// {h, a, b} of coefficients_generator.cpp, or {A, B, E} of gradient_coefficients_generator.cpp.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_FORMULA_H_
#define HALINE_GENERATORS_FORMULA_H_

#include <vector>

#include "activation.h"
#include "element.h"

namespace haline {

using Exprs = std::vector<Halide::Expr>;

inline Halide::Expr Normal(const Halide::Expr &x, const Exprs &numbers) {
  return (x - numbers[0]) * numbers[1] + numbers[2];
}

// What the activation is applied to.
inline Halide::Expr WithResidual(const Halide::Expr &normal, const Halide::Expr &has_residual,
                                 const Halide::Expr &residual) {
  return Halide::select(has_residual, normal + residual, normal);
}

// y. form = 0: norm(x); 1: with an activation; 2: with all, and whatever NaN comes up is the one NaN. 0 and 1 make
// none, as a plane that has one isn't normalised in float, and the slope is finite.
inline Halide::Expr Result(const Halide::Expr &x, const Exprs &numbers, const Halide::Expr &has_residual,
                           const Halide::Expr &residual, const Halide::Expr &slope, const Halide::Expr &form) {
  const Halide::Expr normal = Normal(x, numbers), z = WithResidual(normal, has_residual, residual);
  return Halide::select(form == 0, normal, form == 1, Activate(normal, slope), OneNan(Activate(z, slope)));
}

// The same, for schedules that make a version of each of the cases.
inline Exprs ResultCases(const Halide::Expr &slope, const Halide::Expr &form) {
  return {form == 0, form == 1 && slope == 0, form == 1, slope == 0, slope == 1};
}
inline Halide::Expr ResultByCase(const Halide::Expr &x, const Exprs &numbers, const Halide::Expr &has_residual,
                                 const Halide::Expr &residual, const Halide::Expr &slope, const Halide::Expr &form) {
  const Halide::Expr normal = Normal(x, numbers), z = WithResidual(normal, has_residual, residual);
  const Exprs cases = ResultCases(slope, form);
  return Halide::select(cases[0], normal, cases[1], Relu(normal), cases[2], Leaky(normal, slope), cases[3],
                        OneNan(Relu(z), z), cases[4], OneNan(z + Halide::cast(z.type(), 0)), OneNan(Leaky(z, slope)));
}

// Result as it is stored: of NaNs there is but the one. `streamed`: past the caches, which x86's float16s are by a
// store of their own alone, not by the conversion's: something has to come between.
inline Halide::Expr StoreResult(const Halide::Expr &result, Element e, const Halide::Target &target,
                                bool streamed = false) {
  const Halide::Expr stored = StoreNumber(result, e, target);
  const bool converts = e == Element::kF16 && target.has_feature(Halide::Target::F16C);
  return streamed && converts ? stored & Halide::cast<uint16_t>(Hidden(0xffff)) : stored;
}

// dx, of g, the gradient of z, and d = x - mean.
inline Halide::Expr GradientResult(const Halide::Expr &g, const Halide::Expr &d, const Exprs &numbers) {
  return (g * numbers[0] + d * numbers[1]) + numbers[2];
}

// What the statistics add up, of d = x - pivot; and the gradient, of g and d = x - mean.
inline Exprs MomentTerms(const Halide::Expr &d) { return {d, d * d}; }
inline Exprs GradientTerms(const Halide::Expr &g, const Halide::Expr &d) { return {g, g * d, d}; }

}  // namespace haline

#endif  // HALINE_GENERATORS_FORMULA_H_

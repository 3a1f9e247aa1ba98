// What the gradient's float kernels share. With z = norm(x) + residual, y = act(z), and g the gradient of z:
//
//   g = dy where z > 0, else dy * slope          d = x - mean
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_GRADIENT_H_
#define HALINE_GENERATORS_GRADIENT_H_

#include "element.h"
#include "formula.h"
#include "gpu.h"
#include "layout.h"
#include "statistics.h"

namespace haline {

// g, of z, which nothing is asked of where there is no activation (form = 0).
inline Halide::Expr GradientOf(const Halide::Expr &z, const Halide::Expr &form, const Halide::Expr &slope,
                               const Halide::Expr &dy) {
  return Halide::select(form == 0, dy, ActivateGradient(z, Halide::cast(dy.type(), slope), dy));
}

// Whether there is no slope, as it asks, for schedules that make a version of that.
inline Halide::Expr IsRelu(const Halide::Expr &slope, Element e) { return Halide::cast(MathType(e), slope) == 0; }

// The inputs of an element's gradient, for a generator to inherit from.
template <typename T>
class GradientGenerator : public KernelGenerator<T> {
 public:
  template <typename P>
  using Input = Halide::GeneratorInput<P>;
  using Volume = Halide::Buffer<void, 3>;

  Halide::GeneratorParam<Element> element{"element", Element::kF32, kElements};
  Halide::GeneratorParam<Layout> layout{"layout", Layout::kPlanes, kLayouts};

  Input<Volume> x{"x"};                                           // (s, c, n), as `layout` says
  Input<Volume> dy{"dy"};                                         // as x
  Input<Volume> residual{"residual"};                             // as x; x itself where there is none
  Input<Halide::Buffer<double, 3>> coefficients{"coefficients"};  // (c, {h, a, b, ...}, n) of the forward pass
  Input<Halide::Buffer<double, 2>> mean{"mean"};                  // (c, n)
  Input<bool> has_residual{"has_residual"};
  Input<double> slope{"slope"};
  Input<int> form{"form"};  // 0: no activation, g = dy; else there is one

 protected:
  Halide::Expr Element_(Input<Volume> &f, const Halide::Expr &s) {
    return Load(f(s, this->Within(f, 1, c), n), element, this->get_target());
  }

  // The numbers of a plane (`plane` of n) in the type that is computed in: {h, a, b, mean}. Before D and G.
  void Round(const Halide::Expr &plane) {
    Exprs numbers;
    for (int i : {0, 1, 2}) numbers.push_back(Halide::cast(MathType(element), coefficients(plane, i, n)));
    numbers.push_back(Halide::cast(MathType(element), mean(plane, n)));
    rounded(c, n) = Halide::Tuple(numbers);
  }

  // The same of a plane's {A, B, E}, in `numbers`.
  void RoundGradient(const Input<Halide::Buffer<double, 3>> &gradient) {
    Exprs of_plane;
    for (int i : {0, 1, 2}) of_plane.push_back(Halide::cast(MathType(element), gradient(c, i, n)));
    numbers(c, n) = Halide::Tuple(of_plane);
  }

  Halide::Expr D(const Halide::Expr &s) { return DOf(Element_(x, s)); }
  Halide::Expr G(const Halide::Expr &s) { return GOf(Element_(x, s), Element_(residual, s), Element_(dy, s)); }

  // Of an element's values.
  Halide::Expr DOf(const Halide::Expr &x) { return x - rounded(c, n)[3]; }

  // z has the bits that the forward pass gave it.
  Halide::Expr GOf(const Halide::Expr &x, const Halide::Expr &residual, const Halide::Expr &dy) {
    const Halide::Expr normal = Normal(x, Values(rounded, {c, n}));
    return GradientOf(WithResidual(normal, has_residual, residual), form, slope, dy);
  }

  // For channels-last tensors.
  void SetInputLayouts() {
    for (Input<Volume> *f : {&x, &dy, &residual}) SetLayout(*f, layout);
  }

  Halide::Var c{"c"}, n{"n"};
  Halide::Func rounded{"rounded"}, numbers{"numbers"};
};

}  // namespace haline

#endif  // HALINE_GENERATORS_GRADIENT_H_

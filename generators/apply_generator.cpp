// y = (x - h) * a + b, with the three floats of a plane from coefficients_generator.cpp.
#include "Halide.h"

namespace haline {
using namespace Halide;

class Apply : public Generator<Apply> {
 public:
  Input<Buffer<float, 3>> x{"x"};                        // (s, c, n), s contiguous
  Input<Buffer<float, 3>> coefficients{"coefficients"};  // (c, {h, a, b, ...}, n)
  Output<Buffer<float, 3>> y{"y"};                       // (s, c, n), s contiguous; may be x

  void generate() { y(s, c, n) = (x(s, c, n) - coefficients(c, 0, n)) * coefficients(c, 1, n) + coefficients(c, 2, n); }

  void schedule() {
    // Guarded, not shifted inwards: y may be x, and nothing may be read twice.
    y.vectorize(s, natural_vector_size<float>(), TailStrategy::GuardWithIf);
  }

 private:
  Var s{"s"}, c{"c"}, n{"n"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Apply, haline_apply)

// Sums of doubles divided by a number of elements.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_MEAN_OF_H_
#define HALINE_GENERATORS_MEAN_OF_H_

#include "element.h"

namespace haline {

// The quotient, rounded to nearest even, as the processor's own division has it, of which a vector takes as long as a
// dozen additions. With fused multiply-add, three operations: q, the sum times the rounded reciprocal, is off by no
// more than one and a half of its last digit's units; what is left, sum - q * count, is a multiple of a unit and so
// small that it is exact; and its own quotient, added to q with one rounding, is off by 2^-52 of a unit, where a
// quotient by a count below 2^50 comes no nearer than 2^-51 to halfway between two doubles, and never is there: that
// takes one digit more than a sum has. (Not of sums below 2^-900; infinite ones become NaN. A zero is +0, as sums are.)
//
// One Xeon thread, tiny planes, time by that of divisions, forward and backward. AVX-512, float32 (bfloat16: alike), 3
// elements 0.62 and 0.74, 5 0.72 and 0.85, 9 0.87 and 0.90, 12 0.89 and 0.94, 27 0.95 and 0.94, 49 1.0 and 0.98;
// channels last 3 0.72 and 0.73, 9 0.80 and 0.91, 27 0.92 and 0.95, 49 0.94 and 0.95; larger planes 1.00. AVX2, 3 0.72,
// 6 0.90, 9 0.93, 49 0.95, the gradient, whose kernels do without, 1.03 to 1.10. (The reciprocal of the standard
// deviation in the same way, two operations at a time from a guess by its bits: channels last 0.90 to 0.99, else 0.96
// to 1.04, and wrong where all digits of the deviation are ones; its root, too: 1.0 to 1.16.)
class MeanOf {
 public:
  // `power_of_two`: what says whether count is one, whose reciprocal, which is exact, is multiplied by then.
  MeanOf(const Halide::Expr &count, bool fused, const Halide::Expr &power_of_two = Halide::Expr())
      : count_(count), power_of_two_(power_of_two), fused_(fused) {}

  // Where Halide's target has the instruction, and sums of such elements are not too small.
  static bool Fuses(Element element, const Halide::Target &target) {
    return element != Element::kF64 && target.has_feature(Halide::Target::FMA) && !target.has_gpu_feature();
  }

  // `infinite`: whether the sum may be.
  Halide::Expr operator()(const Halide::Expr &sum, bool infinite = false) const {
    using namespace Halide;
    const Expr reciprocal = 1 / count_, near = sum * reciprocal;
    const Expr fused = Fma(Fma(-near, count_, sum), reciprocal, near);
    const Expr exact = !fused_ ? sum / count_ : infinite ? select(sum - sum == 0, fused, sum) : fused;
    return power_of_two_.defined() ? select(power_of_two_, near, exact) : exact;
  }

 private:
  // a * b + c, rounded once. (Halide calls it lane by lane, and LLVM puts the lanes together again.)
  static Halide::Expr Fma(const Halide::Expr &a, const Halide::Expr &b, const Halide::Expr &c) {
    using namespace Halide;
    return Internal::Call::make(Float(64), "llvm.fma.f64", {a, b, c}, Internal::Call::PureExtern);
  }

  const Halide::Expr count_, power_of_two_;
  const bool fused_;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_MEAN_OF_H_

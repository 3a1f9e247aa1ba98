// bfloat16 in vectors: as shuffles of halves, which Halide has no expression for before it has made its vectors.
//
// A bfloat16 is the upper half of a float. Halide's own ways, widening and shifting, take two instructions a vector to
// read, and to write one that rounds 32-bit integers, ten; as 16-bit integers, all halves of two vectors at a time, it
// is one to read and two and a half to write. One Zen 5 thread, AVX-512, y of 32 elements in L1: 8.5 and 4.3 cycles.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_BFLOAT_H_
#define HALINE_GENERATORS_BFLOAT_H_

#include <string>
#include <vector>

#include "Halide.h"

namespace haline {

constexpr const char *kFromBFloat = "from_bfloat", *kToBFloat = "to_bfloat";

// Whether the target's kernels have them so. They must call ScheduleBFloats.
inline bool ShufflesBFloats(const Halide::Target &target) {
  return target.arch == Halide::Target::X86 && target.has_feature(Halide::Target::AVX512_Skylake) &&
         !target.has_gpu_feature();
}

// uint16 to the float whose upper half it is; the upper half of a float, which may be infinite or the one NaN, rounded
// to nearest even. Calls that ScheduleBFloats's pass puts vectors' expressions in the place of.
inline Halide::Expr FromBFloat(const Halide::Expr &bits) {
  return Halide::Internal::Call::make(Halide::Float(32), kFromBFloat, {bits}, Halide::Internal::Call::PureExtern);
}
inline Halide::Expr ToBFloat(const Halide::Expr &f) {
  return Halide::Internal::Call::make(Halide::UInt(16), kToBFloat, {f}, Halide::Internal::Call::PureExtern);
}

class BFloatShuffles : public Halide::Internal::IRMutator {
  using IRMutator::visit;

  Halide::Expr visit(const Halide::Internal::Call *op) override {
    using namespace Halide;
    using Internal::Shuffle;
    if (op->name != kFromBFloat && op->name != kToBFloat) return IRMutator::visit(op);
    const Expr from = mutate(op->args[0]);
    const int lanes = op->type.lanes();
    const auto all = [&](int value) { return Internal::make_const(UInt(16, lanes), value); };
    if (op->name == kFromBFloat) {
      // (Of one element: Halide shuffles vectors alone.)
      if (lanes == 1) return reinterpret<float>(cast<uint32_t>(from) << 16);
      return Internal::Reinterpret::make(op->type, Shuffle::make_interleave({all(0), from}));
    }
    const std::string halves_name = Internal::unique_name("halves"), upper_name = Internal::unique_name("upper");
    const Expr halves = Internal::Variable::make(UInt(16, 2 * lanes), halves_name);
    const Expr upper = Internal::Variable::make(op->type, upper_name);
    const auto half = [&](int which) { return Shuffle::make_slice(halves, which, 2, lanes); };
    // Up where the lower half is above a half of the upper one's unit, or that half and the upper one odd. (The sum
    // saturates, and never has to, for LLVM's sake: of a sum that does not it makes two instructions, not a masked
    // one.)
    const Expr up = (half(0) | (upper & all(1))) > all(0x8000);
    const Expr rounded = select(up, saturating_add(upper, all(1)), upper);
    return Internal::Let::make(halves_name, Internal::Reinterpret::make(halves.type(), from),
                               Internal::Let::make(upper_name, half(1), rounded));
  }
};

// For the end of schedule(), on processors.
inline void ScheduleBFloats(Halide::Pipeline pipeline) { pipeline.add_custom_lowering_pass(new BFloatShuffles); }

}  // namespace haline

#endif  // HALINE_GENERATORS_BFLOAT_H_

// bfloat16 in vectors: as halves of 32-bit words, which Halide has no expression for before it has made its vectors.
//
// A bfloat16 is the upper half of a float. Halide's own ways, widening and shifting, take two instructions a vector to
// read, and to write one that rounds 32-bit integers, ten. Where a whole vector of them becomes another one, its even
// and its odd elements are worked on apart: the odd ones are where they belong already, and rounding takes 16-bit
// integers, all halves of two vectors at a time. One Zen 5 thread, y of 128 elements in L1, cycles: AVX-512 23 where
// shuffles make the floats, 20 so; AVX2 63 by 32-bit integers, 48 so.
//
// AVX-512's shuffles are of one vector, under a mask, each a single operation of the one port that has any on Intel's
// processors; those of two vectors, which LLVM makes of all that it sees through (see Hidden), are three, two of them
// on that port. One thread of a Xeon, planes of 1024 elements in L1, cycles for 16 elements: pivots 2.7 and 2.1, sums
// 5.1 and 4.5, results 5.2 and 4.0.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_BFLOAT_H_
#define HALINE_GENERATORS_BFLOAT_H_

#include <string>
#include <vector>

#include "Halide.h"
#include "halves.h"

namespace haline {

constexpr const char *kFromBFloat = "from_bfloat", *kToBFloat = "to_bfloat";

// Whether the target's kernels have them so. They must call ScheduleBFloats.
inline bool ShufflesBFloats(const Halide::Target &target) {
  return target.arch == Halide::Target::X86 && !target.has_gpu_feature();
}

// uint16 to the float whose upper half it is; the upper half of a float rounded to nearest even, and of any NaN the one
// that haline writes, or, where there is no `any_nan`, of none but that. Calls that ScheduleBFloats's pass puts
// vectors' expressions in the place of; the second argument tells it how many bfloat16s a register has.
inline Halide::Expr FromBFloat(const Halide::Expr &bits, const Halide::Target &target) {
  return Halide::Internal::Call::make(Halide::Float(32), kFromBFloat, {bits, target.natural_vector_size<uint16_t>()},
                                      Halide::Internal::Call::PureExtern);
}
inline Halide::Expr ToBFloat(const Halide::Expr &f, const Halide::Target &target, bool any_nan) {
  return Halide::Internal::Call::make(Halide::UInt(16), kToBFloat,
                                      {f, target.natural_vector_size<uint16_t>(), any_nan ? 1 : 0},
                                      Halide::Internal::Call::PureExtern);
}

// A number that LLVM doesn't know: of a mask that it knows it makes other shuffles, or none of one that does nothing.
inline Halide::Expr Hidden(uint32_t value) {
  using namespace Halide;
  const Expr known = reinterpret<float>(Internal::UIntImm::make(UInt(32), value));
  return reinterpret<uint32_t>(
      Internal::Call::make(Float(32), "llvm.arithmetic.fence.f32", {known}, Internal::Call::PureExtern));
}

class BFloatShuffles : public Halide::Internal::IRMutator {
  using IRMutator::visit;
  using Expr = Halide::Expr;
  using Shuffle = Halide::Internal::Shuffle;

  Expr visit(const Halide::Internal::Call *op) override {
    if (op->name == kFromBFloat) return From(op, mutate(op->args[0]));
    if (op->name != kToBFloat) return IRMutator::visit(op);
    if (op->type.lanes() == Whole(op)) return ToWhole(op->args[0], op->type.lanes(), AnyNan(op));
    return To(op, mutate(op->args[0]));
  }

  Expr visit(const Halide::Internal::Let *op) override {
    if (op->value.type().is_vector()) lets_[op->name] = op->value;
    return IRMutator::visit(op);
  }
  // (Of a single store: what it reads is the same wherever in its value that is. What nobody asks for any more goes:
  // it may fetch.)
  Halide::Internal::Stmt visit(const Halide::Internal::LetStmt *op) override {
    using namespace Halide::Internal;
    Stmt inner = op->body;
    while (const auto *let = inner.as<LetStmt>()) inner = let->body;
    if (!op->value.type().is_vector() || !inner.as<Store>()) return IRMutator::visit(op);
    lets_[op->name] = op->value;
    const Stmt body = mutate(op->body);
    return stmt_uses_var(body, op->name) ? LetStmt::make(op->name, mutate(op->value), body) : body;
  }

  // bfloat16s of a register.
  static int Whole(const Halide::Internal::Call *op) {
    return static_cast<int>(*Halide::Internal::as_const_int(op->args[1]));
  }
  static bool AnyNan(const Halide::Internal::Call *op) { return *Halide::Internal::as_const_int(op->args[2]) != 0; }
  // Whether there are shuffles across a register for such a vector; of one element Halide has none.
  static bool Shuffled(const Halide::Internal::Call *op) { return op->type.lanes() > 1 && Whole(op) == 32; }

  static Expr From(const Halide::Internal::Call *op, const Expr &bits) {
    using namespace Halide;
    const int lanes = op->type.lanes();
    const std::string name = Internal::unique_name("bits");
    const Expr once = Internal::Variable::make(bits.type(), name);
    if (Shuffled(op)) {
      const Expr twice = Shuffle::make_interleave({once, once});
      const Expr upper = select(Of(1, twice.type()), twice, Internal::make_zero(twice.type()));
      return Internal::Let::make(name, bits, Internal::Reinterpret::make(op->type, upper));
    }
    if (Whole(op) != 16 || lanes != 8) return reinterpret(op->type, cast(UInt(32, lanes), bits) << 16);
    // Without shuffles across a register: twice in it, as it can be loaded, and then each half's own half of them.
    const Expr twice = Shuffle::make_concat({once, once});
    std::vector<int> from;
    for (int i = 0; i < lanes; i++) from.insert(from.end(), {2 * lanes, i < lanes / 2 ? i : lanes + i});
    const Expr halves = Shuffle::make({twice, Internal::make_zero(twice.type())}, from);
    return Internal::Let::make(name, bits, Internal::Reinterpret::make(op->type, halves));
  }

  // Which of such parts of 32-bit words belong to the upper halves, or, if `which` is 0, to the lower ones.
  static Expr Of(int which, const Halide::Type &parts) {
    using namespace Halide;
    const Type type = parts.element_of();
    const Expr place = Internal::Ramp::make(Internal::make_zero(type), Internal::make_one(type), parts.lanes());
    const Expr upper = Internal::Broadcast::make(cast(type, Hidden(2 / parts.bytes())), parts.lanes());
    return (place & upper) == (which == 1 ? upper : Internal::make_zero(parts));
  }

  // (With AVX-512's shuffles, half a register by 16-bit integers too, one Xeon thread: 1.02 to 1.05 of the time.)
  static Expr To(const Halide::Internal::Call *op, const Expr &f) {
    using namespace Halide;
    const Expr bits = reinterpret(UInt(32, op->type.lanes()), f);
    const Expr rounded = cast(op->type, (bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    return AnyNan(op) ? select(f == f, rounded, Internal::make_const(op->type, kNan)) : rounded;
  }

  // A whole vector's: even and odd elements apart.
  Expr ToWhole(const Expr &f, int lanes, bool any_nan) {
    using namespace Halide;
    const Expr whole = Internal::substitute_in_all_lets(f);
    const auto part = [&](int which) { return mutate(HalfOf(which, lets_, kFromBFloat, FromWords).mutate(whole)); };
    const std::vector<Expr> words = {part(0), part(1)};
    return Internal::common_subexpression_elimination(
        lanes == 32 ? Rounded(Shuffled(words, 1), Shuffled(words, 0), true, any_nan)
                    : Rounded(Blended(words, 1), Blended(words, 0), false, any_nan));
  }

  // The halves of the words of even elements, and, between them, of odd ones: the upper ones if `which` is 1. Those of
  // one are there, those of the other one move between them.
  static Expr Shuffled(const std::vector<Expr> &words, int which) {
    using namespace Halide;
    const int bytes = words[0].type().lanes() * words[0].type().bytes();
    const auto of = [&](int i) { return Internal::Reinterpret::make(UInt(8, bytes), words[i]); };
    std::vector<int> from;
    for (int i = 0; i < bytes; i++) from.push_back(i / 4 * 4 + 2 * which + i % 2);
    const Expr moved = Shuffle::make({of(1 - which)}, from);
    return Internal::Reinterpret::make(UInt(16, bytes / 2), select(Of(1 - which, moved.type()), moved, of(which)));
  }
  static Expr Blended(const std::vector<Expr> &words, int which) {
    using namespace Halide;
    const int lanes = words[0].type().lanes();
    const Expr even = reinterpret(UInt(32, lanes), words[0]), odd = reinterpret(UInt(32, lanes), words[1]);
    const Expr lower = Internal::make_const(UInt(32, lanes), 0xffff);
    return Internal::Reinterpret::make(UInt(16, 2 * lanes),
                                       which == 1 ? even >> 16 | odd & ~lower : even & lower | odd << 16);
  }

  // The bfloat16s that are the upper or the lower halves of words.
  static Expr FromWords(const Expr &bits, int which) {
    using namespace Halide;
    const int lanes = bits.type().lanes() / 2;
    // (What is fetched with them (stream.h) is fetched once.)
    const auto *const fetches = bits.as<Internal::Call>();
    const bool again = which == 1 && fetches && fetches->is_intrinsic(Internal::Call::return_second);
    const Expr words = Internal::Reinterpret::make(UInt(32, lanes), again ? fetches->args[1] : bits);
    const Expr upper = which == 0 ? words << 16 : words & Internal::make_const(words.type(), int64_t{0xffff0000});
    return Internal::Reinterpret::make(Float(32, lanes), upper);
  }

  // Floats in halves, as bfloat16s.
  static Expr Rounded(const Expr &upper, const Expr &lower, bool masks, bool any_nan) {
    using namespace Halide;
    const auto all = [&](int value) { return Internal::make_const(upper.type(), value); };
    const std::string name = Internal::unique_name("upper");
    const Expr kept = Internal::Variable::make(upper.type(), name);
    // Up where the lower half is above a half of the upper one's unit, or that half and the upper one odd. (With
    // AVX-512 the sum saturates, and never has to, for LLVM's sake: of a sum that does not it makes two instructions,
    // not a masked one. Without, it makes one.)
    const Expr up = (lower | (kept & all(1))) > all(0x8000);
    const Expr next = masks ? saturating_add(kept, all(1)) : kept + all(1);
    const Expr rounded = select(up, next, kept);
    // (A NaN that arithmetic makes, or a bfloat16 is, has digits in its upper half.)
    const Expr is_nan = (kept & all(0x7fff)) > all(0x7f80);
    return Internal::Let::make(name, upper, any_nan ? select(is_nan, all(kNan), rounded) : rounded);
  }

  static constexpr int kNan = 0x7fc0;

  HalfOf::Lets lets_;  // of vectors, so far
};

// For the end of schedule(), on processors.
inline void ScheduleBFloats(Halide::Pipeline pipeline) { pipeline.add_custom_lowering_pass(new BFloatShuffles); }

}  // namespace haline

#endif  // HALINE_GENERATORS_BFLOAT_H_

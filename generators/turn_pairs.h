// How planes of bfloat16s are turned, and back: by pairs of neighbouring elements, which are 32-bit words. A shuffle of
// words is one operation of AVX-512, one of 16-bit elements, of two vectors, is three; and pairs become floats, as
// floats become pairs, by shifts and masks.
//
// One Xeon thread, by the time of LLVM's shuffles, forward and backward: AVX-512, 4 elements 0.95 and 0.93, 6 0.91 and
// 0.86, 8 0.91 and 0.88, 9 0.91 and 0.86, 16 0.94 and 0.86, 17 0.91 and 0.87, 49 0.96 and 0.87 (5 and 7, of which there
// are no pairs, 1.01); AVX2, planes turned whole, 4 0.93 and 0.90, 6 0.94 and 0.88, 8 0.99 and 0.94, by four elements
// 1.00 to 1.02. (float16, whose conversions want them packed: AVX-512 0.97 to 1.06; AVX2 0.94 to 1.02, 1.07 to 1.14.)
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_TURN_PAIRS_H_
#define HALINE_GENERATORS_TURN_PAIRS_H_

#include <vector>

#include "element.h"
#include "turn_pass.h"

namespace haline {

// A stored element that was turned, as Load has it. (FromBFloat's shuffles LLVM can't put together with what turned
// it.)
inline Halide::Expr LoadTurned(const Halide::Expr &v, Element e, const Halide::Target &target) {
  using namespace Halide;
  return e == Element::kBF16 ? reinterpret<float>(cast<uint32_t>(v) << 16) : Load(v, e, target);
}

class TurnInPairs : public TurnPass {
 public:
  // Where element and target are such that gain by it. `few`: whether planes are turned whole.
  static void AddTo(Halide::Pipeline pipeline, const Halide::Target &target, Element element, bool few) {
    if (element != Element::kBF16) return;
    if (!target.has_feature(few ? Halide::Target::AVX2 : Halide::Target::AVX512)) return;
    pipeline.add_custom_lowering_pass(new TurnInPairs);
  }

 private:
  TurnInPairs() : TurnPass(16) {}

  bool Rearrange(int size, bool in) override {
    using namespace Halide;
    using Internal::Reinterpret, Internal::Shuffle;
    if (size < 4 || size % 2 != 0) return false;
    const Type half = UInt(16, kPlanes), word = UInt(32, kPlanes);
    const int pairs = size / 2;
    if (in) {
      const Expr all = Reinterpret::make(UInt(32, pairs * kPlanes), Read(0, size * kPlanes));
      for (int i = 0; i < pairs; i++) {
        const Expr pair = Shuffle::make_slice(all, i, pairs, kPlanes);
        Write(2 * i * kPlanes, cast(half, pair));
        Write((2 * i + 1) * kPlanes, cast(half, pair >> 16));
      }
      return true;
    }
    std::vector<Expr> words;
    for (int i = 0; i < pairs; i++) {
      const auto element = [&](int k) { return cast(word, reinterpret(half, Read((2 * i + k) * kPlanes, kPlanes))); };
      words.push_back(element(0) | element(1) << 16);
    }
    Write(0, Reinterpret::make(UInt(16, size * kPlanes), Shuffle::make_interleave(words)));
    return true;
  }
};

}  // namespace haline

#endif  // HALINE_GENERATORS_TURN_PAIRS_H_

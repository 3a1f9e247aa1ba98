// How AVX2 turns sixteen planes of four 32-bit elements and more, and back: by what stays within the halves of its
// vectors, a plane in one and the fourth after it in the other. (LLVM moves each element between halves on its own, in
// two and a half times as many operations.) One Zen 1 thread, float32, forward and backward, time by that of LLVM's:
// 4 elements 0.95 and 0.91, 5 1.10 and 1.03, 6 0.94 and 0.92, 7 0.95 and 0.95, 8 0.95 and 0.98, 9 0.85 and 0.81,
// 16 0.82 and 0.78, 49 0.83 and 0.77.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_TURN_HALVES_H_
#define HALINE_GENERATORS_TURN_HALVES_H_

#include <algorithm>
#include <array>
#include <vector>

#include "turn_pass.h"

namespace haline {

class TurnInHalves : public TurnPass {
 public:
  // Where the target is one that gains by it.
  static void AddTo(Halide::Pipeline pipeline, const Halide::Target &target) {
    if (!target.has_feature(Halide::Target::AVX2) || target.has_feature(Halide::Target::AVX512)) return;
    pipeline.add_custom_lowering_pass(new TurnInHalves);
  }

 private:
  using Four = std::array<Halide::Expr, 4>;  // vectors of eight

  TurnInHalves() : TurnPass(32) {}

  bool Rearrange(int size, bool in) override {
    using namespace Halide::Internal;
    if (size < 4 || size == 5) return false;
    for (int eight = 0; eight < kPlanes; eight += 8) {
      for (int four = 0; four < size; four += 4) {
        const int first = std::min(four, size - 4);
        Four v;
        for (int i = 0; i < 4; i++) {
          const int at = size * (eight + i) + first;
          v[i] =
              in ? Shuffle::make_concat({Read(at, 4), Read(at + 4 * size, 4)}) : Read(kPlanes * (first + i) + eight, 8);
        }
        v = Turned(v);
        for (int i = 0; i < 4; i++) {
          if (in) {
            Write(kPlanes * (first + i) + eight, v[i]);
          } else {
            for (int half : {0, 4}) Write(size * (eight + i + half) + first, Shuffle::make_slice(v[i], half, 1, 4));
          }
        }
      }
    }
    return true;
  }

  // Rows as columns, in either half of the vectors.
  static Four Turned(const Four &v) {
    const auto both = [](const Halide::Expr &a, const Halide::Expr &b, const std::vector<int> &lanes) {
      return Halide::Internal::Shuffle::make(std::vector<Halide::Expr>{a, b}, lanes);
    };
    const std::vector<int> low = {0, 8, 1, 9, 4, 12, 5, 13}, high = {2, 10, 3, 11, 6, 14, 7, 15},
                           low_pairs = {0, 1, 8, 9, 4, 5, 12, 13}, high_pairs = {2, 3, 10, 11, 6, 7, 14, 15};
    const Four t = {both(v[0], v[1], low), both(v[0], v[1], high), both(v[2], v[3], low), both(v[2], v[3], high)};
    return {both(t[0], t[2], low_pairs), both(t[0], t[2], high_pairs), both(t[1], t[3], low_pairs),
            both(t[1], t[3], high_pairs)};
  }
};

}  // namespace haline

#endif  // HALINE_GENERATORS_TURN_HALVES_H_

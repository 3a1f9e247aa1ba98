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

#include "Halide.h"

namespace haline {

// A lowering pass.
class TurnInHalves : public Halide::Internal::IRMutator {
 public:
  // Where the target is one that gains by it.
  static void AddTo(Halide::Pipeline pipeline, const Halide::Target &target) {
    if (!target.has_feature(Halide::Target::AVX2) || target.has_feature(Halide::Target::AVX512)) return;
    pipeline.add_custom_lowering_pass(new TurnInHalves);
  }

 private:
  using IRMutator::visit;
  using Four = std::array<Halide::Expr, 4>;  // vectors of eight

  Halide::Internal::Stmt visit(const Halide::Internal::Store *op) override {
    using namespace Halide::Internal;
    const auto *const cast = op->value.as<Reinterpret>();
    const auto *const shuffle = (cast ? cast->value : op->value).as<Shuffle>();
    const auto *const load =
        shuffle && shuffle->vectors.size() == 1 ? shuffle->vectors[0].as<Halide::Internal::Load>() : nullptr;
    const auto *const from = load ? load->index.as<Ramp>() : nullptr, *const to = op->index.as<Ramp>();
    if (!from || !to || !is_const_one(from->stride) || !is_const_one(to->stride)) return op;
    if (op->param.defined() || !is_const_one(op->predicate) || !is_const_one(load->predicate)) return op;
    const int size = load->type.lanes() / 16;  // of a plane, or what is turned of it
    if (load->type.bits() != 32 || size < 4 || size == 5) return op;
    const bool in = Turns(*shuffle, 16), out = Turns(*shuffle, size);
    if (!in && !out) return op;

    const auto read = [&](int at, int lanes) {
      return Halide::Internal::Load::make(load->type.with_lanes(lanes), load->name,
                                          Ramp::make(from->base + at, 1, lanes), load->image, load->param,
                                          const_true(lanes), ModulusRemainder());
    };
    std::vector<Stmt> stores;
    const auto store = [&](int at, const Halide::Expr &e) {
      const int lanes = e.type().lanes();
      const Halide::Expr value = cast ? Reinterpret::make(cast->type.with_lanes(lanes), e) : e;
      stores.push_back(Store::make(op->name, value, Ramp::make(to->base + at, 1, lanes), op->param, const_true(lanes),
                                   ModulusRemainder()));
    };
    for (int eight = 0; eight < 16; eight += 8) {
      for (int four = 0; four < size; four += 4) {
        const int first = std::min(four, size - 4);
        Four v;
        for (int i = 0; i < 4; i++) {
          const int at = size * (eight + i) + first;
          v[i] = in ? Shuffle::make_concat({read(at, 4), read(at + 4 * size, 4)}) : read(16 * (first + i) + eight, 8);
        }
        v = Turned(v);
        for (int i = 0; i < 4; i++) {
          if (in) {
            store(16 * (first + i) + eight, v[i]);
          } else {
            for (int half : {0, 4}) store(size * (eight + i + half) + first, Shuffle::make_slice(v[i], half, 1, 4));
          }
        }
      }
    }
    return Block::make(stores);
  }

  // Whether it makes rows of `columns` of what are columns of as many.
  static bool Turns(const Halide::Internal::Shuffle &shuffle, int columns) {
    const int count = static_cast<int>(shuffle.indices.size()), rows = count / columns;
    for (int i = 0; i < count; i++) {
      if (shuffle.indices[i] != i % columns * rows + i / columns) return false;
    }
    return count == shuffle.vectors[0].type().lanes() && count % 16 == 0;
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

// A lowering pass over what turns sixteen planes' elements in registers, which Halide makes one shuffle of: its loads,
// shuffles and stores are made in another way.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_TURN_PASS_H_
#define HALINE_GENERATORS_TURN_PASS_H_

#include <vector>

#include "Halide.h"

namespace haline {

class TurnPass : public Halide::Internal::IRMutator {
 protected:
  static constexpr int kPlanes = 16;

  explicit TurnPass(int bits) : bits_(bits) {}

  // Turns `size` elements of each plane by Read and Write, or, if it returns false, leaves that to Halide. in: planes,
  // one after the other, become vectors of planes, one element after the other; else the way back.
  virtual bool Rearrange(int size, bool in) = 0;

  // Elements from the at-th of those that are turned.
  Halide::Expr Read(int at, int lanes) const {
    using namespace Halide::Internal;
    return Halide::Internal::Load::make(load_->type.with_lanes(lanes), load_->name,
                                        Ramp::make(load_->index.as<Ramp>()->base + at, 1, lanes), load_->image,
                                        load_->param, const_true(lanes), ModulusRemainder());
  }
  // What goes there.
  void Write(int at, const Halide::Expr &e) {
    using namespace Halide::Internal;
    const int lanes = e.type().lanes();
    stores_.push_back(Store::make(store_->name, Halide::reinterpret(store_->value.type().with_lanes(lanes), e),
                                  Ramp::make(store_->index.as<Ramp>()->base + at, 1, lanes), store_->param,
                                  const_true(lanes), ModulusRemainder()));
  }

 private:
  using IRMutator::visit;

  Halide::Internal::Stmt visit(const Halide::Internal::Store *op) override {
    using namespace Halide::Internal;
    // (As another type of as many bits: of integers Halide makes a cast of that.)
    const auto *const bits = op->value.as<Reinterpret>();
    const auto *const integer = op->value.as<Cast>();
    if (op->value.type().bits() != bits_) return op;
    if (integer && (integer->type.is_float() || integer->value.type().is_float())) return op;
    const auto *const shuffle = (bits ? bits->value : integer ? integer->value : op->value).as<Shuffle>();
    if (!shuffle || shuffle->vectors.size() != 1 || shuffle->type.bits() != bits_) return op;
    const auto *const load = shuffle->vectors[0].as<Halide::Internal::Load>();
    if (!load || !Dense(load->index) || !Dense(op->index) || op->param.defined()) return op;
    if (!is_const_one(op->predicate) || !is_const_one(load->predicate)) return op;
    const int size = load->type.lanes() / kPlanes;
    const bool in = Turns(*shuffle, kPlanes);
    if (!in && !Turns(*shuffle, size)) return op;
    store_ = op;
    load_ = load;
    stores_.clear();
    return Rearrange(size, in) ? Block::make(stores_) : op;
  }

  static bool Dense(const Halide::Expr &index) {
    const auto *const ramp = index.as<Halide::Internal::Ramp>();
    return ramp && Halide::Internal::is_const_one(ramp->stride);
  }

  // Whether it makes rows of `columns` of what are columns of as many.
  static bool Turns(const Halide::Internal::Shuffle &shuffle, int columns) {
    const int count = static_cast<int>(shuffle.indices.size());
    if (columns == 0 || count % kPlanes != 0 || count != shuffle.vectors[0].type().lanes()) return false;
    const int rows = count / columns;
    for (int i = 0; i < count; i++) {
      if (shuffle.indices[i] != i % columns * rows + i / columns) return false;
    }
    return true;
  }

  const int bits_;  // of an element
  const Halide::Internal::Store *store_ = nullptr;
  const Halide::Internal::Load *load_ = nullptr;
  std::vector<Halide::Internal::Stmt> stores_;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_TURN_PASS_H_

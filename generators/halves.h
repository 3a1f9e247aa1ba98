// The even and the odd elements of what is worked out element by element, apart: for 16-bit elements, of which a vector
// holds two of floats. An even element and the odd one after it are the two halves of a 32-bit word.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_HALVES_H_
#define HALINE_GENERATORS_HALVES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "Halide.h"

namespace haline {

// Every second element of a vector's expression, from element `which` on. Calls of `leaf` are left to `split`, which
// gets their argument; other shuffles, loads and the like are made whole, and then taken apart. The expression has no
// lets of its own; `lets` are those about it.
class HalfOf : public Halide::Internal::IRGraphMutator {
 public:
  using Split = Halide::Expr (*)(const Halide::Expr &vector, int which);

  using Lets = std::map<std::string, Halide::Expr>;

  HalfOf(int which, const Lets &lets, std::string leaf, Split split)
      : which_(which), lets_(lets), leaf_(std::move(leaf)), split_(split) {}

  using IRGraphMutator::mutate;
  Halide::Expr mutate(const Halide::Expr &e) override { return e.type().is_scalar() ? e : IRGraphMutator::mutate(e); }

 private:
  using IRGraphMutator::visit;

  template <typename T>
  Halide::Expr Slice(const T *op) const {
    return Halide::Internal::Shuffle::make_slice(op, which_, 2, op->type.lanes() / 2);
  }
  static Halide::Type Half(const Halide::Type &type) { return type.with_lanes(type.lanes() / 2); }

  Halide::Expr visit(const Halide::Internal::Variable *op) override {
    const auto let = lets_.find(op->name);
    return let == lets_.end() ? Slice(op) : mutate(Halide::Internal::substitute_in_all_lets(let->second));
  }
  Halide::Expr visit(const Halide::Internal::Load *op) override { return Slice(op); }
  Halide::Expr visit(const Halide::Internal::Ramp *op) override { return Slice(op); }
  Halide::Expr visit(const Halide::Internal::Shuffle *op) override { return Slice(op); }
  Halide::Expr visit(const Halide::Internal::VectorReduce *op) override { return Slice(op); }

  Halide::Expr visit(const Halide::Internal::Broadcast *op) override {
    if (!op->value.type().is_scalar()) return Slice(op);
    return Halide::Internal::Broadcast::make(op->value, op->lanes / 2);
  }
  Halide::Expr visit(const Halide::Internal::Cast *op) override {
    return Halide::Internal::Cast::make(Half(op->type), mutate(op->value));
  }
  Halide::Expr visit(const Halide::Internal::Reinterpret *op) override {
    if (op->value.type().lanes() != op->type.lanes()) return Slice(op);
    return Halide::Internal::Reinterpret::make(Half(op->type), mutate(op->value));
  }
  Halide::Expr visit(const Halide::Internal::Call *op) override {
    if (op->name == leaf_) return split_(op->args[0], which_);
    if (!op->is_pure()) return Slice(op);
    std::vector<Halide::Expr> args;
    for (const Halide::Expr &arg : op->args) args.push_back(mutate(arg));
    return Halide::Internal::Call::make(Half(op->type), op->name, args, op->call_type);
  }

  const int which_;
  const Lets &lets_;
  const std::string leaf_;
  const Split split_;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_HALVES_H_

// Lowering passes for GPUs: arithmetic that no compiler behind Halide can round differently, and what kernels can't do.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_GPU_PASSES_H_
#define HALINE_GENERATORS_GPU_PASSES_H_

#include <utility>
#include <vector>

#include "Halide.h"

namespace haline {

// What a GPU's compiler would do to the bits, although the target says strict_float: PTX and OpenCL (which Halide 21
// gives out with FP_CONTRACT ON) fuse a product with the sum around it, and OpenCL divides floats by an approximation.
//
// (Products and quotients are intrinsics, strict_mul and strict_div, when the pass sees them.)
//
// - Every product passes through an exclusive or with `zero`, an argument that is always 0: nothing can fuse across it.
// - Constants that float can't hold are given as bits: Halide 21's OpenCL has all others in float.
// - Floats are divided in double and rounded, which is exact rounding too: double has more than twice the digits.
class ExactArithmetic : public Halide::Internal::IRMutator {
 public:
  explicit ExactArithmetic(Halide::Expr zero) : zero_(std::move(zero)) {}

 protected:
  using IRMutator::visit;

  Halide::Expr visit(const Halide::Internal::FloatImm *op) override {
    using namespace Halide;
    if (op->type != Float(64) || static_cast<double>(static_cast<float>(op->value)) == op->value) return op;
    return reinterpret<double>(Internal::UIntImm::make(UInt(64), Internal::reinterpret_bits<uint64_t>(op->value)));
  }

  Halide::Expr visit(const Halide::Internal::Call *op) override {
    using namespace Halide;
    const Expr e = IRMutator::visit(op);
    const auto *call = e.as<Internal::Call>();
    if (!call) return e;
    // (Nothing rounds in a change of sign. To guard that too would undo the guard of what it is done to.)
    const auto minus = [&](int i) { return Internal::is_const(call->args[i], -1); };
    if (call->is_intrinsic(Internal::Call::strict_mul) && !minus(0) && !minus(1)) {
      const Type bits = e.type().with_code(Type::UInt);
      return reinterpret(e.type(), reinterpret(bits, e) ^ cast(bits, zero_));
    }
    if (call->is_intrinsic(Internal::Call::strict_div) && e.type() == Float(32)) {
      const std::vector<Expr> args = {cast<double>(call->args[0]), cast<double>(call->args[1])};
      return cast<float>(Internal::Call::make(Float(64), call->name, args, call->call_type));
    }
    return e;
  }

 private:
  const Halide::Expr zero_;
};

// Kernels can't assert; Halide leaves out what they assert, with a warning for each.
class NoAssertions : public Halide::Internal::IRMutator {
 protected:
  using IRMutator::visit;

  Halide::Internal::Stmt visit(const Halide::Internal::For *op) override {
    const bool kernel = op->for_type == Halide::Internal::ForType::GPUBlock;
    kernels_ += kernel;
    const Halide::Internal::Stmt s = IRMutator::visit(op);
    kernels_ -= kernel;
    return s;
  }
  Halide::Internal::Stmt visit(const Halide::Internal::AssertStmt *op) override {
    return kernels_ > 0 ? Halide::Internal::Evaluate::make(0) : Halide::Internal::Stmt(op);
  }

 private:
  int kernels_ = 0;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_GPU_PASSES_H_

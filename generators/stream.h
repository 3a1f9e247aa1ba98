// Stores that go past the caches, which Halide 21 has no directive for: runtime/stream.cpp's function makes them.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_STREAM_H_
#define HALINE_GENERATORS_STREAM_H_

#include <vector>

#include "Halide.h"

namespace haline {

constexpr const char *kStream = "kernel_stream", *kFetch = "kernel_fetch";

// 0, once `count` elements from `from` on are copied to where `to` is. Meanwhile what the caller will read is fetched:
// elements that lie `ahead` bytes after `next`, or, where that is 0, a little after it.
inline Halide::Expr Stream(const Halide::Expr &to, const Halide::Expr &from, const Halide::Expr &next, int count,
                           const Halide::Expr &ahead) {
  using namespace Halide;
  return Internal::Call::make(Int(32), kStream, {to, from, next, count, to.type().bytes(), ahead},
                              Internal::Call::Extern);
}

// 0, once `count` elements are fetched, as above.
inline Halide::Expr Fetch(const Halide::Expr &next, int count, const Halide::Expr &ahead) {
  using namespace Halide;
  return Internal::Call::make(Int(32), kFetch, {next, count, next.type().bytes(), ahead}, Internal::Call::Extern);
}

// A lowering pass: each element that Stream and Fetch are given becomes a pointer and an index.
class Addresses : public Halide::Internal::IRMutator {
  using IRMutator::visit;
  Halide::Expr visit(const Halide::Internal::Call *op) override {
    using namespace Halide;
    if (op->name != kStream && op->name != kFetch) return IRMutator::visit(op);
    std::vector<Expr> args;
    for (const Expr &e : op->args) {
      const auto *load = e.as<Internal::Load>();
      if (load) args.push_back(Internal::Variable::make(Handle(), load->name));
      args.push_back(load ? load->index : e);
    }
    return Internal::Call::make(op->type, op->name, args, Internal::Call::Extern);
  }
};

// `done` and the `tile` (its first argument the element) of `count` elements that it stores, at each turn of a loop.
inline void ScheduleStream(Halide::Func done, Halide::Func tile, const Halide::LoopLevel &at, int count, int vector) {
  const Halide::Var i = tile.args()[0];
  done.compute_at(at);
  tile.compute_at(at).bound(i, 0, count).vectorize(i, vector).unroll(i).store_in(Halide::MemoryType::Stack);
}

}  // namespace haline

#endif  // HALINE_GENERATORS_STREAM_H_

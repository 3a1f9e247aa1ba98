// Tiny planes on their way into vectors across planes, and back.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_TURN_H_
#define HALINE_GENERATORS_TURN_H_

#include <functional>
#include <string>

#include "Halide.h"
#include "element.h"
#include "statistics.h"

namespace haline {

// A type of its own for what is kept in registers: Halide would give it memory that it shares with an array of its
// type.
inline Halide::Expr Bits(const Halide::Expr &e) { return reinterpret(Halide::Int(e.type().bits()), e); }

// Planes (s, c, n) turned to (c, s, n) and back: rows of elements are read and written whole, and a block of a vector
// of planes by a few elements is turned in registers.
class Turn {
 public:
  static constexpr int kSide = 4;
  // Whether ScheduleIn had better go by memory.
  static bool ByMemory(Element element, const Halide::Target &target) {
    return StorageType(element).bits() == 16 && target.has_feature(Halide::Target::AVX2);
  }

  Turn(const std::string &name, Halide::Var s, Halide::Var c, Halide::Var n)
      : rows(name + "_rows"),
        turned(name + "_turned"),
        number(name + "_number"),
        tile(name + "_tile"),
        s_(s),
        c_(c),
        n_(n) {}

  using Value = std::function<Halide::Expr(Halide::Expr)>;

  // from(s) is a stored element of plane (c, n). `load` makes a number of it, and `value` of that as a double what is
  // worked with: once for all that is done with it.
  void In(const Value &from, const Value &load, const Value &value) {
    rows(s_, c_, n_) = Bits(from(s_));
    turned(c_, s_, n_) = reinterpret(from(s_).type(), rows(s_, c_, n_));
    number(c_, s_, n_) = load(turned(c_, s_, n_));
    tile(c_, s_, n_) = value(Halide::cast<double>(number(c_, s_, n_)));
  }
  // The result, (s, c, n), of what turned is.
  Halide::Expr Out() {
    rows(s_, c_, n_) = Bits(turned(c_, s_, n_));
    return reinterpret(turned.type(), rows(s_, c_, n_));
  }

  // A tile of up to `planes` planes, `vector` of them turned at a time, for each iteration of the loop `at`. Planes of
  // up to `few` elements are turned whole where they are dense, others in blocks of four elements.
  // `by_memory`: as floats they are stored first, since of those that are loaded x86 makes doubles by one operation,
  // and of those in registers by two. (Not of float32, which it turns as floats: 1.01 to 1.10 of the time.) One Xeon
  // thread, by the time without, bfloat16 and float16, forward and backward: 9 elements 0.96 and 0.94 to 0.97, 16 0.96
  // to 1.03, 17 to 63 0.95 to 1.00; AVX2 0.96 to 0.99.
  void ScheduleIn(const Halide::LoopLevel &at, int vector, int planes, int few, const Halide::Expr &size,
                  bool by_memory) {
    using namespace Halide;
    tile.compute_at(at).store_in(MemoryType::Stack);
    tile.bound_storage(c_, planes).bound_storage(s_, few > 0 ? few : kTiny).bound_storage(n_, 1);  // else from the heap
    tile.split(c_, cg_, c_, vector, TailStrategy::RoundUp);
    Func made = tile;
    if (by_memory) {
      tile.reorder(c_, s_, cg_, n_).vectorize(c_);
      number.compute_at(at).store_in(MemoryType::Stack);
      number.bound_storage(c_, planes).bound_storage(s_, kTiny).bound_storage(n_, 1);
      number.split(c_, cg_, c_, vector, TailStrategy::RoundUp);
      made = number;
    }
    turned.compute_at(made, so_).bound_extent(c_, vector).vectorize(c_).vectorize(s_);
    rows.compute_at(made, so_).bound_extent(c_, vector).vectorize(s_);
    // (The size is a number in each version of the loops around this: one schedule serves all. The inner variable of a
    // split by a symbol needs a name of its own: Halide 21 takes it for the outer one's else, and every element for the
    // first.)
    const Expr side = few > 0 ? size : Expr(kSide);
    made.split(s_, so_, si_, side, few > 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards)
        .reorder(c_, si_, so_, cg_, n_)
        .vectorize(c_)
        .unroll(si_);
    few > 0 ? rows.vectorize(c_) : rows.unroll(c_);
  }
  // In blocks of `so` of a result (s, c, n).
  void ScheduleOut(const Halide::LoopLevel &so, int vector) {
    turned.compute_at(so).bound_extent(c_, vector).vectorize(c_).unroll(s_);
    rows.compute_at(so).bound_extent(c_, vector).vectorize(s_).vectorize(c_);
  }

  Halide::Func rows, turned, number, tile;

 private:
  const Halide::Var s_, c_, n_, so_{"so"}, si_{"si"}, cg_{"cg"};
};

}  // namespace haline

#endif  // HALINE_GENERATORS_TURN_H_

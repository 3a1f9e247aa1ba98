// Results that go past the caches, and inputs that are fetched meanwhile. Halide 21 has no directive for such stores;
// cmake/streaming_stores.cmake makes them of the kernels' stores of whole aligned vectors, of which Put's are the only.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_STREAM_H_
#define HALINE_GENERATORS_STREAM_H_

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "Halide.h"
#include "ahead.h"

namespace haline {

constexpr int kLine = 64;  // bytes
constexpr const char *kPut = "haline_put", *kFetch = "haline_fetch", *kFetched = "haline_fetched";

// For a Func to be: `value`, written where `to` is, an element of an input. Whole vectors have to begin with a line, or
// divide it evenly.
inline Halide::Expr Put(const Halide::Expr &to, const Halide::Expr &value) {
  using namespace Halide;
  return Internal::Call::make(Int(32), kPut, {to, value}, Internal::Call::Extern);
}

// For a Func to be: the line that lies `ahead` bytes after the element `next` of an input is fetched.
inline Halide::Expr Fetch(const Halide::Expr &next, const Halide::Expr &ahead) {
  using namespace Halide;
  return Internal::Call::make(Int(32), kFetch, {next, ahead}, Internal::Call::Extern);
}

// `load`, elements of an input, each line of which fetches the one that lies `ahead` bytes after it: one by one among
// what is worked out of them, as processors have few places for lines that are on their way.
inline Halide::Expr Fetched(const Halide::Expr &load, const Halide::Expr &ahead, Into into = Into::kL1) {
  using namespace Halide;
  return Internal::Call::make(load.type(), kFetched, {load, ahead, Expr(static_cast<int>(into))},
                              Internal::Call::PureExtern);
}

// `e`, after what `nothing` asks for.
inline Halide::Expr After(const Halide::Expr &nothing, const Halide::Expr &e) {
  return Halide::select(nothing == 0, e, Halide::cast(e.type(), 0));
}

// The lowering pass that makes stores and prefetches of them. What such a Func is, is nothing: 0 for all who ask.
class PutAndFetch : public Halide::Internal::IRMutator {
  using IRMutator::visit;

  Halide::Internal::Stmt visit(const Halide::Internal::Store *op) override {
    using namespace Halide;
    using namespace Halide::Internal;
    const Call *const call = op->value.as<Call>();
    if (!call || (call->name != kPut && call->name != kFetch)) {
      Begin(*op);
      return IRMutator::visit(op);
    }
    nothing_.insert(op->name);
    const auto *element = call->args[0].as<Internal::Load>();
    _halide_user_assert(element) << call->name << " wants an element of an input\n";
    if (call->name == kPut) {
      const int lanes = op->value.type().lanes(), bytes = element->type.bytes();
      const bool whole = is_const_one(op->predicate);
      Begin(*op);
      // Where whole vectors go, lines begin, wherever the plane does: the store says so itself.
      const ModulusRemainder index(whole ? std::min(lanes, kLine / bytes) : 1, 0);
      Parameter base(element->type.element_of(), true, 3, element->name);
      base.set_host_alignment(whole && lanes > 1 ? kLine : bytes);
      return Store::make(element->name, mutate(call->args[1]), element->index, base, op->predicate, index);
    }
    return Evaluate::make(Prefetch(*element, element->index, call->args[1], static_cast<int>(Into::kL1)));
  }

  Halide::Expr visit(const Halide::Internal::Call *op) override {
    using namespace Halide;
    using namespace Halide::Internal;
    if (op->name != kFetched) return IRMutator::visit(op);
    const Expr load = mutate(op->args[0]);
    const auto *const element = load.as<Internal::Load>();
    _halide_user_assert(element) << kFetched << " wants elements of an input\n";
    const auto *const ramp = element->index.as<Ramp>();
    const auto *const ahead = op->args[1].as<Broadcast>(), *const into = op->args[2].as<Broadcast>();
    if (!ramp || !ahead || !into || !FetchesLine(*element, ramp->base)) return load;
    return Call::make(op->type, Call::return_second, {Prefetch(*element, ramp->base, ahead->value, into->value), load},
                      Call::PureIntrinsic);
  }

  void Begin(const Halide::Internal::Store &op) {
    const auto *const ramp = op.index.as<Halide::Internal::Ramp>();
    const auto first = ramp ? Halide::Internal::as_const_int(ramp->base) : std::nullopt;
    fetched_.clear();
    first_ = first ? *first : 0;
  }

  // Whether the vector that begins with element `at` is the first of its line, in a Func's store of the lanes that
  // begin with first_. (A line's vectors are those of one lane or of neighbouring ones.)
  bool FetchesLine(const Halide::Internal::Load &element, const Halide::Expr &at) {
    const int bytes = element.type.bytes();
    if (first_ * bytes % kLine != 0) return false;
    for (const auto &[name, other] : fetched_) {
      if (name != element.name) continue;
      const auto apart = Halide::Internal::as_const_int(Halide::Internal::simplify(at - other));
      if (apart && std::abs(*apart) * bytes < kLine) return false;
    }
    fetched_.emplace_back(element.name, at);
    return true;
  }

  static Halide::Expr Prefetch(const Halide::Internal::Load &element, const Halide::Expr &at, const Halide::Expr &ahead,
                               const Halide::Expr &into) {
    using namespace Halide;
    using namespace Halide::Internal;
    const Expr base = reinterpret(UInt(64), Variable::make(Handle(), element.name));
    const Expr offset = cast<int64_t>(at) * element.type.bytes() + cast<int64_t>(ahead);
    const Expr address = reinterpret(Handle(), base + cast<uint64_t>(offset));
    return Call::make(Int(32), "llvm.prefetch.p0", {address, 0, into, 1}, Call::Extern);
  }

  Halide::Expr visit(const Halide::Internal::Load *op) override {
    return nothing_.count(op->name) ? Halide::Internal::make_zero(op->type) : IRMutator::visit(op);
  }

  std::set<std::string> nothing_;
  std::vector<std::pair<std::string, Halide::Expr>> fetched_;  // by the store that the pass is in
  int64_t first_ = 0;
};

// The elements of a plane, written past the caches by a Func's side: chunks of whole lines one by one, and, apart, the
// lines that are no chunk and the two that the plane has only a part of. `value(s)` goes where `place(s)` is, an
// element of an input.
class Lines {
 public:
  using OfElement = std::function<Halide::Expr(Halide::Expr)>;

  // Where it is not `wanted`, nothing is written. `lead` is the first element of the first plane of `to` that begins a
  // line. The chunk that comes first is chunk `turn`; those before it come last.
  template <typename Buffer>
  Lines(const OfElement &place, const OfElement &value, const Buffer &to, const Halide::Expr &wanted,
        const Halide::Expr &lead, const Halide::Expr &turn, const Halide::Expr &size, int chunk, int line,
        Halide::Var q, Halide::Var c, Halide::Var n)
      : line_(line) {
    using namespace Halide;
    const Expr planes = c * to.dim(1).stride() + n * to.dim(2).stride();
    const Expr first = (lead - planes) & (line - 1);
    const auto inside = [&](const Expr &s) { return unsafe_promise_clamped(s, 0, size - 1); };
    const auto at = [&](const Expr &s) { return Put(place(inside(s)), value(inside(s))); };
    chunk_(i_, q, c, n) = undef<int>();
    in_chunk_ = RDom(0, chunk, "in_chunk");
    in_chunk_.where(wanted && first + (q + 1) * chunk <= size);
    const Expr chunks = (size - first) / chunk, turned = q + turn;
    chunk_(in_chunk_, q, c, n) = at(first + select(turned < chunks, turned, turned - chunks) * chunk + in_chunk_);

    rest_(i_, c, n) = undef<int>();
    const Expr rest = first + (size - first) / chunk * chunk, end = first + (size - first) / line * line;
    whole_ = RDom(0, line, 0, chunk / line - 1, "whole");
    whole_.where(wanted && rest + (whole_.y + 1) * line <= size);
    rest_(whole_.x, c, n) = at(rest + whole_.y * line + whole_.x);
    // Vectors of the plane's first and last elements, of which those are copied that no whole line has. (One Zen 5
    // thread, planes of 31 x 31 in memory, fractions of a copy, element by element and so: bfloat16 0.14 and 0.44,
    // float16 0.13 and 0.34.)
    first_(i_, c, n) = value(inside(i_));
    last_(i_, c, n) = value(inside(size - line + i_));
    head_ = RDom(0, line, "head");
    head_.where(wanted && head_ < first);
    rest_(head_, c, n) = Put(place(inside(head_)), first_(head_, c, n));
    tail_ = RDom(0, line, "tail");
    tail_.where(wanted && size - line + tail_ >= end);
    rest_(tail_, c, n) = Put(place(inside(size - line + tail_)), last_(tail_, c, n));
  }

  // 0, once the next chunk is written, for which there must have been q.
  Halide::Expr Chunk(const Halide::Expr &q, const Halide::Expr &c, const Halide::Expr &n) { return chunk_(0, q, c, n); }
  // 0, once what is no chunk is.
  Halide::Expr Rest(const Halide::Expr &c, const Halide::Expr &n) { return rest_(0, c, n); }

  // `cases` are conditions that have a version of the chunks' code of their own.
  void Schedule(const Halide::LoopLevel &each_chunk, const Halide::LoopLevel &each_plane, int vector,
                const std::vector<Halide::Expr> &cases = {}) {
    using namespace Halide;
    chunk_.compute_at(each_chunk).store_in(MemoryType::Stack);
    chunk_.update().vectorize(in_chunk_, vector).unroll(in_chunk_);
    for (const Expr &condition : cases) chunk_.update().specialize(condition);
    rest_.compute_at(each_plane).store_in(MemoryType::Stack);
    rest_.update(0).vectorize(whole_.x, vector).unroll(whole_.x);
    for (const Expr &condition : cases) rest_.update(0).specialize(condition);
    for (int i : {1, 2}) rest_.update(i).unscheduled();
    for (Func *f : {&first_, &last_}) {
      f->compute_at(each_plane).store_in(MemoryType::Stack).bound(i_, 0, line_).vectorize(i_, vector).unroll(i_);
      for (const Expr &condition : cases) f->specialize(condition);
    }
  }

 private:
  const int line_;  // elements
  Halide::Var i_{"i"};
  Halide::Func chunk_{"chunk"}, rest_{"rest"}, first_{"first_line"}, last_{"last_line"};
  Halide::RDom in_chunk_, whole_, head_, tail_;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_STREAM_H_

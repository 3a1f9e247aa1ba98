// What a kernel reads next, fetched meanwhile. Where it sums, the lanes of a chunk are read from as many places at a
// time as a lane has elements, each too briefly for processors to see where that goes.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_AHEAD_H_
#define HALINE_GENERATORS_AHEAD_H_

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "Halide.h"

namespace haline {

// The cache that a line is fetched into, as LLVM calls it. Few lines can be on their way to L1, many to L2.
enum class Into { kL2 = 2, kL1 = 3 };

// Where a channels-last image of `like`'s shape has its last element. What is fetched had better not lie beyond: memory
// that is nobody's takes a walk through the tables of pages for each line, and a virtual machine through two. (One Zen
// 1 thread, float32, nothing after the tensors, time by that: 2x512x4x4 0.15, 32x512x2x2 0.80, 64x512x4x4 0.98,
// 8x128x8x8 0.61, 64x64x10x10 0.90. Where chunks are fetched: 1x3x32x32 0.40, backward 0.21; 4x512x32x32 0.82 and
// 0.94.)
inline Halide::Expr LastOf(const std::string &image, const std::string &like) {
  using namespace Halide;
  const auto number = [](const std::string &name) { return cast<int64_t>(Internal::Variable::make(Int(32), name)); };
  return (number(like + ".extent.0") - 1) * number(image + ".stride.0") + number(like + ".extent.1") - 1 +
         (number(like + ".extent.2") - 1) * number(image + ".stride.2");
}

// A lowering pass: with the vectors of the inputs that a store's value is made from, those are fetched that lie some
// bytes after them.
class FetchAhead : public Halide::Internal::IRMutator {
 public:
  using Distance = std::function<Halide::Expr(const std::string &input, int bytes)>;

  // For stores to `to` in loops whose names contain `loop`. `distance` is told how many bytes an element of `input`
  // has.
  FetchAhead(std::vector<std::string> inputs, std::string to, std::string loop, Distance distance)
      : inputs_(std::move(inputs)), to_(std::move(to)), loop_(std::move(loop)), distance_(std::move(distance)) {}

  // In BlockSums, some of its lanes across channels: what lies `ahead`, an input's bytes; nothing where that is 0, nor
  // after the last chunk where it is negative.
  static FetchAhead *OfLanes(const std::vector<std::string> &inputs) {
    const Halide::Expr ahead = Halide::Internal::Variable::make(Halide::Int(32), "ahead");
    auto *pass = new FetchAhead(inputs, "lanes.0", ".s1.k$", nullptr);
    pass->distance_ = [pass, ahead](const std::string &, int) {
      return select(ahead > 0, ahead, pass->left_ > 0, -ahead, 0);
    };
    pass->wanted_ = ahead != 0;
    return pass;
  }

  // The same of all lanes: what lies so far beyond the chunk, in memory's order. (One Zen 4 thread, float32, into L1
  // and L2: 1x32x512x512 18.3 and 24.5 GB/s, 128x64x32x32 21.1 and 24.2, backward 15.1 and 16.4, 17.6 and 19.0.)
  static FetchAhead *OfRows(const std::vector<std::string> &inputs, int chunk) {
    auto *pass = OfLanes(inputs);
    pass->chunk_ = chunk;
    return pass;
  }

  // In BlockSums, what the same step of a later chunk of the block will read: of the next one, or, of small chunks, of
  // one that lies some kilobytes away. `chunk` is in elements. (Such a stream is one that processors fetch into L2
  // themselves.)
  static FetchAhead *OfChunks(const std::vector<std::string> &inputs, int chunk) {
    auto *pass = new FetchAhead(inputs, "lanes.0", ".s1.k$", nullptr);
    pass->distance_ = [pass, chunk](const std::string &input, int bytes) {
      using namespace Halide;
      constexpr int kNear = 8192;  // bytes
      const Expr stride = cast<int64_t>(Internal::Variable::make(Int(32), input + ".stride.0")) * (chunk * bytes);
      return stride * min(max(cast<int64_t>(kNear) / stride, 1), cast<int64_t>(pass->left_));
    };
    pass->into_ = Into::kL1;
    return pass;
  }

  // In sums along planes, in loops whose names contain `loop`, line by line: what lies `to`, an input's bytes, away.
  static FetchAhead *OfPlanes(const std::vector<std::string> &inputs, const std::string &loop, const Halide::Expr &to) {
    auto *pass = new FetchAhead(inputs, "lanes.0", loop, [to](const std::string &, int) { return to; });
    pass->by_line_ = true;
    return pass;
  }

  // In loops of `steps` of `channels` each, for stores to `to` in loops `loop`: what the next step, or the next
  // sample's first, will read of the inputs, and, if it `writes`, where it will store. (y, whose channels all images
  // have.)
  static FetchAhead *OfSteps(std::vector<std::string> inputs, std::string to, std::string loop, std::string steps,
                             int channels, bool writes) {
    auto *pass = new FetchAhead(std::move(inputs), std::move(to), std::move(loop), nullptr);
    pass->steps_ = std::move(steps);
    pass->writes_ = writes;
    pass->distance_ = [pass, channels](const std::string &image, int bytes) {
      using namespace Halide;
      using namespace Halide::Internal;
      const Expr first = Variable::make(Int(32), pass->step_) * channels;
      const Expr sample = Variable::make(Int(32), image + ".stride.2");
      const Expr last = first + channels >= Variable::make(Int(32), "y.extent.1");
      return cast<int64_t>(select(last, sample - first, channels)) * bytes;
    };
    return pass;
  }

 private:
  using IRMutator::visit;

  Halide::Internal::Stmt visit(const Halide::Internal::For *op) override {
    if (!steps_.empty() && op->name.find(steps_) != std::string::npos) {
      step_ = op->name;
      const Halide::Internal::Stmt s = IRMutator::visit(op);
      step_.clear();
      return s;
    }
    const bool before = inside_;
    const bool here = op->name.find(loop_) != std::string::npos;
    inside_ = inside_ || here;
    if (here) left_ = op->min + op->extent - 1 - Halide::Internal::Variable::make(Halide::Int(32), op->name);
    std::vector<Halide::Expr> outer;
    lets_.swap(outer);
    if (chunk_ > 0 && inside_ && op->name.find(".s1.u") != std::string::npos) lane_ = op->name;
    const Halide::Internal::Stmt s = IRMutator::visit(op);
    if (lane_ == op->name) lane_.clear();
    lets_.swap(outer);
    inside_ = before;
    return s;
  }

  Halide::Internal::Stmt visit(const Halide::Internal::LetStmt *op) override {
    lets_.push_back(op->value);
    const Halide::Internal::Stmt s = IRMutator::visit(op);
    lets_.pop_back();
    return s;
  }

  Halide::Internal::Stmt visit(const Halide::Internal::Store *op) override {
    using namespace Halide;
    using namespace Halide::Internal;
    if (!inside_ || op->name != to_ || step_.empty() != steps_.empty()) return op;
    Reads reads(inputs_);
    for (const Expr &let : lets_) substitute_in_all_lets(let).accept(&reads);
    substitute_in_all_lets(op->value).accept(&reads);
    const auto *const ramp = op->index.as<Ramp>();
    const auto lane = ramp ? as_const_int(ramp->base) : std::nullopt;
    // (Of lanes that lie in one line, the first fetches for all.)
    if (by_line_ && lane && !reads.found.empty() && *lane * reads.found[0].type.bytes() % 64 != 0) return op;
    if (writes_ && ramp) reads.found.push_back({op->name, op->value.type().element_of(), ramp->base});
    Stmt fetches;
    std::map<std::string, int> reads_of;
    for (const Read &read : reads.found) {
      const int bytes = read.type.bytes();
      const Expr base = reinterpret(UInt(64), Variable::make(Handle(), read.name));
      const Expr away =
          cast<int64_t>(distance_(read.name, bytes)) + OutOfOrder(read.name, reads_of[read.name]++) * bytes;
      Expr offset = cast<int64_t>(read.index) * bytes + away;
      if (!steps_.empty()) offset = min(offset, LastOf(read.name, "y") * bytes);
      const Expr address = reinterpret(Handle(), base + cast<uint64_t>(offset));
      const Stmt fetch = Evaluate::make(
          Call::make(Int(32), "llvm.prefetch.p0", {address, 0, static_cast<int>(into_), 1}, Call::Extern));
      fetches = fetches.defined() ? Block::make(fetches, fetch) : fetch;
    }
    if (!fetches.defined()) return op;
    return Block::make(wanted_.defined() ? IfThenElse::make(wanted_, fetches) : fetches, op);
  }

  // Of what a chunk's step reads, from the `number`th to what the step fetches of a later chunk: in memory's order, not
  // in that of lanes.
  Halide::Expr OutOfOrder(const std::string &input, int number) const {
    using namespace Halide;
    if (lane_.empty()) return Internal::make_zero(Int(64));
    const Expr lane = Internal::Variable::make(Int(32), lane_), of_lane = chunk_ / kLanesOfChunk;
    const Expr rows = (of_lane - 1) * lane - (kLanesOfChunk - 1) * number;
    return cast<int64_t>(rows) * Internal::Variable::make(Int(32), input + ".stride.0");
  }

  struct Read {
    std::string name;
    Halide::Type type;
    Halide::Expr index;  // of a vector's first element
  };

  // The vectors that are read of the inputs, each once.
  struct Reads : Halide::Internal::IRGraphVisitor {
    explicit Reads(const std::vector<std::string> &names) : inputs(names) {}
    using IRGraphVisitor::visit;
    void visit(const Halide::Internal::Load *op) override {
      const auto *ramp = op->index.as<Halide::Internal::Ramp>();
      if (!ramp || std::find(inputs.begin(), inputs.end(), op->name) == inputs.end()) return;
      for (const Read &read : found) {
        if (read.name == op->name && Halide::Internal::equal(read.index, ramp->base)) return;
      }
      found.push_back({op->name, op->type.element_of(), ramp->base});
    }
    const std::vector<std::string> &inputs;
    std::vector<Read> found;
  };

  const std::vector<std::string> inputs_;
  const std::string to_, loop_;
  Distance distance_;
  Into into_ = Into::kL2;
  static constexpr int kLanesOfChunk = 16;
  int chunk_ = 0;        // elements, where rows are fetched in order
  std::string lane_;     // the loop over a chunk's lanes, while in it
  Halide::Expr wanted_;  // whether anything is fetched
  std::string steps_;    // the loop over steps, and while in it, its name
  std::string step_;
  bool writes_ = false, by_line_ = false;
  bool inside_ = false;
  Halide::Expr left_;               // of the loop's steps, those after this one
  std::vector<Halide::Expr> lets_;  // of the loop that the pass is in
};

}  // namespace haline

#endif  // HALINE_GENERATORS_AHEAD_H_

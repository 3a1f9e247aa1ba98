// The schedule of the wide kernels for tiny planes of channels-last tensors: vectors across channels, which are read as
// they lie, once, and kept as the doubles that sums and results are made from.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_TINY_LAST_H_
#define HALINE_GENERATORS_TINY_LAST_H_

#include <set>
#include <string>
#include <vector>

#include "ahead.h"
#include "wide_schedule.h"

namespace haline {

// A lowering pass: with each vector of elements that is read into one of `tiles`, or written to `result`, that of the
// next sample is fetched; with those of the last one the same again, as nothing may lie beyond (ahead.h's LastOf).
class FetchNextSample : public Halide::Internal::IRMutator {
 public:
  FetchNextSample(const std::vector<Halide::Func> &tiles, const Halide::Func &result) : result_(result.name()) {
    for (const Halide::Func &tile : tiles) tiles_.insert(tile.name());
  }

 private:
  using IRMutator::visit;

  Halide::Internal::Stmt visit(const Halide::Internal::For *op) override {
    using namespace Halide::Internal;
    if (op->name.rfind(result_ + ".s0.", 0) == 0 && op->name.find(".n.") != std::string::npos) {
      more_ = Variable::make(Halide::Int(32), op->name) < op->min + op->extent - 1;
    }
    return IRMutator::visit(op);
  }

  Halide::Internal::Stmt visit(const Halide::Internal::Store *op) override {
    using namespace Halide::Internal;
    if (op->name == result_) return Block::make(Fetch(result_, op->value.type(), op->index, 1), op);
    if (tiles_.count(op->name) == 0) return op;
    Stmt s = op;
    for (const Halide::Internal::Load *load : Loads(op->value).found)
      s = Block::make(Fetch(load->name, load->type, load->index, 0), s);
    return s;
  }

  Halide::Internal::Stmt Fetch(const std::string &name, const Halide::Type &type, const Halide::Expr &index,
                               int for_write) const {
    using namespace Halide;
    using namespace Halide::Internal;
    const auto *ramp = index.as<Ramp>();
    const Expr sample = cast<int64_t>(Variable::make(Int(32), name + ".stride.2")) * type.bytes();
    const Expr base = reinterpret(UInt(64), Variable::make(Handle(), name));
    const Expr here = base + cast<uint64_t>(cast<int64_t>(ramp ? ramp->base : index) * type.bytes());
    const Expr address = reinterpret(Handle(), here + cast<uint64_t>(select(more_, sample, cast<int64_t>(0))));
    return Evaluate::make(Call::make(Int(32), "llvm.prefetch.p0", {address, for_write, 3, 1}, Call::Extern));
  }

  struct Loads : Halide::Internal::IRGraphVisitor {
    explicit Loads(const Halide::Expr &e) { e.accept(this); }
    using IRGraphVisitor::visit;
    void visit(const Halide::Internal::Load *op) override {
      if (op->param.defined()) found.push_back(op);  // an input
    }
    std::vector<const Halide::Internal::Load *> found;
  };

  std::set<std::string> tiles_;
  const std::string result_;
  Halide::Expr more_;  // whether there is a next sample
};

// `groups` vectors of channels a step, so that sums wait less for each other. Zen 5, one thread, AVX-512, float32, GB/s
// before (one vector a step, elements converted for each of three uses, numbers kept that nobody wants, nothing
// fetched) and now, plain and with leaky ReLU:
//   S = 4 in L2 19.0, 23.6; 9.5, 16.1   16 MiB 6.7, 21.5   S = 16 25.0, 30.7; 12.2, 21.8   S = 63 23.9, 32.4
// More of them, or versions without loops, spill registers.
inline void ScheduleTinyLast(WideSchedule &wide, const std::vector<Halide::Func> &tiles, int vector, int groups) {
  using namespace Halide;
  const Var c = wide.c, s = wide.s, n = wide.n, co("co"), cb("cb"), cg("cg"), ci("ci");
  const RVar which = wide.numbers.rvars(0)[0];
  Stage kept = wide.numbers.update();
  for (Stage stage : {Stage(wide.result), kept}) {
    stage.split(c, co, ci, vector, TailStrategy::RoundUp).split(co, cb, cg, groups, TailStrategy::GuardWithIf);
  }
  kept.reorder(ci, which, cg, cb, n).vectorize(ci).unroll(which);
  wide.result.reorder(ci, cg, s, cb, n).vectorize(ci).unroll(cg);
  kept.compute_with(wide.result, cb);

  const auto vectors = [&](Stage stage) {
    stage.split(c, cg, ci, vector, TailStrategy::RoundUp).vectorize(ci).unroll(cg);
  };
  std::vector<Func> funcs = wide.per_plane;
  for (PlaneSum *sum : wide.sums) funcs.push_back(sum->sum);
  for (Func f : funcs) {
    f.compute_at(wide.result, cb).bound_extent(c, vector * groups).bound_storage(n, 1);
    vectors(f);
    if (!f.has_update_definition()) continue;
    vectors(f.update());
    f.update().reorder(ci, cg, f.rvars(0)[0]);
  }
  for (Func tile : tiles) {
    tile.compute_at(wide.result, cb).store_in(MemoryType::Stack).bound_storage(s, kTiny).bound_storage(n, 1);
    tile.bound_extent(c, vector * groups);
    vectors(tile);
    tile.reorder(ci, cg, s, n);
  }
}

// Whether the gradient's kernel has that schedule, and does not read x and dy again for each use. (One Xeon thread,
// time by that of reading them again: AVX-512, float32, 4 elements 0.77, 9 0.88, 16 0.84, 49 0.9, in memory 0.8 to 1.0,
// bfloat16 0.76, 0.80, 0.74, 0.75, with ReLU 0.76 to 0.87 and 0.69 to 0.73, float64 1.0 to 1.18; AVX2, bfloat16 0.77 to
// 0.84, float32 0.92 to 1.0, but 1.3 where L2 doesn't hold the tensors: each row is read 64 bytes at a time. With what
// the next sample has fetched meanwhile, of 16 MiB 0.88, else 1.0 to 1.1.)
inline bool KeepsGradients(Element element, const Halide::Target &target) {
  if (target.has_feature(Halide::Target::AVX512)) return element != Element::kF64;
  return target.has_feature(Halide::Target::AVX2) && StorageType(element).bits() == 16;
}

// The numbers of elements of planes that the kernel of few elements takes, as IsFewLast in runtime/plan.h.
inline const std::vector<int> kFewLast = {4, 8};

// Such planes: each number of elements is a version without loops, where one of `forms` is true. First the numbers of
// `batch` vectors of channels, which wait for roots and divisions, then their results. One Xeon thread, 32x512 planes
// of 4 and 8 elements, time by that of ScheduleTinyLast: AVX-512 float32 0.90 and 0.94, bfloat16 0.86 and 0.94; AVX2
// 0.86 and 0.90, 0.83 and 0.90; 1024x512 planes of 4 0.93, 0.88, 0.86, 0.82. (2, 3, 9 and 16 elements: 0.95 to 1.19.
// The results of one vector beside the numbers of the next: 0.98 to 1.04 of this.)
inline void ScheduleFewLast(WideSchedule &wide, Halide::Func tile, int vector, int batch,
                            const std::vector<Halide::Expr> &forms) {
  using namespace Halide;
  const Var s = wide.s, n = wide.n;
  wide.AcrossChannels(vector, batch, kFewLast);
  wide.result.reorder(wide.ci, s, wide.cg, wide.cb, n);
  wide.Stage(tile, vector, batch);
  tile.bound_storage(s, kFewLast.back()).reorder(wide.ci, s, wide.cg, n);
  for (const int size : kFewLast) {
    const Expr has = wide.to.dim(0).extent() == size;
    for (const Expr &form : forms) wide.result.specialize(has && form).unroll(s);
    tile.specialize(has).unroll(s);
  }
  wide.result.specialize_fail("planes of few elements, no residual and no statistics wanted");
}

}  // namespace haline

#endif  // HALINE_GENERATORS_TINY_LAST_H_

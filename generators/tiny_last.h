// The schedule of the wide kernel for tiny planes of channels-last tensors: vectors across channels, which are read as
// they lie, once, and kept as the doubles that sums and results are made from.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_TINY_LAST_H_
#define HALINE_GENERATORS_TINY_LAST_H_

#include <string>
#include <utility>
#include <vector>

#include "ahead.h"
#include "wide_schedule.h"

namespace haline {

// A lowering pass: with each vector of elements that is read into `tile`, or written to `y`, that of the next sample is
// fetched.
class FetchNextSample : public Halide::Internal::IRMutator {
 public:
  FetchNextSample(std::string tile, std::string y) : tile_(std::move(tile)), y_(std::move(y)) {}

 private:
  using IRMutator::visit;

  Halide::Internal::Stmt visit(const Halide::Internal::Store *op) override {
    using namespace Halide::Internal;
    if (op->name == y_) return Block::make(Fetch(y_, op->value.type(), op->index, 1), op);
    if (op->name != tile_) return op;
    Stmt s = op;
    for (const Halide::Internal::Load *load : Loads(op->value).found)
      s = Block::make(Fetch(load->name, load->type, load->index, 0), s);
    return s;
  }

  static Halide::Internal::Stmt Fetch(const std::string &name, const Halide::Type &type, const Halide::Expr &index,
                                      int for_write) {
    using namespace Halide;
    using namespace Halide::Internal;
    const auto *ramp = index.as<Ramp>();
    const Expr sample = cast<int64_t>(Variable::make(Int(32), name + ".stride.2"));
    const Expr next = min(cast<int64_t>(ramp ? ramp->base : index) + sample, LastOf(name, "y"));
    const Expr base = reinterpret(UInt(64), Variable::make(Handle(), name));
    const Expr address = reinterpret(Handle(), base + cast<uint64_t>(next * type.bytes()));
    return Evaluate::make(Call::make(Int(32), "llvm.prefetch.p0", {address, for_write, 3, 1}, Call::Extern));
  }

  struct Loads : Halide::Internal::IRGraphVisitor {
    explicit Loads(const Halide::Expr &e) { e.accept(this); }
    using IRGraphVisitor::visit;
    void visit(const Halide::Internal::Load *op) override { found.push_back(op); }
    std::vector<const Halide::Internal::Load *> found;
  };

  const std::string tile_, y_;
};

// `groups` vectors of channels a step, so that sums wait less for each other. Zen 5, one thread, AVX-512, float32, GB/s
// before (one vector a step, elements converted for each of three uses, numbers kept that nobody wants, nothing
// fetched) and now, plain and with leaky ReLU:
//   S = 4 in L2 19.0, 23.6; 9.5, 16.1   16 MiB 6.7, 21.5   S = 16 25.0, 30.7; 12.2, 21.8   S = 63 23.9, 32.4
// More of them, or versions without loops, spill registers.
inline void ScheduleTinyLast(WideSchedule &wide, Halide::Func tile, int vector, int groups) {
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
  tile.compute_at(wide.result, cb).store_in(MemoryType::Stack).bound_storage(s, kTiny).bound_storage(n, 1);
  tile.bound_extent(c, vector * groups);
  vectors(tile);
  tile.reorder(ci, cg, s, n);
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

// Generators for GPUs: the same algorithms with another schedule, and with arithmetic that no compiler behind Halide
// can round differently.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_GPU_H_
#define HALINE_GENERATORS_GPU_H_

#include <map>
#include <string>
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

// A loop of an update: v from `min` on.
struct UpdateLoop {
  Halide::Var v;
  Halide::Expr min, extent;
};

// A generator whose kernels are made for processors and for GPUs. On GPUs they take more arguments, in this order:
// `flags` buffers (c, n) that say which planes are this kernel's; the first channel, channels, first sample and samples
// that it is to work on, where results lie in the caller's memory, whose start may not move; and `zero`.
template <typename T>
class KernelGenerator : public Halide::Generator<T> {
 public:
  void configure() { AddInputs(-1); }

 protected:
  bool gpu() const { return this->get_target().has_gpu_feature(); }

  // For the end of schedule(), on GPUs. `ports` are buffers whose innermost stride is free.
  template <typename... Ports>
  void FinishGpuSchedule(Ports &...ports) {
    (ports.dim(0).set_stride(Halide::Expr()), ...);
    for (auto *flag : flags_) flag->dim(0).set_stride(Halide::Expr());
    this->get_pipeline().add_custom_lowering_pass(new ExactArithmetic(*zero_));
  }

  // For configure(). flags < 0: works on whole results.
  void AddInputs(int flags) {
    if (!gpu()) return;
    for (int i = 0; i < flags; i++) {
      flags_.push_back(this->template add_input<Halide::Buffer<double, 2>>("fast" + std::to_string(i)));
    }
    for (const char *name : {"first_channel", "channels", "first_sample", "samples"}) {
      if (flags >= 0) planes_.push_back(this->template add_input<int32_t>(name));
    }
    zero_ = this->template add_input<int32_t>("zero");
  }

  // Whether the flags of plane (c, n) are all set; undefined on processors.
  Halide::Expr Fast(const Halide::Var &c, const Halide::Var &n) const {
    Halide::Expr fast;
    for (auto *flag : flags_) {
      // (Halide asks before it asks whether c is past the last plane.)
      const Halide::Expr set = (*flag)(Halide::min(c, flag->dim(0).max()), n) != 0;
      fast = fast.defined() ? fast && set : set;
    }
    return fast;
  }
  Halide::Expr NotFast(const Halide::Var &c, const Halide::Var &n) const {
    return flags_.empty() ? Halide::Expr() : !Fast(c, n);
  }

  // f(args) = value. On GPUs an update of what is there: of the planes in question alone, and of those alone for which
  // the condition holds, if there is one. `loops` are those over the other arguments.
  template <typename F>
  void Define(F &f, const std::vector<Halide::Var> &args, const Halide::Expr &value, std::vector<UpdateLoop> loops,
              const Halide::Var &c, const Halide::Var &n, const Halide::Expr &condition = Halide::Expr()) {
    if (planes_.empty()) {
      f(args) = value;
      return;
    }
    loops.push_back({c, *planes_[0], *planes_[1]});
    loops.push_back({n, *planes_[2], *planes_[3]});
    Update(f, args, value, loops, condition);
  }

  // The last channel that the kernel is to work on: blocks of planes may reach beyond.
  Halide::Expr LastChannel() const { return *planes_[0] + *planes_[1] - 1; }

  // numbers(c, which, n) = value, `count` of them: whole, and of the planes alone for which the condition holds, if
  // there is one.
  template <typename F>
  void DefineNumbers(F &numbers, const std::vector<Halide::Var> &args, const Halide::Var &which, int count,
                     const Halide::Expr &value, const Halide::Expr &condition) {
    if (condition.defined()) {
      Update(numbers, args, value, {{which, 0, count}}, condition);
    } else {
      numbers(args) = value;
    }
  }

  template <typename F>
  static void Update(F &f, const std::vector<Halide::Var> &args, const Halide::Expr &value,
                     const std::vector<UpdateLoop> &loops, const Halide::Expr &condition) {
    f(args) = Halide::undef(value.type());
    Halide::Region region;
    for (const UpdateLoop &loop : loops) region.emplace_back(loop.min, loop.extent);
    Halide::RDom r(region, "planes");
    std::map<std::string, Halide::Expr> inside;
    for (size_t i = 0; i < loops.size(); i++) inside[loops[i].v.name()] = r[static_cast<int>(i)];
    if (condition.defined()) r.where(Halide::Internal::substitute(inside, condition));
    std::vector<Halide::Expr> at;
    for (const Halide::Var &arg : args) at.push_back(Halide::Internal::substitute(inside, Halide::Expr(arg)));
    f(at) = Halide::Internal::substitute(inside, value);
    Halide::Func(f).gpu_single_thread();  // no code comes of what is undefined; but it must not seem to be the host's
  }

 private:
  std::vector<Halide::GeneratorInput<Halide::Buffer<double, 2>> *> flags_;
  std::vector<Halide::GeneratorInput<int32_t> *> planes_;
  Halide::GeneratorInput<int32_t> *zero_ = nullptr;
};

constexpr int kGpuPlanes = 8;  // of a block, where the lanes of each are threads

// The update f(s, c, n) of KernelGenerator::Define, s among the args: tiles of 256 elements of 4 planes for 64 x 4
// threads, which read and write whole lines also where planes are short.
inline void ScheduleElements(Halide::Func f) {
  using Halide::RVar;
  const std::vector<RVar> r = f.rvars();
  RVar so("so"), si("si"), st("st"), su("su"), co("co"), ci("ci");
  f.update()
      .split(r[0], so, si, 256, Halide::TailStrategy::GuardWithIf)
      .split(si, su, st, 64)
      .split(r[1], co, ci, 4, Halide::TailStrategy::GuardWithIf)
      .reorder({su, st, ci, so, co, r[2]})
      .unroll(su)
      .gpu_threads(st, ci)
      .gpu_blocks(so, co, r[2]);
}

// The same, a block of 256 threads for each plane.
inline void SchedulePlanes(Halide::Func f) {
  using Halide::RVar;
  const std::vector<RVar> r = f.rvars();
  RVar so("so"), si("si");
  f.update()
      .split(r[0], so, si, 256, Halide::TailStrategy::GuardWithIf)
      .reorder({so, si, r[1], r[2]})
      .gpu_threads(si)
      .gpu_blocks(r[1], r[2]);
}

// f(c, n), or f(c, which, n) with `which` unrolled: a thread for each plane, `threads` to a block.
struct PlaneThreads {
  Halide::Var co{"co"}, ci{"ci"};

  PlaneThreads(Halide::Stage f, const std::vector<Halide::VarOrRVar> &which, const Halide::Var &c, const Halide::Var &n,
               int threads) {
    std::vector<Halide::VarOrRVar> order = which;
    order.insert(order.end(), {ci, co, n});
    f.split(c, co, ci, threads, Halide::TailStrategy::GuardWithIf).reorder(order).gpu_threads(ci).gpu_blocks(co, n);
    for (const Halide::VarOrRVar &v : which) f.unroll(v);
  }
};

// f(u, c, ...), sums of `lanes` lanes, where `at` is a loop over blocks: a thread for each lane of each plane, whose
// sum is in registers until it is done.
inline void ScheduleLanes(Halide::Func f, const Halide::LoopLevel &at, const Halide::Var &c, int lanes) {
  Halide::Func shared = f.in();
  const Halide::Var u = shared.args()[0];
  shared.compute_at(at).bound(u, 0, lanes).gpu_threads(u, c);
  f.compute_at(shared, u);
}

}  // namespace haline

#endif  // HALINE_GENERATORS_GPU_H_

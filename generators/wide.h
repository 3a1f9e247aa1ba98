// What the wide kernels share: sums over whole planes in double, for planes of any size and content.
//
// `lanes` = 1: one sum, in the order of the elements, with vectors across planes: for tiny planes.
// `lanes` = 16: interleaved partial sums and a tree, with vectors along the plane: for those that float can't serve.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_WIDE_H_
#define HALINE_GENERATORS_WIDE_H_

#include "element.h"
#include "gpu_block.h"
#include "statistics.h"
#include "turn.h"

namespace haline {

// The sum of each of several terms over the elements 0 <= s < size of plane (c, n).
class PlaneSum {
 public:
  using Terms = std::function<Exprs(Halide::Expr s)>;

  // compensated: each sum carries along what its additions rounded off (Neumaier), which float64 planes need.
  // wanted: whether plane (c, n) is, where there is such a condition; the sums of the others are 0.
  PlaneSum(const std::string &name, const Terms &terms, const Halide::Expr &size, int lanes, bool compensated,
           Halide::Var c, Halide::Var n, const Halide::Expr &wanted = Halide::Expr())
      : sum(name), lanes_(lanes), compensated_(compensated), at_{c, n} {
    using namespace Halide;
    if (lanes > 1) at_.insert(at_.begin(), u_);
    count_ = terms(0).size();
    sum(at_) = Tuple(Exprs(count_ * (compensated ? 2 : 1), cast<double>(0)));
    RDom r(0, size / lanes, "r");
    if (wanted.defined()) r.where(wanted);
    Add(terms(lanes == 1 ? Expr(r) : r * lanes + u_));
    if (lanes > 1) {
      // The last elements, those already counted replaced by zero.
      const Expr whole = size / lanes * lanes;
      RDom tail(0, 1, "tail");
      tail.where(whole < size);
      if (wanted.defined()) tail.where(wanted);
      const Expr s = size - lanes + tail + u_;
      Exprs values = terms(s);
      for (Expr &e : values) e = select(s >= whole, e, cast<double>(0));
      Add(values);
      tree_ = std::make_unique<LaneTree>(sum, name + "_tree");
    }
  }

  Exprs Total(const Halide::Expr &c, const Halide::Expr &n) const {
    Exprs total = lanes_ == 1 ? Values(sum, {c, n}) : tree_->Total({c, n});
    if (compensated_) {
      for (size_t i = 0; i < count_; i++) total[i] += total[count_ + i];
      total.resize(count_);
    }
    return total;
  }

  void ScheduleAlongPlane(const Halide::LoopLevel &at, int vector) {
    sum.compute_at(at).bound(u_, 0, kLanes).vectorize(u_, vector).unroll(u_);
    for (int i : {0, 1}) sum.update(i).reorder(u_, sum.rvars(i)[0]).vectorize(u_, vector).unroll(u_);
    tree_->Schedule(at);
  }

  Halide::Func sum;

 private:
  void Add(const Exprs &values) {
    using namespace Halide;
    Exprs sums = Values(sum, at_);
    for (size_t i = 0; i < count_; i++) {
      const Expr before = sums[i], after = before + values[i];
      if (compensated_) {
        const Expr part = after - before;
        sums[count_ + i] += (before - (after - part)) + (values[i] - part);
      }
      sums[i] = after;
    }
    sum(at_) = Tuple(sums);
  }

  int lanes_;
  bool compensated_;
  size_t count_ = 0;
  Halide::Var u_{"u"};
  Exprs at_;
  std::unique_ptr<LaneTree> tree_;
};

// A power of two that brings the largest |value(r)|, r over the plane, near 1, so that no square leaves double's
// range: for float64 planes. NaNs are passed over. Nor does eps * factor^2, where there is an eps.
class PlaneScale {
 public:
  PlaneScale(const std::function<Halide::Expr(Halide::Expr)> &value, const Halide::Expr &size, Halide::Var c,
             Halide::Var n, const Halide::Expr &wanted, const Halide::Expr &eps = Halide::Expr()) {
    using namespace Halide;
    RDom r(0, size, "r");
    if (wanted.defined()) r.where(wanted);
    peak(c, n) = cast<double>(0);
    peak(c, n) = select(abs(value(r)) > peak(c, n), abs(value(r)), peak(c, n));
    const auto exponent = [](const Expr &e) { return cast<int64_t>(reinterpret<uint64_t>(e) >> 52); };  // biased
    Expr power = max(2046 - exponent(peak(c, n)), 1);
    if (eps.defined()) power = select(eps > 0, min(power, (4069 - exponent(eps)) / 2), power);
    factor = reinterpret<double>(cast<uint64_t>(power) << 52);
  }

  Halide::Func peak{"peak"};
  Halide::Expr factor;  // a function of c and n
};

// to(c, which, n) = numbers[which], unless nobody wants them: their stride is 0 then. Where `adds` is true, they are
// added to what is there, which samples may share.
template <typename F>
void DefineKept(F &to, const Halide::Var &c, const Halide::Var &n, const Exprs &numbers,
                const Halide::Expr &adds = false) {
  to(c, Halide::Var("which"), n) = Halide::undef<double>();
  Halide::RDom r(0, static_cast<int>(numbers.size()), "r");
  r.where(to.dim(1).stride() != 0);
  const Halide::Expr number = OneNan(Halide::mux(r, numbers));
  to(c, r, n) = Halide::select(adds, to(c, r, n) + number, number);
}

// The most elements of planes that the kernel of few elements takes. runtime/plan.h has the same numbers. (Versions for
// 5 to 8 elements are 30 to 60 KB a kernel: not for float64 nor the oldest processors. For up to 16 they would be 300,
// and take four minutes to compile.)
inline int MostFew(Element element, const Halide::Target &target) {
  const bool old = target.arch == Halide::Target::X86 && !target.has_feature(Halide::Target::AVX2);
  return element == Element::kF64 || old ? 4 : 8;
}

// The schedule of a wide kernel: `result` (s, c, n) and `numbers` (c, which, n) in one loop over the planes.
struct WideSchedule {
  Halide::Func result, numbers;
  std::vector<std::pair<Turn *, Halide::OutputImageParam>> inputs;  // used with vectors across planes
  Turn *turn;                           // the result (c, s, n) and (s, c, n), of planes of few elements
  std::vector<Halide::Func> per_plane;  // functions of (c, n); the last is all that the result is made from
  std::vector<PlaneSum *> sums;
  Halide::Expr plain;  // no activation, no residual
  Halide::OutputImageParam to;
  Halide::Var s, c, n, which;
  bool turned = false;                      // few = 0: results are made with vectors across planes
  std::vector<Halide::Expr> versions = {};  // conditions under which a plane's numbers take less work
  Halide::Expr turnable = {};               // see AcrossPlanes; where there is none, `plain`

  // Planes `vector` at a time, `batch` vectors of them a step: first the numbers of all, then the results. (What a
  // plane's numbers wait for, sums in order, a square root and a division, takes four times as long as it takes work.)
  //
  // `few` > 0: planes of up to that many elements that lie beside each other. Each size is a version of its own,
  // without loops, in which elements are turned on their way into vectors across planes and on their way out of them;
  // of four elements and more, which the other kernel can read, only where they are `turnable`. `few` = 0: at
  // least four elements, planes anywhere. The sums are made with vectors across planes, the results with vectors along
  // them, as each number can be broadcast from memory for nothing; or, where they are `turned`, across planes too.
  //
  // Zen 5, one thread, AVX-512, nanoseconds a plane, before (one vector of planes a step, all turned twice) and now:
  //   S         1     2     3     4     5     8     9     16    27    63
  //   forward   0.63  1.07  1.63  1.83  3.93  3.97  5.04  6.42  10.2  21.0
  //             0.62  0.79  1.28  1.14  1.83  2.44  4.95  5.39  9.70  19.0
  //   gradient  3.20  3.77  4.46  4.85  12.3  8.88  13.5  11.6  16.5  33.2
  //             0.82  1.14  1.53  1.63  2.32  3.36  7.33  7.25  13.6  27.4
  // The gradient of float32 planes that lie anywhere, along planes and turned, a vector of planes a step: S = 4 4.3 and
  // 2.6, 9 7.6 and 6.1, 16 7.5 and 7.5, 49 26.8 and 25.4, in half the code.
  void AcrossPlanes(int vector, int batch, int few) {
    using Halide::TailStrategy;
    Halide::Var so("so"), si("si");
    const auto dense = [&](const Halide::OutputImageParam &image, int size) {
      return to.dim(0).extent() == size && image.dim(1).stride() == size;
    };
    Halide::Stage kept = numbers.update();
    Batches(result, kept, numbers.rvars(0)[0], vector, batch);
    if (few > 0) {
      result.never_partition(cb, cg);
      kept.never_partition(cb, cg);
      for (int size = 1; size <= few; size++) {
        Halide::Expr all = dense(to, size);
        for (auto &[input, image] : inputs) all = all && dense(image, size);
        const bool shared = size >= Turn::kSide;  // with the other kernel
        if (shared) all = all && (turnable.defined() ? turnable : plain);
        Halide::Stage one = result.specialize(all);
        one.split(s, so, si, size, TailStrategy::RoundUp).reorder(si, ci, so, cg, cb, n).vectorize(si).vectorize(ci);
        if (shared && turnable.defined()) one.specialize(plain);
      }
      result.split(s, so, si, 1).reorder(si, ci, so, cg, cb, n);
      result.specialize_fail("few elements of planes that lie beside each other wanted");
      turn->ScheduleOut(Halide::LoopLevel(result, so), vector);
      turn->turned.specialize(plain);
    } else if (turned) {
      result.split(s, so, si, Turn::kSide, TailStrategy::ShiftInwards)
          .reorder(si, ci, so, cg, cb, n)
          .vectorize(si)
          .unroll(ci);
      turn->ScheduleOut(Halide::LoopLevel(result, so), vector);
      result.specialize(plain);
    } else {
      result.split(s, so, si, vector / 2, TailStrategy::Predicate).reorder(si, so, ci, cg, cb, n).vectorize(si);
      result.specialize(plain);
    }

    const Halide::LoopLevel group = ScheduleLast(vector, batch);
    for (auto &[input, image] : inputs) {
      const bool kept = few > 0 || turned;
      const Halide::LoopLevel at = kept ? Halide::LoopLevel(result, cb) : group;
      input->ScheduleIn(at, vector, kept ? vector * batch : vector, few, to.dim(0).extent());
    }
    std::vector<Halide::Func> funcs(per_plane.begin(), per_plane.end() - 1);
    for (PlaneSum *sum : sums) funcs.push_back(sum->sum);
    for (Halide::Func f : funcs) {
      f.compute_at(group).bound_extent(c, vector).vectorize(c);
      if (!f.has_update_definition()) continue;
      const Halide::RVar r = f.rvars(0)[0];
      f.update().reorder(c, r).vectorize(c);
      // (Fewer elements, whose versions have the sums of all forms, take a fifth more time if all sums are unrolled.)
      few > 0 ? f.update().specialize(turnable.defined() ? turnable : plain).unroll(r) : f.update().specialize(plain);
    }
  }

  // Vectors across the channels of channels-last tensors, which are read as they lie; whole vectors of them alone,
  // `batch` a step, as above. Zen 5, one thread, AVX-512, GB/s at S = 4 and 16, 1 and 4 a step: the gradient 3.3 and
  // 8.3, 10.7 and 18.2; forward 17.4 and 19.4, 22.7 and 25.5 in L2, but 9.8 and 8.2 for 16 MiB with S = 4.
  void AcrossChannels(int vector, int batch) {
    if (numbers.has_update_definition()) {
      Batches(result, numbers.update(), numbers.rvars(0)[0], vector, batch);
    } else {
      Batches(result, numbers, which, vector, batch);
    }
    result.reorder(ci, cg, s, cb, n).vectorize(ci);
    std::vector<Halide::Func> funcs(per_plane.begin(), per_plane.end() - (batch > 1));
    for (PlaneSum *sum : sums) funcs.push_back(sum->sum);
    const Halide::LoopLevel group = batch > 1 ? ScheduleLast(vector, batch) : Halide::LoopLevel(result, cb);
    for (Halide::Func f : funcs) {
      f.compute_at(group).bound_extent(c, vector).vectorize(c);
      if (f.has_update_definition()) f.update().reorder(c, f.rvars(0)[0]).vectorize(c).specialize(plain);
    }
  }

  // One kernel. Tiny planes are read once, into shared memory. `few`: the few planes that float can't serve, of 8 that
  // a block looks at: where it has none, it has done nothing but that.
  void OnGpu(bool few) {
    const BlockShape shape = few ? BlockShape{BlockShape::kEach, 8, 256} : BlockShape{BlockShape::kFlat, 32, 128};
    BlockSchedule schedule(result, numbers, shape, c, n);
    for (size_t i = sums.size(); i < per_plane.size(); i++) schedule.Numbers(per_plane[i], {});
    for (size_t i = 0; i < sums.size(); i++) {
      if (few) {
        schedule.Lanes(sums[i]->sum);
        schedule.Numbers(per_plane[i], {});
      } else {
        schedule.Numbers(per_plane[i], {sums[i]->sum});
      }
    }
    if (few) return;
    // (One column more than planes, so that neither rows nor columns lie in one bank.)
    for (auto &[input, image] : inputs) {
      if (image.name().find("residual") != std::string::npos) continue;  // read once: from where it is
      input->turned.bound_storage(c, shape.planes + 1).bound(s, 0, Halide::max(image.dim(0).extent(), 1));
      schedule.Elements(input->turned, s);
    }
  }

  void AlongPlane(int vector) {
    result.vectorize(s, vector, Halide::TailStrategy::GuardWithIf);
    numbers.reorder(which, c, n);
    numbers.compute_with(result, c);
    for (Halide::Func f : per_plane) f.compute_at(result, c);
    for (PlaneSum *sum : sums) sum->ScheduleAlongPlane(Halide::LoopLevel(result, c), vector);
  }

  // Planes c as vectors ci, `batch` of them a step of cb, in `made` and, with its steps, in `kept`, its numbers.
  void Batches(Halide::Stage made, Halide::Stage kept, const Halide::VarOrRVar &each, int vector, int batch) {
    using Halide::TailStrategy;
    for (Halide::Stage *stage : {&made, &kept}) {
      stage->split(c, co, ci, vector, TailStrategy::RoundUp).split(co, cb, cg, batch, TailStrategy::GuardWithIf);
    }
    kept.reorder(ci, each, cg, cb, n).vectorize(ci).unroll(each);
    kept.compute_with(made, cb);
  }

  // What results are made from, of `batch` vectors of planes for each iteration of cb; the loop over the vectors.
  Halide::LoopLevel ScheduleLast(int vector, int batch) {
    Halide::Func last = per_plane.back();
    Stage(last, vector, batch);
    for (const Halide::Expr &version : versions) last.specialize(version);
    return Halide::LoopLevel(last, cg);
  }

  // Numbers (c, n) of `batch` vectors of planes, made for each iteration of cb.
  void Stage(Halide::Func f, int vector, int batch) {
    f.compute_at(result, cb).store_in(Halide::MemoryType::Stack).bound_storage(c, vector * batch).bound_storage(n, 1);
    f.split(c, cg, ci, vector, Halide::TailStrategy::RoundUp).reorder(ci, cg, n).vectorize(ci);
  }

  const Halide::Var co{"co"}, ci{"ci"}, cb{"cb"}, cg{"cg"};
};

}  // namespace haline

#endif  // HALINE_GENERATORS_WIDE_H_

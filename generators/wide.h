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

// The schedule of a wide kernel: `result` (s, c, n) and `numbers` (c, which, n) in one loop over the planes.
struct WideSchedule {
  Halide::Func result, numbers;
  std::vector<std::pair<Turn *, Halide::OutputImageParam>> inputs;  // used with vectors across planes
  Turn *turn;                           // the result (c, s, n) and (s, c, n), used with vectors across planes
  std::vector<Halide::Func> per_plane;  // functions of (c, n)
  std::vector<PlaneSum *> sums;
  Halide::Expr plain;  // no activation, no residual
  Halide::OutputImageParam to;
  Halide::Var s, c, n, which;

  // Vectors of `vector` planes: turned on their way into memory on the stack and out of it. Zen 5, one thread, AVX-512,
  // GB/s of one read and one write at S = 4, 16, 60: elements gathered and scattered one by one 7, 9, 10; turned 15,
  // 17, 20; each made a double once, not in three places, 16, 19, 24. With AVX2 8 planes at a time are 10 to 20 %
  // slower than 16, as each sum waits for the one before. Planes of up to four elements that lie beside each other are
  // versions of their own, without loops; smaller sizes come first, as later versions share their arrays, if those are
  // large enough, and an array that is not always used alike stays out of registers.
  void AcrossPlanes(int vector) {
    using Halide::TailStrategy;
    constexpr int kSide = Turn::kSide;
    Halide::Var co("co"), ci("ci"), so("so"), si("si");
    const auto dense = [&](const Halide::OutputImageParam &image, int size) {
      return to.dim(0).extent() == size && image.dim(1).stride() == size;
    };
    result.split(c, co, ci, vector, TailStrategy::RoundUp);
    for (int size = 1; size <= kSide; size++) {
      Halide::Expr all = dense(to, size);
      for (auto &[input, image] : inputs) all = all && dense(image, size);
      result.specialize(all)
          .split(s, so, si, size, TailStrategy::RoundUp)
          .reorder(si, ci, so, co, n)
          .vectorize(si)
          .vectorize(ci);
    }
    result.specialize(to.dim(0).extent() >= kSide)
        .split(s, so, si, kSide, TailStrategy::ShiftInwards)
        .reorder(si, ci, so, co, n)
        .vectorize(si)
        .unroll(ci);
    result.split(s, so, si, 1).reorder(si, ci, so, co, n);
    result.specialize_fail("planes of fewer elements must lie beside each other");
    numbers.split(c, co, ci, vector, TailStrategy::RoundUp).reorder(ci, which, co, n).vectorize(ci).unroll(which);
    numbers.compute_with(result, co);

    turn->ScheduleOut(Halide::LoopLevel(result, so), vector);
    turn->turned.specialize(plain);
    for (auto &[input, image] : inputs) {
      input->ScheduleIn(Halide::LoopLevel(result, co), vector, [&](int size) { return dense(image, size); });
    }
    std::vector<Halide::Func> funcs = per_plane;
    for (PlaneSum *sum : sums) funcs.push_back(sum->sum);
    for (Halide::Func f : funcs) {
      f.compute_at(result, co).bound_extent(c, vector).vectorize(c);
      if (!f.has_update_definition()) continue;
      const Halide::RVar r = f.rvars(0)[0];
      f.update().reorder(c, r).vectorize(c);
      for (int size = 1; size <= kSide; size++) f.update().specialize(plain && to.dim(0).extent() == size).unroll(r);
      f.update().specialize(plain);
    }
  }

  // Vectors across the channels of channels-last tensors, which are read as they lie; whole vectors of them alone.
  void AcrossChannels(int vector) {
    using Halide::TailStrategy;
    Halide::Var co("co"), ci("ci");
    result.split(c, co, ci, vector, TailStrategy::RoundUp).reorder(ci, s, co, n).vectorize(ci);
    numbers.split(c, co, ci, vector, TailStrategy::RoundUp).reorder(ci, which, co, n).vectorize(ci).unroll(which);
    numbers.compute_with(result, co);
    std::vector<Halide::Func> funcs = per_plane;
    for (PlaneSum *sum : sums) funcs.push_back(sum->sum);
    for (Halide::Func f : funcs) {
      f.compute_at(result, co).bound_extent(c, vector).vectorize(c);
      if (f.has_update_definition()) f.update().reorder(c, f.rvars(0)[0]).vectorize(c);
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
};

}  // namespace haline

#endif  // HALINE_GENERATORS_WIDE_H_

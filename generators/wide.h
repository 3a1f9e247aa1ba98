// What the wide kernels share: sums over whole planes in double, for planes of any size and content.
//
// `lanes` = 1: one sum, in the order of the elements, with vectors across planes: for tiny planes.
// `lanes` = 16: interleaved partial sums and a tree, with vectors along the plane: for those that float can't serve.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_WIDE_H_
#define HALINE_GENERATORS_WIDE_H_

#include "element.h"
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

}  // namespace haline

#endif  // HALINE_GENERATORS_WIDE_H_

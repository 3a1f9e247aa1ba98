// Instance norm of whole planes in double: right for every finite input, and for every plane of at least one element.
//
//   mean = x0 + sum(x - x0) / S      var = (sum(e^2) - sum(e)^2 / S) / S with e = x - mean
//   y = (x - mean) * (scale * rstd) + shift, rounded once
//
// Serves two kinds of planes: the tiny ones (`lanes` = 1: one sum, in order; vectors run across planes) and those
// that float sums can't do justice (`lanes` = 16; vectors run along the plane).
#include "statistics.h"

namespace haline {
using namespace Halide;

class Wide : public Generator<Wide> {
 public:
  GeneratorParam<int> lanes{"lanes", 1};  // 1 or 16; part of the result's definition

  Input<Buffer<float, 3>> x{"x"};          // (s, c, n), s contiguous; lanes = 16: at least 16 elements
  Input<Buffer<float, 2>> scale{"scale"};  // (c, n)
  Input<Buffer<float, 2>> shift{"shift"};  // (c, n)
  Input<double> eps{"eps"};
  Output<Buffer<float, 3>> y{"y"};          // (s, c, n), s contiguous; may be x
  Output<Buffer<float, 3>> stats{"stats"};  // (c, {mean, rstd}, n); c and its extent are those of y

  void generate() {
    const Expr size = x.dim(0).extent();
    const Expr count = cast<double>(size);
    // Planes past the last one, in the last vector, repeat it.
    const auto padded = [this](const Expr &index, const Expr &last) { return min(likely(index), last); };
    xt(c, s, n) = x(s, padded(c, x.dim(1).max()), n);
    const auto value = [this](const Expr &i) { return cast<double>(xt(c, i, n)); };
    const auto of_plane = [&](Input<Buffer<float, 2>> &f) { return cast<double>(f(padded(c, f.dim(0).max()), n)); };

    const Expr first = value(0);
    Sum(difference, size, [&](const Expr &i) { return std::vector<Expr>{value(i) - first}; });
    mean(c, n) = first + Total(difference, difference_tree)[0] / count;
    Sum(squares, size, [&](const Expr &i) {
      const Expr e = value(i) - mean(c, n);
      return std::vector<Expr>{e, e * e};
    });
    const std::vector<Expr> total = Total(squares, squares_tree);
    const Expr var = max((total[1] - total[0] * total[0] / count) / count, 0);
    const Expr rstd = select(var + eps == 0, 0, 1 / sqrt(var + eps));
    normal(c, n) = Tuple(mean(c, n), of_plane(scale) * rstd, of_plane(shift), rstd);

    const Expr result = (value(s) - normal(c, n)[0]) * normal(c, n)[1] + normal(c, n)[2];
    y(s, c, n) = OneNan(cast<float>(result));
    stats(c, which, n) = OneNan(cast<float>(mux(which, {normal(c, n)[0], normal(c, n)[3]})));
  }

  void schedule() {
    stats.dim(0).set_bounds(y.dim(1).min(), y.dim(1).extent());
    stats.dim(1).set_bounds(0, 2);
    stats.dim(2).set_bounds(y.dim(2).min(), y.dim(2).extent());
    stats.bound(which, 0, 2);
    x.dim(0).set_min(0);
    y.dim(0).set_min(0);
    y.dim(1).set_min(0);
    if (lanes == 1) {
      ScheduleAcrossPlanes();
    } else {
      ScheduleAlongPlane();
    }
  }

 private:
  // f(u, c, n), or f(c, n) with one lane, = the sum of term(i) over i < size.
  void Sum(Func &f, const Expr &size, const std::function<std::vector<Expr>(Expr)> &term) {
    std::vector<Expr> at = {c, n};
    if (lanes > 1) at.insert(at.begin(), u);
    f(at) = Tuple(std::vector<Expr>(term(0).size(), cast<double>(0)));
    const auto add = [&](const std::vector<Expr> &terms, const Expr &counts) {
      std::vector<Expr> sums = Values(f, at);
      for (size_t k = 0; k < sums.size(); k++) {
        sums[k] += counts.defined() ? select(counts, terms[k], cast<double>(0)) : terms[k];
      }
      f(at) = Tuple(sums);
    };
    const Expr whole = size / lanes * lanes;
    RDom r(0, size / lanes, "r");
    add(term(lanes == 1 ? Expr(r) : r * lanes + u), Expr());
    if (lanes == 1) return;
    RDom tail(0, 1, "tail");  // the last elements, those already counted replaced by zero
    tail.where(whole < size);
    const Expr i = size - lanes + tail + u;
    add(term(i), i >= whole);
  }

  std::vector<Expr> Total(Func &f, std::unique_ptr<LaneTree> &tree) {
    if (lanes == 1) return Values(f, {c, n});
    tree = std::make_unique<LaneTree>(f, f.name() + "_tree");
    return Values(tree->result(), {0, c, n});
  }

  // x86 and ARM make different NaNs, and pass on those they are given.
  static Expr OneNan(const Expr &e) { return select(e == e, e, reinterpret<float>(Expr(0x7fc00000u))); }

  void ScheduleAcrossPlanes() {
    const int vector = natural_vector_size<float>();
    y.split(c, co, ci, vector, TailStrategy::GuardWithIf).reorder(ci, s, co, n).vectorize(ci);
    stats.split(c, co, ci, vector, TailStrategy::GuardWithIf).reorder(ci, which, co, n).vectorize(ci).unroll(which);
    stats.compute_with(y, co);
    xt.bound_storage(c, vector).bound_storage(s, kTiny).bound_storage(n, 1);  // on the stack
    for (Func f : {xt, difference, mean, squares, normal}) {
      f.compute_at(y, co).align_bounds(c, vector).vectorize(c, vector);
      if (f.has_update_definition()) f.update().reorder(c, f.rvars(0)[0]).vectorize(c, vector);
    }
  }

  void ScheduleAlongPlane() {
    const int vector = natural_vector_size<double>();
    y.vectorize(s, vector, TailStrategy::GuardWithIf);
    stats.reorder(which, c, n);
    stats.compute_with(y, c);
    mean.compute_at(y, c);
    normal.compute_at(y, c);
    for (Func f : {difference, squares}) {
      f.compute_at(y, c).bound(u, 0, kLanes).vectorize(u, vector).unroll(u);
      for (int i : {0, 1}) f.update(i).reorder(u, f.rvars(i)[0]).vectorize(u, vector).unroll(u);
    }
    difference_tree->schedule(LoopLevel(y, c));
    squares_tree->schedule(LoopLevel(y, c));
  }

  Var s{"s"}, c{"c"}, n{"n"}, u{"u"}, which{"which"}, co{"co"}, ci{"ci"};
  Func xt{"xt"}, difference{"difference"}, mean{"mean"}, squares{"squares"}, normal{"normal"};
  std::unique_ptr<LaneTree> difference_tree, squares_tree;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Wide, haline_wide)

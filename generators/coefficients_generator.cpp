// From a plane's sums to the three floats that normalise it, y = (x - h) * a + b: in double, each rounded once.
//
//   mean = pivot + s1 / S      var = s2 / S - (s1 / S)^2      rstd = 1 / sqrt(var + eps)
//   a = scale * rstd           h + lo = mean                  b = shift - lo * a
//
// `fast` is 0 where three floats can't keep the promised accuracy: such a plane goes to the wide kernel.
#include "Halide.h"

namespace haline {
using namespace Halide;

class Coefficients : public Generator<Coefficients> {
 public:
  Input<Buffer<double, 4>> sums{"sums"};   // (c, {pivot, s1, s2}, block, n); c a multiple of 16
  Input<Buffer<float, 2>> scale{"scale"};  // (c, n)
  Input<Buffer<float, 2>> shift{"shift"};  // (c, n)
  Input<double> eps{"eps"};
  Input<double> count{"count"};                           // elements of a plane
  Output<Buffer<float, 3>> coefficients{"coefficients"};  // (c, {h, a, b, fast, mean, rstd}, n); c as in sums

  void generate() {
    block = RDom(0, sums.dim(2).extent(), "block");
    total(c, n) = Tuple(cast<double>(0), cast<double>(0));
    total(c, n) = Tuple(total(c, n)[0] + sums(c, 1, block, n), total(c, n)[1] + sums(c, 2, block, n));

    const Expr s1 = total(c, n)[0], s2 = total(c, n)[1];
    const Expr pivot = sums(c, 0, 0, n);
    const Expr delta = s1 / count;
    const Expr mean = pivot + delta;
    const Expr var = max(s2 / count - delta * delta, 0);
    const Expr rstd = select(var + eps > 0, 1 / sqrt(var + eps), 0);

    // The scratch buffers are padded to whole vectors; the caller's are not, so their last element is repeated.
    const auto padded = [this](Input<Buffer<float, 2>> &f) {
      return cast<double>(f(min(likely(c), f.dim(0).max()), n));
    };
    const Expr gain = padded(scale), offset = padded(shift);
    const Expr a = gain * rstd;
    const Expr hi = cast<float>(mean);
    const Expr lo = (pivot - cast<double>(hi)) + delta;

    // A shift that is large beside y would leave y the shift's rounding error. Then h is where y is 0, instead of
    // the mean, and y keeps its relative accuracy. (Not for a constant plane, whose y is exactly the shift.)
    const Expr root = mean - offset / a;
    const Expr root_hi = cast<float>(root);
    const Expr rooted = abs(offset) > 2 * max(abs(gain), 1) && var > 0 && abs(root) < cast<double>(1e30f);

    const Expr h = select(rooted, root_hi, hi);
    const Expr b = cast<float>(select(rooted, (cast<double>(root_hi) - root) * a, offset - lo * a));

    // The pivot lies within 0.36 standard deviations of the mean; no square overflowed nor, where eps is too small
    // to hide it, underflowed; the three floats are finite. Each is written so that a NaN says no.
    const Expr finite = cast<double>(3e38f);
    const Expr fast = 9 * s1 * s1 <= count * s2 && s2 < finite * count &&
                      (eps >= cast<double>(1e-24f) || s2 >= count * cast<double>(1e-30f)) && abs(mean) < finite &&
                      abs(a) < finite && abs(h) < 3e38f && abs(b) < 3e38f;
    stats(c, n) = Tuple(h, cast<float>(a), b, select(fast, 1.f, 0.f), hi, cast<float>(rstd));
    std::vector<Expr> columns;
    for (int i = 0; i < 6; i++) columns.push_back(stats(c, n)[i]);
    coefficients(c, which, n) = mux(which, columns);
  }

  void schedule() {
    // Vectors across planes: the square root and the divisions are what a small plane would spend its time on.
    const int vector = natural_vector_size<double>();
    Var co("co"), ci("ci");
    sums.dim(0).set_min(0);
    sums.dim(1).set_bounds(0, 3);
    sums.dim(2).set_min(0);
    coefficients.dim(0).set_min(0);
    coefficients.dim(1).set_bounds(0, 6);
    coefficients.split(c, co, ci, vector, TailStrategy::RoundUp).reorder(ci, which, co, n).vectorize(ci).unroll(which);
    stats.compute_at(coefficients, co).vectorize(c, vector);
    total.compute_at(coefficients, co).vectorize(c, vector);
    total.update().reorder(c, block).vectorize(c, vector);
  }

 private:
  Var c{"c"}, n{"n"}, which{"which"};
  RDom block;
  Func total{"total"}, stats{"stats"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Coefficients, haline_coefficients)

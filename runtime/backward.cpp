// The backward pass: sums of the gradient, their coefficients, dx, part by part; then the gradients of scale and shift.

#include "gradient_results.h"
#include "tiny.h"

namespace haline {
namespace {

class BackwardEngine : public GradientResults {
 public:
  using GradientResults::GradientResults;

  haline_status Run() {
    // By channel, the planes' shares are kept and added at the end, in the samples' order.
    if (ByChannel(problem_.dscale) || ByChannel(problem_.dshift)) {
      shares_.reset(static_cast<double *>(std::calloc(2 * problem_.planes() + 1, sizeof(double))));
      if (!shares_)
        return Fail(HALINE_OUT_OF_MEMORY, "out of memory for the gradients of scale and shift of %lld planes",
                    static_cast<long long>(problem_.planes()));
    }
    ForParts<Late>([this](const Part &part, bool parallel, Late *now, Late *before) {
      Differentiate(part, parallel, now, before);
      Finish(before);
    });
    if (!outcome_.failed() && shares_) AddShares();
    return outcome_.Tell();
  }

 private:
  static bool ByChannel(const PerPlane &result) { return result && result.n_stride == 0; }
  static bool ByPlane(const PerPlane &result) { return result && result.n_stride != 0; }

  void Differentiate(const Part &part, bool parallel, Late *now, Late *before) {
    if (part.size == 0) {
      Record(part, [](int64_t, int64_t, int) { return 0.0; });
    } else if (part.size < kTiny && TinyLast(part, problem_.dx) == 0) {
      Tiny(part);
    } else {
      double *const means = now->means;
      double rstds[kSlots];
      const int64_t row = part.padded();
      for (int64_t n = 0; n < part.batch; n++) {
        for (int64_t c = 0; c < row; c++) {
          const int64_t from = part.c + std::min(c, part.channels - 1);
          means[n * row + c] = problem_.mean.Get(part.n + n, from);
          rstds[n * row + c] = problem_.rstd.Get(part.n + n, from);
        }
      }
      if (part.size < kTiny) {
        const int64_t last = TinyLast(part, problem_.dx);
        WideLast({part.n, part.batch, part.c, last, part.size}, means, rstds, row);
        if (last < part.channels) Tiny({part.n, part.batch, part.c + last, part.channels - last, part.size});
      } else {
        Fast(part, parallel, rstds, now, before);
      }
    }
    if (!problem_.lengths) return;
    for (const Array *array : {&problem_.dx, &problem_.dresidual}) {
      for (int64_t c = 0; c < part.channels && array->data; c++) {
        Array plane = *array;
        plane.data = plane.plane(0, part.c + c);
        FillRows(plane, part.n, 1, problem_.length(part.n), problem_.extent);
      }
    }
  }

  void Fast(const Part &part, bool parallel, const double *rstds, Late *now, Late *before) {
    const int64_t blocks = Blocks(part.size), row = part.padded();
    const double *const means = now->means;
    double *const coefficients = now->coefficients, *const gradients = now->gradients;
    double own_sums[3 * kSlots];
    Memory<double> heap;
    double *const sums = Room(own_sums, 3 * kSlots, 3 * row * part.batch * blocks, &heap);
    if (!sums) return;
    if (active()) {
      ForwardCoefficients(part, parallel, means, rstds, sums, coefficients, before);
    } else if (problem_.dresidual.data) {
      // z is made, though nothing depends on it: not of what happens to lie in memory, slow denormal numbers perhaps.
      std::fill_n(coefficients, kForwardColumns * row * part.batch, 0.0);
    }

    SumUp(part, parallel, means, coefficients, sums, before);
    View in = Sums(sums, part, row, 3, 0, blocks);
    View mean = PerPlanes(means, part, row), rstd = PerPlanes(rstds, part, row);
    View out = Columns(gradients, part, row, kColumns, row);
    Call("gradient_coefficients", kernels_.gradient_coefficients, in, mean, rstd, Scale(part),
         static_cast<double>(part.size), problem_.frozen, out);
    if (outcome_.failed()) return;

    const auto column = [&](int64_t n, int64_t c, int which) { return gradients[(n * kColumns + which) * row + c]; };
    Record(part, [&](int64_t n, int64_t c, int which) { return column(n, c, kDshift + which); });
    const auto fast = [&](int64_t n, int64_t c) {
      return column(n, c, kFast) != 0 &&
             (!active() || problem_.frozen || coefficients[(n * kForwardColumns + kForwardFast) * row + c] != 0);
    };
    bool all_fast = true;
    for (int64_t n = 0; n < part.batch; n++) {
      for (int64_t c = 0; c < part.channels; c++) all_fast = all_fast && fast(n, c);
    }
    const Numbers numbers{means, coefficients, gradients, row};
    if (all_fast && !parallel && Streams(part)) {
      now->row = row;
      return Wait(part, TilesOf(part, 0, part.size), now);
    }
    if (all_fast) return Apply(part, parallel, numbers);
    ForRuns(
        part, fast, [&](const Part &run, int64_t n, int64_t c) { Apply(run, parallel, numbers.At(n, c)); },
        [&](const Part &plane, int64_t n, int64_t c) { Wide(plane, means + n * row + c, rstds + n * row + c, row); });
  }

  // Sums of the gradient; what waits is written meanwhile.
  void SumUp(const Part &part, bool parallel, const double *means, const double *coefficients, double *sums,
             Late *before) {
    if (plan_.layout == Layout::kLast) return GradientSumsLast(part, parallel, means, coefficients, sums);
    const int64_t row = part.padded(), blocks = Blocks(part.size);
    const bool direct = Direct(part, {&problem_.x, &problem_.dy, &residual()}), stepwise = before->waits();
    if (stepwise && direct && !active() && Flow(before, part, means, sums)) return;
    ForBlocks(part, parallel, direct && !stepwise, [&](int64_t block, int64_t count, int64_t first, int64_t elements) {
      if (stepwise) Continue(before, part, block, blocks, {&problem_.x, &problem_.dy});
      const Window x = Read(problem_.x, part, first, elements), dy = Read(problem_.dy, part, first, elements),
                   r = Read(residual(), part, first, elements);
      View forward = Columns(coefficients, part, part.channels, kForwardColumns, row);
      View mean = PerPlanes(means, part, part.channels);
      View out = Sums(sums, part, part.channels, 3, block, count);
      Call("gradient_sums", part.size < kLarge ? kernels_.gradient_sums_small : kernels_.gradient_sums_large,
           x.Planes(), dy.Planes(), r.Planes(), forward, mean, has_residual(), problem_.slope, active() ? 1 : 0, out);
    });
  }

  // The forward pass's own coefficients, so that z changes sign where it did there: from x again, as a mean that was
  // rounded to float may lie far from it, in standard deviations.
  void ForwardCoefficients(const Part &part, bool parallel, const double *means, const double *rstds, double *sums,
                           double *coefficients, Waiting *before) {
    const int64_t row = part.padded();
    double own_pivots[kSlots];
    double count = static_cast<double>(part.size), eps = problem_.eps;
    int64_t blocks = Blocks(part.size);
    if (problem_.frozen) {
      for (int64_t n = 0; n < part.batch; n++) {
        for (int64_t c = 0; c < row; c++) {
          const double rstd = rstds[n * row + c];
          own_pivots[n * row + c] = means[n * row + c];
          sums[2 * n * row + c] = 0;
          sums[(2 * n + 1) * row + c] = rstd == 0 ? 0 : 1 / (rstd * rstd);
        }
      }
      count = 1;
      eps = 0;
      blocks = 1;
    } else {
      Moments(part, parallel, own_pivots, sums, before);
    }
    View pivot = PerPlanes(own_pivots, part, row);
    View in(sums, {{row, 1}, {2, row}, {blocks, 2 * row}, {part.batch, 2 * row * blocks}});
    View out = Columns(coefficients, part, row, kForwardColumns, row);
    Call("coefficients", kernels_.coefficients, pivot, in, Scale(part), Shift(part), eps, count, out);
  }

  // All in double: planes of which a vector is worked on together.
  void Tiny(const Part &part) {
    const TinyPart tiny(part);
    // The sums go where those of all planes are, if they are nobody else's and the kernels' rows are those of channels.
    const bool by_plane = ByPlane(problem_.dscale) || ByPlane(problem_.dshift);
    const bool shared = shares_ && !by_plane && !tiny.list;
    double own_sums[2 * kSlots];
    double *const sums = by_plane || (shares_ && !shared) ? own_sums : nullptr;
    const TinyArray x(problem_.Valid(problem_.x, part.n), tiny, Window::kRead, &outcome_),
        dy(problem_.Valid(problem_.dy, part.n), tiny, Window::kRead, &outcome_);
    const TinyArray r(problem_.Valid(problem_.residual, part.n), tiny, has_residual() ? Window::kRead : Window::kNone,
                      &outcome_);
    const Element math = MathElement(problem_.element);
    const TinyValues scale(problem_.scale, 1, math, tiny, &outcome_), shift(problem_.shift, 0, math, tiny, &outcome_),
        mean(problem_.mean, 0, Element::kF64, tiny, &outcome_), rstd(problem_.rstd, 0, Element::kF64, tiny, &outcome_);
    for (const bool only_g : {true, false}) {
      const Array &to = only_g ? problem_.dresidual : problem_.dx;
      if (only_g && !to.data) continue;
      const TinyArray dx(problem_.Valid(to.data ? to : Nowhere(part.size), part.n), tiny, Window::kWrite, &outcome_);
      for (const bool rest : {false, true}) {
        if (rest ? tiny.whole == tiny.columns : tiny.whole == 0) continue;
        // (Without an activation the residual is not looked at.)
        const bool plain = !active() && !only_g;
        const bool few = Few(part.size, plain, x.dense(rest) && dy.dense(rest) && dx.dense(rest));
        Call("wide_gradient", few ? kernels_.wide_gradient_few : kernels_.wide_gradient_across, x.Elements(rest),
             dy.Elements(rest), (has_residual() && !plain ? r : x).Elements(rest), scale.Columns(rest),
             shift.Columns(rest), mean.Columns(rest), rstd.Columns(rest), has_residual(), problem_.slope,
             problem_.frozen, only_g, dx.Elements(rest), shared ? Shares(part) : tiny.Numbers(sums, 2, rest));
      }
      if (!outcome_.failed()) dx.Flush();
    }
    if (outcome_.failed() || !sums) return;
    Record(part, [&](int64_t n, int64_t c, int which) { return sums[tiny.At(n, c, which, 2)]; });
  }

  // Where only the gradients of scale and shift are wanted.
  Array Nowhere(int64_t size) const {
    Array nowhere;
    nowhere.element = problem_.element;
    nowhere.loops[0] = {size, 2};
    return nowhere;
  }

  // All in double: single planes that the float kernels can't do justice.
  void Wide(const Part &part, const double *means, const double *rstds, int64_t row) {
    double sums[2 * kSlots];
    View out = Columns(sums, part, part.channels, 2, part.channels);
    View mean(means, {{part.channels, 1}, {part.batch, row}}), rstd(rstds, {{part.channels, 1}, {part.batch, row}});
    const Window x = Read(problem_.x, part, 0, part.size), dy = Read(problem_.dy, part, 0, part.size),
                 r = Read(residual(), part, 0, part.size);
    for (const bool only_g : {true, false}) {
      const Array &to = only_g ? problem_.dresidual : problem_.dx;
      if (only_g && !to.data) continue;
      const Window dx = Written(to.data ? to : Nowhere(part.size), part, 0, part.size);
      Call("wide_gradient", kernels_.wide_gradient_along, x.Elements(), dy.Elements(), r.Elements(), Scale(part),
           Shift(part), mean, rstd, has_residual(), problem_.slope, problem_.frozen, only_g, dx.Elements(), out);
      if (!outcome_.failed() && to.data) dx.Flush();
    }
    if (outcome_.failed()) return;
    Record(part, [&](int64_t n, int64_t c, int which) { return sums[(n * 2 + which) * part.channels + c]; });
  }

  void WideLast(const Part &part, const double *means, const double *rstds, int64_t row) {
    double sums[2 * kSlots];
    View out = Columns(sums, part, part.channels, 2, part.channels);
    View mean(means, {{part.channels, 1}, {part.batch, row}}), rstd(rstds, {{part.channels, 1}, {part.batch, row}});
    View x = Last(problem_.x, part, 0, part.size), dy = Last(problem_.dy, part, 0, part.size),
         r = Last(residual(), part, 0, part.size);
    for (const bool only_g : {true, false}) {
      const Array &to = only_g ? problem_.dresidual : problem_.dx;
      if (!to.data) continue;
      View dx = Last(to, part, 0, part.size);
      Call("wide_gradient", kernels_.wide_gradient_across_last, x, dy, r, Scale(part), Shift(part), mean, rstd,
           has_residual(), problem_.slope, problem_.frozen, only_g, dx, out);
    }
    if (outcome_.failed()) return;
    Record(part, [&](int64_t n, int64_t c, int which) { return sums[(n * 2 + which) * part.channels + c]; });
  }

  // value(n, c, 0 or 1) is a plane's share of the gradients of shift and scale.
  template <typename F>
  void Record(const Part &part, const F &value) {
    for (int64_t n = 0; n < part.batch; n++) {
      for (int64_t c = 0; c < part.channels; c++) {
        const int64_t at_n = part.n + n, at_c = part.c + c;
        const PerPlane *const results[2] = {&problem_.dshift, &problem_.dscale};
        for (int i : {0, 1}) {
          if (*results[i] && results[i]->n_stride != 0) results[i]->Set(at_n, at_c, value(n, c, i));
          if (shares_) shares_[(2 * at_n + i) * problem_.channels + at_c] = value(n, c, i);
        }
      }
    }
  }

  View Shares(const Part &part) const {
    const int64_t channels = problem_.channels;
    return View(shares_.get() + 2 * part.n * channels + part.c,
                {{part.channels, 1}, {2, channels}, {part.batch, 2 * channels}});
  }

  void AddShares() {
    const int64_t channels = problem_.channels;
    for (int64_t n = 1; n < problem_.batch; n++) {
      for (int64_t i = 0; i < 2 * channels; i++) shares_[i] += shares_[2 * n * channels + i];
    }
    const PerPlane *const results[2] = {&problem_.dshift, &problem_.dscale};
    for (int i : {0, 1}) {
      for (int64_t c = 0; ByChannel(*results[i]) && c < channels; c++) {
        results[i]->Set(0, c, problem_.batch > 0 ? 0 + shares_[i * channels + c] : 0);  // a -0 becomes 0
      }
    }
  }

  Memory<double> shares_;  // [n][dshift, dscale][c]
};

}  // namespace

haline_status Backward(const Problem &problem, const Plan &plan, const KernelSet &kernels) {
  return BackwardEngine(problem, plan, kernels).Run();
}

}  // namespace haline

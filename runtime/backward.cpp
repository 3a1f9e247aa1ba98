// The backward pass: sums of the gradient, their coefficients, dx, part by part; then the gradients of scale and shift.

#include "gradient_results.h"
#include "shares.h"
#include "tiny.h"

namespace haline {
namespace {

class BackwardEngine : public GradientResults {
 public:
  using GradientResults::GradientResults;

  haline_status Run() {
    Shares shares(problem_, plan_);
    shares_ = &shares;
    if (const haline_status status = shares.Begin(); status != HALINE_OK) return status;
    ForParts<Late>([this](const Part &part, bool parallel, Late *now, Late *before) {
      Differentiate(part, parallel, now, before);
      Finish(before);
    });
    if (!outcome_.failed()) shares.Finish();
    return outcome_.Tell();
  }

 private:
  BackwardEngine(const BackwardEngine &of, const Problem &copied) : GradientResults(of, copied), shares_(of.shares_) {}

  void Differentiate(const Part &part, bool parallel, Late *now, Late *before) {
    if (part.size == 0) {
      shares_->RecordNone(part);
    } else if (plan_.copied) {
      WithCopies(part, &now->scratch, [&](const Problem &copied) {
        BackwardEngine engine(*this, copied);
        engine.Compute(part, parallel, now, before);
        return engine.outcome_.Tell();
      });
    } else {
      Compute(part, parallel, now, before);
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

  // The gradients of planes that have elements.
  void Compute(const Part &part, bool parallel, Late *now, Late *before) {
    if (part.size < kTiny) {
      const int64_t last = TinyLast(part, problem_.dx);
      if (last > 0) WideLast({part.n, part.batch, part.c, last, part.size});
      if (last < part.channels) Tiny({part.n, part.batch, part.c + last, part.channels - last, part.size});
    } else {
      double *const means = now->means;
      double rstds[kSlots];
      const int64_t row = part.padded();
      for (int64_t n = 0; n < part.batch; n++) {
        problem_.mean.GetRow(part.n + n, part.c, part.channels, means + n * row);
        problem_.rstd.GetRow(part.n + n, part.c, part.channels, rstds + n * row);
        for (int64_t c = n * row + part.channels; c < (n + 1) * row; c++) {
          means[c] = means[c - 1];
          rstds[c] = rstds[c - 1];
        }
      }
      Fast(part, parallel, rstds, now, before);
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
    const bool flows = Flows(*before, part);
    if (active()) {
      Waiting none;
      ForwardCoefficients(part, parallel, means, rstds, sums, coefficients, flows ? &none : before);
    }

    if (flows) {
      Flow(before, part, {means, coefficients, nullptr, row}, sums);
    } else {
      SumUp(part, parallel, means, coefficients, sums, before);
    }
    View in = Sums(sums, part, row, 3, 0, blocks);
    View mean = PerPlanes(means, part, row), rstd = PerPlanes(rstds, part, row);
    View out = Columns(gradients, part, row, kColumns, row);
    Call("gradient_coefficients", kernels_.gradient_coefficients, in, mean, rstd, Scale(part),
         static_cast<double>(part.size), problem_.frozen, out);
    if (outcome_.failed()) return;

    const auto column = [&](int64_t n, int which) { return gradients + (n * kColumns + which) * row; };
    const auto record = [&] {
      shares_->Record(part, [&](int64_t n, int which) { return column(n, kDshift + which); });
    };
    const bool as_before = !active() || problem_.frozen;  // nothing depends on the forward pass's sums
    const auto fast = [&](int64_t n, int64_t c) {
      return column(n, kFast)[c] != 0 &&
             (as_before || coefficients[(n * kForwardColumns + kForwardFast) * row + c] != 0);
    };
    int64_t slow = 0;
    for (int64_t n = 0; n < part.batch; n++) {
      for (int64_t c = 0; c < part.channels; c++) slow += !fast(n, c);
    }
    const bool all_fast = slow == 0;
    const Numbers numbers{means, coefficients, gradients, row};
    if (all_fast && (!parallel || plan_.stream) && Waits(part)) {
      now->row = row;
      record();
      return Wait(part, now);
    }
    const bool over = Over(problem_.dx, {&problem_.x, &problem_.dy});
    if (all_fast || over) Apply(part, parallel, numbers);
    if (all_fast) return record();
    ForRuns(
        part, fast,
        [&](const Part &run, int64_t n, int64_t c) {
          if (!over) Apply(run, parallel, numbers.At(n, c));
        },
        [&](const Part &plane, int64_t n, int64_t c) {
          Wide(plane, means + n * row + c, rstds + n * row + c, gradients + (n * kColumns + kDshift) * row + c, row);
        });
    record();
  }

  // Sums of the gradient; what waits is written meanwhile.
  void SumUp(const Part &part, bool parallel, const double *means, const double *coefficients, double *sums,
             Late *before) {
    if (plan_.layout == Layout::kLast) return GradientSumsLast(part, parallel, means, coefficients, sums);
    const int64_t row = part.padded();
    const bool direct = Direct(part, {&problem_.x, &problem_.dy, &residual()});
    Finish(before);
    ForBlocks(part, parallel, direct, [&](int64_t block, int64_t count, int64_t first, int64_t elements) {
      const Window x = Read(problem_.x, part, first, elements), dy = Read(problem_.dy, part, first, elements),
                   r = ReadResidual(part, first, elements);
      View forward = Columns(coefficients, part, part.channels, kForwardColumns, row);
      View mean = PerPlanes(means, part, part.channels);
      View out = Sums(sums, part, part.channels, 3, block, count);
      Call("gradient_sums", part.size < kLarge ? kernels_.gradient_sums_small : kernels_.gradient_sums_large,
           x.Planes(), dy.Planes(), (has_residual() ? r : x).Planes(), forward, mean, has_residual(), problem_.slope,
           active() ? 1 : 0, out);
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

  // What is the same for all elements of tiny planes, as the kernels take it. mean and rstd: as they are where both are
  // float32 or both float64, else copied.
  struct TinyNumbers {
    TinyNumbers(const Problem &problem, const TinyPart &tiny, Outcome *outcome)
        : narrow(problem.mean.element == Element::kF32 && problem.rstd.element == Element::kF32),
          scale(problem.scale, 1, MathElement(problem.element), tiny, outcome),
          shift(problem.shift, 0, MathElement(problem.element), tiny, outcome),
          mean(problem.mean, 0, narrow ? Element::kF32 : Element::kF64, tiny, outcome),
          rstd(problem.rstd, 0, narrow ? Element::kF32 : Element::kF64, tiny, outcome) {}
    const bool narrow;
    const TinyValues scale, shift, mean, rstd;
  };

  // All in double: planes of which a vector is worked on together.
  template <typename Kernel>
  void CallTiny(const Kernel &kernel, const TinyPart &tiny, bool rest, View x, View dy, View r,
                const TinyNumbers &numbers, bool only_g, View dx, View sums) {
    Call("wide_gradient", kernel, x, dy, r, numbers.scale.Columns(rest), numbers.shift.Columns(rest),
         numbers.mean.Columns(rest, Element::kF64), numbers.rstd.Columns(rest, Element::kF64), has_residual(),
         problem_.slope, problem_.frozen, only_g, numbers.mean.Columns(rest, Element::kF32),
         numbers.rstd.Columns(rest, Element::kF32), numbers.narrow, shares_->Adds(tiny.list), dx, sums);
  }

  void Tiny(const Part &part) {
    const TinyPart tiny(part);
    double own_sums[2 * kSlots];
    double *const sums = SumsOf(tiny, own_sums);
    const TinyArray x(problem_.Valid(problem_.x, part.n), tiny, Window::kRead, &outcome_),
        dy(problem_.Valid(problem_.dy, part.n), tiny, Window::kRead, &outcome_);
    const TinyArray r(problem_.Valid(problem_.residual, part.n), tiny, has_residual() ? Window::kRead : Window::kNone,
                      &outcome_);
    const TinyNumbers numbers(problem_, tiny, &outcome_);
    for (const bool only_g : {true, false}) {
      const Array &to = only_g ? problem_.dresidual : problem_.dx;
      if (only_g && !to.data) continue;
      const TinyArray dx(problem_.Valid(to.data ? to : Nowhere(part.size), part.n), tiny, Window::kWrite, &outcome_);
      for (const bool rest : {false, true}) {
        if (rest ? tiny.whole == tiny.columns : tiny.whole == 0) continue;
        // (Without an activation the residual is not looked at.)
        const bool plain = !active() && !only_g;
        const bool few = Few(part.size, plain, x.dense(rest) && dy.dense(rest) && dx.dense(rest));
        CallTiny(few ? kernels_.wide_gradient_few : kernels_.wide_gradient_across, tiny, rest, x.Elements(rest),
                 dy.Elements(rest), (has_residual() && !plain ? r : x).Elements(rest), numbers, only_g,
                 dx.Elements(rest), TinySums(tiny, only_g, sums, rest));
      }
      if (!outcome_.failed()) dx.Flush();
    }
    RecordTiny(tiny, sums);
  }

  // The same of channels-last tensors, whole vectors of channels.
  void WideLast(const Part &part) {
    const TinyPart tiny(part);
    double own_sums[2 * kSlots];
    double *const sums = SumsOf(tiny, own_sums);
    const TinyNumbers numbers(problem_, tiny, &outcome_);
    for (const bool only_g : {true, false}) {
      const Array &to = only_g ? problem_.dresidual : problem_.dx;
      if (!to.data) continue;
      CallTiny(kernels_.wide_gradient_across_last, tiny, false, Last(problem_.x, part, 0, part.size),
               Last(problem_.dy, part, 0, part.size), Last(residual(), part, 0, part.size), numbers, only_g,
               Last(to, part, 0, part.size), TinySums(tiny, only_g, sums, false));
    }
    RecordTiny(tiny, sums);
  }

  // Where the shares of tiny planes go that somebody wants, but not the kernels' own way.
  double *SumsOf(const TinyPart &tiny, double *own) const {
    return shares_->wanted() && !shares_->Direct(tiny.list) ? own : nullptr;
  }

  // (The residual's gradient is made beside the sums, which are those of x.)
  View TinySums(const TinyPart &tiny, bool only_g, double *sums, bool rest) const {
    return !only_g && shares_->Direct(tiny.list) ? shares_->Of(tiny.part)
                                                 : tiny.Numbers(only_g ? nullptr : sums, 2, rest);
  }

  void RecordTiny(const TinyPart &tiny, const double *sums) {
    if (outcome_.failed() || !sums) return;
    shares_->Record(tiny.part, [&](int64_t n, int which) { return sums + tiny.At(n, which, 2); });
  }

  // Where only the gradients of scale and shift are wanted.
  Array Nowhere(int64_t size) const {
    Array nowhere;
    nowhere.element = problem_.element;
    nowhere.loops[0] = {size, 2};
    return nowhere;
  }

  // All in double: a single plane that the float kernels can't do justice, and its shares, `row` apart.
  void Wide(const Part &plane, const double *means, const double *rstds, double *shares, int64_t row) {
    View out(shares, {{1, 1}, {2, row}, {1, 0}});
    View mean(means, {{1, 1}, {1, 0}}), rstd(rstds, {{1, 1}, {1, 0}});
    const Window x = Read(problem_.x, plane, 0, plane.size), dy = Read(problem_.dy, plane, 0, plane.size),
                 r = ReadResidual(plane, 0, plane.size);
    for (const bool only_g : {true, false}) {
      const Array &to = only_g ? problem_.dresidual : problem_.dx;
      if (only_g && !to.data) continue;
      const Window dx = Written(to.data ? to : Nowhere(plane.size), plane, 0, plane.size);
      Call("wide_gradient", kernels_.wide_gradient_along, x.Elements(), dy.Elements(),
           (has_residual() ? r : x).Elements(), Scale(plane), Shift(plane), mean, rstd, has_residual(), problem_.slope,
           problem_.frozen, only_g, dx.Elements(), out);
      if (!outcome_.failed() && to.data) dx.Flush();
    }
  }

  Shares *shares_ = nullptr;
};

}  // namespace

haline_status Backward(const Problem &problem, const Plan &plan, const KernelSet &kernels) {
  return BackwardEngine(problem, plan, kernels).Run();
}

}  // namespace haline

// The forward pass: pivot, sums, coefficients, y, part by part, while its planes are in cache.

#include "forward_results.h"
#include "running.h"
#include "tiny.h"

namespace haline {
namespace {

// The numbers of group_generator.cpp and column_generator.cpp (1 where y is made, and the plane's), and of
// wide_generator.cpp.
enum WholeColumn { kWholeFast, kWholeMean, kWholeVariance, kWholeRstd, kWholeColumns };
enum WideColumn { kWideMean, kWideVariance, kWideRstd, kWideColumns };

class ForwardEngine : public ForwardResults {
 public:
  using ForwardResults::ForwardResults;

  haline_status Run() {
    Memory<double> statistics;
    if (problem_.running_mean || problem_.running_variance) {
      const int64_t count = 2 * problem_.planes() + 1;
      statistics.reset(statistics_ = static_cast<double *>(std::calloc(count, sizeof(double))));
      if (!statistics_)
        return Fail(HALINE_OUT_OF_MEMORY, "out of memory for the running statistics of %lld planes",
                    static_cast<long long>(problem_.planes()));
    }
    ForParts<Late>([this](const Part &part, bool parallel, Late *now, Late *before) {
      Normalize(part, parallel, now, before);
      Finish(before);
    });
    if (!outcome_.failed() && statistics_) UpdateRunning(problem_, statistics_);
    return outcome_.Tell();
  }

 private:
  ForwardEngine(const ForwardEngine &of, const Problem &copied)
      : ForwardResults(of, copied), statistics_(of.statistics_) {}

  void Normalize(const Part &part, bool parallel, Late *now, Late *before) {
    if (part.size == 0) {
      static constexpr double kZeros[kSlots] = {};
      Record(part, [](int64_t, int) { return kZeros; });
    } else if (plan_.copied) {
      WithCopies(part, &now->scratch, [&](const Problem &copied) {
        ForwardEngine engine(*this, copied);
        engine.Compute(part, parallel, now, before);
        return engine.outcome_.Tell();
      });
    } else {
      Compute(part, parallel, now, before);
    }
    if (!problem_.lengths || !problem_.y.data) return;
    for (int64_t c = 0; c < part.channels; c++) {
      Array y = problem_.y;
      y.data = y.plane(0, part.c + c);
      FillRows(y, part.n, 1, problem_.length(part.n), problem_.extent);
    }
  }

  // The results of planes that have elements.
  void Compute(const Part &part, bool parallel, Late *now, Late *before) {
    if (part.size < kTiny && !problem_.given) {
      Tiny(part);
    } else if (const int64_t whole = parallel ? 0 : WholeChannels(part); whole > 0) {
      Whole({part.n, part.batch, part.c, whole, part.size}, now, before);
      if (whole < part.channels) {
        Fast({part.n, part.batch, part.c + whole, part.channels - whole, part.size}, false, now, before);
      }
    } else {
      Fast(part, parallel, now, before);
    }
  }

  // The channels of a part of small planes for which one kernel does all: whole groups, or vectors, of them.
  int64_t WholeChannels(const Part &part) const {
    if (problem_.form() == 2 || !problem_.y.data) return 0;
    if (plan_.layout == Layout::kLast) {
      const bool takes = kernels_.column.function && part.size < kMostColumn && !plan_.stream;
      const int64_t vector = ColumnVector(problem_.element);
      return takes ? part.channels / vector * vector : 0;
    }
    const bool takes = part.size < kMostGrouped && !Streams(part) && Direct(part, {&problem_.x, &problem_.y});
    return takes ? part.channels / kSmallGroup * kSmallGroup : 0;
  }

  // As Fast, in one kernel, which leaves planes that float can't serve (channels-last: vectors with such planes) as
  // they were.
  void Whole(const Part &part, Late *now, Late *before) {
    const bool last = plan_.layout == Layout::kLast;
    const int64_t row = part.channels;
    alignas(kLine) double own_numbers[kWholeColumns * kSlots];
    Memory<double> heap;
    double *const numbers = Room(own_numbers, kWholeColumns * kSlots, kWholeColumns * row * part.batch, &heap);
    if (!numbers) return;
    View out = Columns(numbers, part, row, kWholeColumns, row);
    if (last) {
      View x = Last(problem_.x, part, 0, part.size), y = Last(problem_.y, part, 0, part.size);
      Call("column", kernels_.column, x, Scale(part), Shift(part), problem_.slope, problem_.eps, out, y);
    } else {
      const Window x = Read(problem_.x, part, 0, part.size), y = Written(problem_.y, part, 0, part.size);
      Call("group", kernels_.group, x.Elements(), Scale(part), Shift(part), problem_.slope, problem_.eps, y.Elements(),
           out);
    }
    if (outcome_.failed()) return;
    const auto column = [&](int64_t n, int which) { return numbers + (n * kWholeColumns + which) * row; };
    Record(part, [&](int64_t n, int which) { return column(n, kWholeMean + which); });
    bool all_fast = true;
    for (int64_t n = 0; n < part.batch; n++) {
      for (int64_t c = 0; c < row; c++) all_fast &= column(n, kWholeFast)[c] != 0;
    }
    if (all_fast) return;
    ForRuns(
        part, [&](int64_t n, int64_t c) { return last == (column(n, kWholeFast)[c] == 0); },
        [&](const Part &run, int64_t, int64_t) {
          if (last) Fast(run, false, now, before);
        },
        [&](const Part &plane, int64_t, int64_t) {
          if (!last) Wide(plane);
        });
  }

  void Fast(const Part &part, bool parallel, Late *now, Late *before) {
    const int64_t blocks = problem_.given ? 1 : Blocks(part.size), row = part.padded();
    double pivots[kSlots], own_sums[2 * kSlots];
    double *const coefficients = now->coefficients;
    Memory<double> heap;
    double *const sums = Room(own_sums, 2 * kSlots, 2 * row * part.batch * blocks, &heap);
    if (!sums) return;
    double count = static_cast<double>(part.size), eps = problem_.eps;
    // Of given statistics by channel all samples have the same coefficients.
    const bool alike = problem_.given && !PerPlane::Varies({&problem_.mean, &problem_.rstd, &problem_.variance,
                                                            &problem_.scale, &problem_.shift});
    const Part made{part.n, alike ? 1 : part.batch, part.c, part.channels, part.size};
    if (problem_.given) {
      // Sums that have the given statistics: one element about the mean, whose square is the variance, or all of M2.
      for (int64_t n = 0; n < made.batch; n++) {
        problem_.mean.GetRow(part.n + n, part.c, part.channels, pivots + n * row);
        std::fill_n(sums + 2 * n * row, part.channels, 0.0);
        GivenVariances(part.n + n, part.c, part.channels, sums + (2 * n + 1) * row);
      }
      count = static_cast<double>(problem_.given_count);
      if (problem_.rstd) eps = 0;
    } else {
      Moments(part, parallel, pivots, sums, before);
    }
    // (Of one block where the statistics are given.)
    View pivot = PerPlanes(pivots, made, row);
    View in(sums, {{row, 1}, {2, row}, {blocks, 2 * row}, {made.batch, 2 * row * blocks}});
    View out = Columns(coefficients, made, row, kColumns, row);
    Call("coefficients", kernels_.coefficients, pivot, in, Scale(made), Shift(made), eps, count, out);
    for (int64_t n = made.batch; n < part.batch; n++) {
      std::copy_n(coefficients, kMean * row, coefficients + n * kColumns * row);
    }
    if (outcome_.failed()) return;

    const auto column = [&](int64_t n, int which) { return coefficients + (n * kColumns + which) * row; };
    Record(part, [&](int64_t n, int which) { return column(n, kMean + which); });
    bool all_fast = true;
    for (int64_t n = 0; n < part.batch; n++) {
      for (int64_t c = 0; c < part.channels; c++) all_fast = all_fast && column(n, kFast)[c] != 0;
    }
    if (all_fast && !problem_.given && (!parallel || plan_.stream) && Waits(part)) {
      now->row = row;
      return Wait(part, now);
    }
    const bool over = Over(problem_.y, {&problem_.x, &problem_.residual});
    if (all_fast || problem_.given || over) Apply(part, parallel, coefficients, row);
    if (all_fast || problem_.given) return;
    ForRuns(
        part, [&](int64_t n, int64_t c) { return column(n, kFast)[c] != 0; },
        [&](const Part &run, int64_t n, int64_t c) {
          if (!over) Apply(run, parallel, coefficients + n * kColumns * row + c, row);
        },
        [&](const Part &plane, int64_t, int64_t) { Wide(plane); });
  }

  void GivenVariances(int64_t n, int64_t c, int64_t channels, double *values) const {
    if (!problem_.rstd) return problem_.variance.GetRow(n, c, channels, values);
    problem_.rstd.GetRow(n, c, channels, values);
    // rstd = 0 is what a constant plane without eps has.
    for (int64_t i = 0; i < channels; i++) values[i] = values[i] == 0 ? 0 : 1 / (values[i] * values[i]);
  }

  // All in double: planes of which a vector is worked on together.
  void Tiny(const Part &part) {
    if (const int64_t last = TinyLast(part, problem_.y); last > 0) {
      WideLast({part.n, part.batch, part.c, last, part.size});
      if (last < part.channels) Tiny({part.n, part.batch, part.c + last, part.channels - last, part.size});
      return;
    }
    const TinyPart tiny(part);
    double own_statistics[kWideColumns * kSlots];
    double *const statistics = problem_.has_statistics() ? own_statistics : nullptr;
    const TinyArray x(problem_.Valid(problem_.x, part.n), tiny, Window::kRead, &outcome_);
    const TinyArray r(problem_.Valid(problem_.residual, part.n), tiny, has_residual() ? Window::kRead : Window::kNone,
                      &outcome_);
    const TinyArray y(problem_.Valid(Target(part.size), part.n), tiny, Window::kWrite, &outcome_);
    const TinyValues scale(problem_.scale, 1, MathElement(problem_.element), tiny, &outcome_),
        shift(problem_.shift, 0, MathElement(problem_.element), tiny, &outcome_);
    const bool across =
        !kernels_.wide_across.function ||
        (kernels_.wide_turned.function && ResultsAcross(problem_.element, part.size, InPlace(problem_)));
    const auto &others = across ? kernels_.wide_turned : kernels_.wide_across;
    for (const bool rest : {false, true}) {
      if (rest ? tiny.whole == tiny.columns : tiny.whole == 0) continue;
      const bool few = Few(part.size, !has_residual(), x.dense(rest) && y.dense(rest));
      Call("wide", few ? kernels_.wide_few : others, x.Elements(rest), (has_residual() ? r : x).Elements(rest),
           scale.Columns(rest), shift.Columns(rest), has_residual(), problem_.slope, problem_.eps, y.Elements(rest),
           tiny.Numbers(statistics, kWideColumns, rest));
    }
    if (outcome_.failed()) return;
    y.Flush();
    Record(part, [&](int64_t n, int which) { return statistics + tiny.At(n, which, kWideColumns); });
  }

  // y, or, where only the statistics are wanted, no memory.
  Array Target(int64_t size) const {
    if (problem_.y.data) return problem_.y;
    Array nowhere;
    nowhere.element = problem_.element;
    nowhere.loops[0] = {size, 2};
    return nowhere;
  }

  // All in double: single planes that the float kernels can't do justice.
  void Wide(const Part &part) {
    double statistics[kWideColumns * kSlots];
    View out = Columns(statistics, part, part.channels, kWideColumns, part.channels);
    const Window x = Read(problem_.x, part, 0, part.size), r = ReadResidual(part, 0, part.size);
    const Window y = Written(Target(part.size), part, 0, part.size);
    Call("wide", kernels_.wide_along, x.Elements(), (has_residual() ? r : x).Elements(), Scale(part), Shift(part),
         has_residual(), problem_.slope, problem_.eps, y.Elements(), out);
    if (outcome_.failed()) return;
    if (problem_.y.data) y.Flush();
    Record(part, [&](int64_t n, int which) { return statistics + (n * kWideColumns + which) * part.channels; });
  }

  void WideLast(const Part &part) {
    double statistics[kWideColumns * kSlots];
    const int64_t row = problem_.has_statistics() ? part.channels : 0;  // 0: the kernel keeps none
    View out = Columns(statistics, part, part.channels, kWideColumns, row);
    View x = Last(problem_.x, part, 0, part.size), r = Last(residual(), part, 0, part.size),
         y = Last(problem_.y, part, 0, part.size);
    const bool bare = row == 0 && !has_residual();
    const auto &others = bare ? kernels_.wide_across_last_bare : kernels_.wide_across_last;
    Call("wide", bare && IsFewLast(part.size) ? kernels_.wide_few_last : others, x, r, Scale(part), Shift(part),
         has_residual(), problem_.slope, problem_.eps, y, out);
    if (outcome_.failed()) return;
    Record(part, [&](int64_t n, int which) { return statistics + (n * kWideColumns + which) * part.channels; });
  }

  // row(n, which) are the statistics of a sample's planes, as in WideColumn.
  template <typename F>
  void Record(const Part &part, const F &row) {
    if (problem_.given) return;
    if (!statistics_ && !problem_.mean && !problem_.rstd && !problem_.variance && !problem_.m2) return;
    const double count = static_cast<double>(part.size);
    for (int64_t i = 0; i < part.batch; i++) {
      const int64_t n = part.n + i, channels = part.channels;
      const double *const means = row(i, kWideMean), *const variances = row(i, kWideVariance);
      if (problem_.mean) problem_.mean.SetRow(n, part.c, channels, means);
      if (problem_.variance) problem_.variance.SetRow(n, part.c, channels, variances);
      if (problem_.rstd) problem_.rstd.SetRow(n, part.c, channels, row(i, kWideRstd));
      for (int64_t c = 0; c < channels && problem_.m2; c++) problem_.m2.Set(n, part.c + c, variances[c] * count);
      if (!statistics_) continue;
      double *const kept = statistics_ + 2 * n * problem_.channels + part.c;
      std::copy_n(means, channels, kept);
      // Unbiased; one element says nothing of a variance.
      const double unbiased = part.size > 1 ? count / (count - 1) : 0;
      for (int64_t c = 0; c < channels; c++) kept[problem_.channels + c] = part.size > 1 ? variances[c] * unbiased : 0;
    }
  }

  double *statistics_ = nullptr;  // of each sample: its planes' means, then their unbiased variances
};

}  // namespace

haline_status Forward(const Problem &problem, const Plan &plan, const KernelSet &kernels) {
  return ForwardEngine(problem, plan, kernels).Run();
}

}  // namespace haline

// The forward pass on a GPU: as forward.cpp, but for whole parts at a time, with everything left on the device. Planes
// that the float kernels can't serve are told by a flag beside their coefficients, and done by the wide kernel.
#include "gpu_engine.h"

namespace haline {
namespace {

// The columns of coefficients_generator.cpp, whose last three are those of wide_generator.cpp's statistics.
enum Column { kH, kA, kB, kFast, kMean, kVariance, kRstd, kColumns };
constexpr int64_t kWideColumns = kColumns - kMean;

class GpuForwardEngine : public GpuEngine {
 public:
  using GpuEngine::GpuEngine;

  haline_status Run() {
    SetUp();
    const Part whole{0, problem_.batch, 0, problem_.channels, 0};
    if (problem_.running_mean || problem_.running_variance) statistics_ = Columns(whole, 2);
    ForParts([this](const Part &part) { Normalize(part); });
    if (statistics_.address()) UpdateRunning(whole);
    return outcome_.status;
  }

 private:
  void Normalize(const Part &part) {
    if (part.size == 0) {
      RecordAll(part, nullptr);
    } else if (part.size < kTiny && !problem_.given) {
      const GpuMemory statistics = Columns(part, kWideColumns);
      Wide(kernels_.wide_across, part, Zeros(), statistics.address());
      RecordAll(part, &statistics);
    } else {
      Fast(part);
    }
    if (problem_.lengths) FillRows(problem_.y, part);
  }

  void Fast(const Part &part) {
    if (!problem_.given && Resident(part, 1, 2)) return FastResident(part);
    const int64_t blocks = problem_.given ? 1 : Blocks(part.size);
    const GpuMemory pivots = Columns(part, 1), sums = Columns(part, 2 * blocks), coefficients = Columns(part, kColumns);
    if (outcome_.failed()) return;
    double count = static_cast<double>(part.size), eps = problem_.eps;
    if (problem_.given) {
      Convert(problem_.mean, part, 0, Column(pivots.address(), part, 0));
      GivenMoments(part, problem_.rstd ? problem_.rstd : problem_.variance, problem_.rstd ? 1 : 0, sums.address());
      count = static_cast<double>(problem_.given_count);
      if (problem_.rstd) eps = 0;
    } else {
      Moments(part, pivots.address(), sums.address());
    }
    {
      GpuMemory scales, shifts;
      GpuView pivot = NumbersView(Column(pivots.address(), part, 0), part), in = Sums(sums.address(), part, 2, blocks),
              scale = NumbersView(ToDouble(problem_.scale, part, &scales, Ones()), part),
              shift = NumbersView(ToDouble(problem_.shift, part, &shifts, Zeros()), part),
              out = ColumnsView(coefficients.address(), part, kColumns);
      Call("coefficients", kernels_.coefficients, pivot, in, scale, shift, eps, count, 0, out);
    }
    const Numbers fast = problem_.given ? Ones() : Column(coefficients.address(), part, kFast);
    if (problem_.y.data) Apply(part, coefficients.address(), fast);
    if (!problem_.given) Rest(part, coefficients.address());
  }

  // The same in one kernel.
  void FastResident(const Part &part) {
    const GpuMemory coefficients = Columns(part, kColumns);
    if (outcome_.failed()) return;
    ResidentForward(part, Result(part), problem_.y.data ? problem_.form() : kNoResult, coefficients.address());
    Rest(part, coefficients.address());
  }

  // What the float kernels have left, and the statistics.
  void Rest(const Part &part, Address coefficients) {
    const Numbers fast = Column(coefficients, part, kFast), statistics = Column(coefficients, part, kMean);
    Wide(kernels_.wide_along, part, fast, statistics.address);
    RecordColumns(part, statistics.address);
  }

  Array Result(const Part &part) const { return problem_.y.data ? problem_.y : Nowhere(part.size); }

  void Apply(const Part &part, Address coefficients, const Numbers &fast) {
    Operand x(this, problem_.x, part), r(this, residual(), part), y(this, problem_.y, part);
    GpuView in = ColumnsView(coefficients, part, kColumns), flag = NumbersView(fast, part);
    Call("apply", kernels_.apply, x, in, r, has_residual(), problem_.slope, problem_.form(), flag, part.c,
         part.channels, part.n, part.batch, 0, y);
    y.Flush();
  }

  // All in double: the planes whose flag is 0.
  template <typename K>
  void Wide(const K &kernel, const Part &part, const Numbers &fast, Address statistics) {
    if (outcome_.failed()) return;
    GpuMemory scales, shifts;
    Operand x(this, problem_.x, part), r(this, residual(), part), y(this, Result(part), part);
    GpuView scale = NumbersView(ToDouble(problem_.scale, part, &scales, Ones()), part),
            shift = NumbersView(ToDouble(problem_.shift, part, &shifts, Zeros()), part), flag = NumbersView(fast, part),
            out = ColumnsView(statistics, part, kWideColumns);
    Call("wide", kernel, x, r, scale, shift, has_residual(), problem_.slope, problem_.eps, flag, part.c, part.channels,
         part.n, part.batch, 0, y, out);
    y.Flush();
  }

  void RecordAll(const Part &part, const GpuMemory *statistics) {
    if (!problem_.given) RecordColumns(part, statistics ? statistics->address() : 0);
  }

  // What the planes' statistics are: three columns, or 0 for planes without elements.
  void RecordColumns(const Part &part, Address statistics) {
    if (outcome_.failed()) return;
    const auto column = [&](int which) { return statistics ? Column(statistics, part, which) : Zeros(); };
    const double size = static_cast<double>(part.size);
    Record(problem_.mean, part, column(0), 1);
    Record(problem_.variance, part, column(1), 1);
    Record(problem_.rstd, part, column(2), 1);
    Record(problem_.m2, part, column(1), size);
    if (!statistics_.address()) return;
    Record(Kept(0), part, column(0), 1);
    // Unbiased; one element says nothing of a variance.
    Record(Kept(1), part, column(1), part.size > 1 ? size / (size - 1) : 0, part.size > 1 ? 0 : 2);
  }

  // The statistics of all planes, mean or variance.
  PerPlane Kept(int which) const {
    const Part whole{0, problem_.batch, 0, problem_.channels, 0};
    return {reinterpret_cast<char *>(Column(statistics_.address(), whole, which).address), Element::kF64,
            problem_.channels, 1};
  }

  // As PyTorch's track_running_stats: running = (1 - momentum) * running + momentum * (mean over the samples).
  void UpdateRunning(const Part &whole) {
    int64_t samples = 0;
    for (int64_t n = 0; n < problem_.batch; n++) samples += problem_.rows * problem_.length(n) > 0;
    if (samples == 0) return;
    const PerPlane running[2] = {problem_.running_mean, problem_.running_variance};
    for (int i : {0, 1}) {
      if (running[i]) AddSamples(Column(statistics_.address(), whole, i), running[i], &problem_.momentum, samples);
    }
  }

  GpuMemory statistics_;  // of each plane: mean and unbiased variance
};

}  // namespace

haline_status GpuForward(const Problem &problem, GpuApi *api, const GpuKernels &kernels) {
  return GpuForwardEngine(problem, api, kernels).Run();
}

}  // namespace haline

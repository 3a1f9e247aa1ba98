// The backward pass on a GPU: as backward.cpp, but for whole parts at a time, with everything left on the device.
#include "gpu_engine.h"

namespace haline {
namespace {

// The columns of gradient_coefficients_generator.cpp, whose last two are those of wide_gradient_generator.cpp's sums.
enum Column { kA, kB, kE, kFast, kDshift, kDscale, kColumns };
constexpr int64_t kWideColumns = kColumns - kDshift;

class GpuBackwardEngine : public GpuEngine {
 public:
  using GpuEngine::GpuEngine;

  haline_status Run() {
    SetUp();
    const Part whole{0, problem_.batch, 0, problem_.channels, 0};
    // By channel, the planes' shares are kept and added at the end, in the samples' order.
    const PerPlane results[2] = {problem_.dshift, problem_.dscale};
    if (ByChannel(results[0]) || ByChannel(results[1])) shares_ = Columns(whole, 2);
    ForParts([this](const Part &part) { Differentiate(part); });
    for (int i : {0, 1}) {
      if (ByChannel(results[i]) && !outcome_.failed()) {
        AddSamples(Column(shares_.address(), whole, i), results[i], nullptr, 1);
      }
    }
    return outcome_.status;
  }

 private:
  bool active() const { return problem_.slope != 1; }
  static bool ByChannel(const PerPlane &result) { return result && result.n_stride == 0; }

  void Differentiate(const Part &part) {
    if (part.size == 0) {
      RecordColumns(part, 0);
    } else {
      GpuMemory mean_memory, rstd_memory;
      const Numbers means = ToDouble(problem_.mean, part, &mean_memory, Zeros()),
                    rstds = ToDouble(problem_.rstd, part, &rstd_memory, Zeros());
      if (part.size < kTiny) {
        const GpuMemory sums = Columns(part, kWideColumns);
        Wide(kernels_.wide_gradient_across, part, means, rstds, Zeros(), Zeros(), sums.address());
        RecordColumns(part, sums.address());
      } else {
        Fast(part, means, rstds);
      }
    }
    if (!problem_.lengths) return;
    FillRows(problem_.dx, part);
    FillRows(problem_.dresidual, part);
  }

  void Fast(const Part &part, const Numbers &means, const Numbers &rstds) {
    const GpuMemory coefficients = Columns(part, kForwardColumns), gradients = Columns(part, kColumns),
                    sums = Columns(part, 3 * Blocks(part.size));
    if (active()) ForwardCoefficients(part, means, sums.address(), coefficients.address());
    if (outcome_.failed()) return;
    const Numbers fast = Column(gradients.address(), part, kFast), shares = Column(gradients.address(), part, kDshift),
                  forward_fast =
                      active() && !problem_.frozen ? Column(coefficients.address(), part, kForwardFast) : Ones();
    if (!problem_.dresidual.data && Resident(part, 2, 3)) {
      ResidentGradient(part, means, rstds, coefficients.address(), forward_fast, gradients.address());
      Wide(kernels_.wide_gradient_along, part, means, rstds, fast, forward_fast, shares.address);
    } else {
      SplitGradient(part, means, rstds, coefficients.address(), sums.address(), gradients.address());
      // The planes that these leave; then theirs. (dx may be written over x or dy, of its own planes alone.)
      Wide(kernels_.wide_gradient_along, part, means, rstds, fast, forward_fast, shares.address);
      for (const bool only_g : {true, false}) {
        Apply(part, means, coefficients.address(), gradients.address(), fast, forward_fast, only_g);
      }
    }
    RecordColumns(part, shares.address);
  }

  // All in one kernel.
  void ResidentGradient(const Part &part, const Numbers &means, const Numbers &rstds, Address coefficients,
                        const Numbers &forward_fast, Address gradients) {
    GpuMemory scales;
    const int32_t size = static_cast<int32_t>(part.size);
    Operand x(this, problem_.x, part), dy(this, problem_.dy, part), r(this, residual(), part),
        dx(this, problem_.dx.data ? problem_.dx : Nowhere(part.size), part);
    GpuView forward = ColumnsView(coefficients, part, kForwardColumns), mean = NumbersView(means, part),
            rstd = NumbersView(rstds, part), scale = NumbersView(ToDouble(problem_.scale, part, &scales, Ones()), part),
            forward_flag = NumbersView(forward_fast, part), out = ColumnsView(gradients, part, kColumns);
    Call("resident_gradient", part.size < kLarge ? kernels_.resident_gradient_small : kernels_.resident_gradient_large,
         x, dy, r, forward, mean, has_residual(), problem_.slope, active() ? 1 : 0, rstd, scale, problem_.frozen, size,
         problem_.dx.data ? size : 0, forward_flag, part.c, part.channels, part.n, part.batch, 0, dx, out);
    dx.Flush();
  }

  // All but dx, block of sums by block.
  void SplitGradient(const Part &part, const Numbers &means, const Numbers &rstds, Address coefficients, Address sums,
                     Address gradients) {
    const int64_t blocks = Blocks(part.size);
    {
      Operand x(this, problem_.x, part), dy(this, problem_.dy, part), r(this, residual(), part);
      GpuView forward = ColumnsView(coefficients, part, kForwardColumns), mean = NumbersView(means, part),
              out = Sums(sums, part, 3, blocks);
      Call("gradient_sums", part.size < kLarge ? kernels_.gradient_sums_small : kernels_.gradient_sums_large, x, dy, r,
           forward, mean, has_residual(), problem_.slope, active() ? 1 : 0, 0, out);
    }
    GpuMemory scales;
    GpuView in = Sums(sums, part, 3, blocks), mean = NumbersView(means, part),
            rstd = NumbersView(rstds, part), scale = NumbersView(ToDouble(problem_.scale, part, &scales, Ones()), part),
            out = ColumnsView(gradients, part, kColumns);
    Call("gradient_coefficients", kernels_.gradient_coefficients, in, mean, rstd, scale, static_cast<double>(part.size),
         problem_.frozen, 0, out);
  }

  // dx, or the gradient of the residual, of the planes whose flags are set.
  void Apply(const Part &part, const Numbers &means, Address coefficients, Address gradients, const Numbers &fast,
             const Numbers &forward_fast, bool only_g) {
    const Array &to = only_g ? problem_.dresidual : problem_.dx;
    if (!to.data || outcome_.failed()) return;
    Operand x(this, problem_.x, part), dy(this, problem_.dy, part), r(this, residual(), part), out(this, to, part);
    GpuView forward = ColumnsView(coefficients, part, kForwardColumns), mean = NumbersView(means, part),
            gradient = ColumnsView(gradients, part, kColumns), flag = NumbersView(fast, part),
            forward_flag = NumbersView(forward_fast, part);
    const int form = only_g ? 2 : active() ? 1 : 0;
    Call("gradient_apply", kernels_.gradient_apply, x, dy, r, forward, mean, has_residual(), problem_.slope, form,
         gradient, flag, forward_flag, part.c, part.channels, part.n, part.batch, 0, out);
    out.Flush();
  }

  // The forward pass's own coefficients, so that z changes sign where it did there.
  void ForwardCoefficients(const Part &part, const Numbers &means, Address sums, Address coefficients) {
    if (outcome_.failed()) return;
    if (!problem_.frozen && Resident(part, 1, 2)) {
      return ResidentForward(part, Nowhere(part.size), kNoResult, coefficients);
    }
    const GpuMemory pivots = Columns(part, 1);
    if (outcome_.failed()) return;
    double count = static_cast<double>(part.size), eps = problem_.eps;
    int64_t blocks = Blocks(part.size);
    Numbers pivot_numbers = means;
    if (problem_.frozen) {
      GivenMoments(part, problem_.rstd, 1, sums);
      count = 1;
      eps = 0;
      blocks = 1;
    } else {
      pivot_numbers = Column(pivots.address(), part, 0);
      Moments(part, pivots.address(), sums);
    }
    GpuMemory scales, shifts;
    GpuView pivot = NumbersView(pivot_numbers, part), in = Sums(sums, part, 2, blocks),
            scale = NumbersView(ToDouble(problem_.scale, part, &scales, Ones()), part),
            shift = NumbersView(ToDouble(problem_.shift, part, &shifts, Zeros()), part),
            out = ColumnsView(coefficients, part, kForwardColumns);
    Call("coefficients", kernels_.coefficients, pivot, in, scale, shift, eps, count, 0, out);
  }

  // All in double: the planes one of whose flags is 0.
  template <typename K>
  void Wide(const K &kernel, const Part &part, const Numbers &means, const Numbers &rstds, const Numbers &fast,
            const Numbers &forward_fast, Address sums) {
    if (outcome_.failed()) return;
    GpuMemory scales, shifts;
    GpuView scale = NumbersView(ToDouble(problem_.scale, part, &scales, Ones()), part),
            shift = NumbersView(ToDouble(problem_.shift, part, &shifts, Zeros()), part),
            mean = NumbersView(means, part), rstd = NumbersView(rstds, part), flag = NumbersView(fast, part),
            forward_flag = NumbersView(forward_fast, part), out = ColumnsView(sums, part, kWideColumns);
    for (const bool only_g : {true, false}) {
      const Array &to = only_g ? problem_.dresidual : problem_.dx;
      if (only_g && !to.data) continue;
      Operand x(this, problem_.x, part), dy(this, problem_.dy, part), r(this, residual(), part),
          dx(this, to.data ? to : Nowhere(part.size), part);
      Call("wide_gradient", kernel, x, dy, r, scale, shift, mean, rstd, has_residual(), problem_.slope, problem_.frozen,
           only_g, flag, forward_flag, part.c, part.channels, part.n, part.batch, 0, dx, out);
      dx.Flush();
    }
  }

  // The planes' shares of the gradients of shift and scale: two columns, or 0 for planes without elements.
  void RecordColumns(const Part &part, Address shares) {
    const PerPlane results[2] = {problem_.dshift, problem_.dscale};
    const Part whole{0, problem_.batch, 0, problem_.channels, 0};
    for (int i : {0, 1}) {
      if (outcome_.failed()) return;
      const Numbers column = shares ? Column(shares, part, i) : Zeros();
      if (results[i] && results[i].n_stride != 0) Record(results[i], part, column, 1);
      if (!shares_.address()) continue;
      const PerPlane kept{reinterpret_cast<char *>(Column(shares_.address(), whole, i).address), Element::kF64,
                          problem_.channels, 1};
      Record(kept, part, column, 1);
    }
  }

  GpuMemory shares_;  // of each plane: in dshift and in dscale
};

}  // namespace

haline_status GpuBackward(const Problem &problem, GpuApi *api, const GpuKernels &kernels) {
  return GpuBackwardEngine(problem, api, kernels).Run();
}

}  // namespace haline

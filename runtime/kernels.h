// The table of kernels: for each back end and element type one function a kernel, as listed in
// generators/kernels.cmake.
#ifndef HALINE_RUNTIME_KERNELS_H_
#define HALINE_RUNTIME_KERNELS_H_

#include <HalideRuntime.h>

namespace haline {

// An ahead-of-time compiled function and what Halide says of it, its target string included.
template <typename... Args>
struct Kernel {
  int (*function)(Args...);
  const halide_filter_metadata_t *(*metadata)();
};

using Buffer = halide_buffer_t;

// The arguments are those of the generators, in their order, outputs last.
struct ElementKernels {
  // *_last: for channels-last tensors, *_lanes: the same, lane by lane, *_rows: of few channels,
  // *_lines: whose results are whole lines, past the caches, flow_*: whose results go past the caches, but for
  // flow_plain's, beside sums, but for flow_alone's; null functions where a back end has none.
  Kernel<Buffer *, Buffer *> pivot, pivot_last;                       // samples, pivot
  using Moments = Kernel<Buffer *, Buffer *, int64_t, Buffer *>;      // x, pivot, to, sums
  using MomentsLast = Kernel<Buffer *, Buffer *, int32_t, Buffer *>;  // x, pivot, ahead or channels, sums
  // x, pivot, ahead, the lanes of each of the sums
  using MomentsLanes = Kernel<Buffer *, Buffer *, int32_t, Buffer *, Buffer *>;
  Moments moments_small;
  MomentsLast moments_small_last;
  MomentsLanes moments_small_lanes;
  Moments moments_large;
  MomentsLanes moments_large_lanes;
  MomentsLast moments_small_rows, moments_large_rows;
  Kernel<Buffer *, Buffer *> lanes;  // lanes, sums
  // x, pivot, has_pivot, before, coefficients, residual, has_residual, slope, form, y, lead, turn, ahead, sums
  using Flow = Kernel<Buffer *, Buffer *, bool, Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *, int32_t,
                      int32_t, int32_t, Buffer *>;
  Flow flow_small, flow_large, flow_alone, flow_plain;
  // pivot, sums, scale, shift, eps, count, coefficients
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, double, double, Buffer *> coefficients;
  // x, coefficients, residual, has_residual, slope, form, y
  Kernel<Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *> apply, apply_last;
  // x, coefficients, residual, has_residual, slope, form, ahead, y
  Kernel<Buffer *, Buffer *, Buffer *, bool, double, int32_t, int32_t, Buffer *> apply_lines;
  // x, scale, shift, slope, eps, y, numbers
  Kernel<Buffer *, Buffer *, Buffer *, double, double, Buffer *, Buffer *> group;
  // x, scale, shift, slope, eps, numbers, y
  Kernel<Buffer *, Buffer *, Buffer *, double, double, Buffer *, Buffer *> column;
  // x, residual, scale, shift, has_residual, slope, eps, y, stats; *_bare and wide_few_last: without residual and stats
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, bool, double, double, Buffer *, Buffer *> wide_across, wide_turned,
      wide_few, wide_across_last, wide_across_last_bare, wide_few_last, wide_along;
  // x, dy, residual, coefficients, mean, has_residual, slope, form, sums; after form: ahead or channels
  using GradientSums = Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *>;
  using GradientSumsLast =
      Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, int32_t, Buffer *>;
  // The same, and the lanes of each of the sums.
  using GradientSumsLanes = Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, int32_t,
                                   Buffer *, Buffer *, Buffer *>;
  GradientSums gradient_sums_small;
  GradientSumsLast gradient_sums_small_last;
  GradientSumsLanes gradient_sums_small_lanes;
  GradientSums gradient_sums_large;
  GradientSumsLanes gradient_sums_large_lanes;
  GradientSumsLast gradient_sums_small_rows, gradient_sums_large_rows;
  // x, dy, residual, mean, x_before, dy_before, residual_before, mean_before, coefficients, coefficients_before,
  // has_residual, slope, form, gradient, dx, lead, dresidual, has_dresidual, dresidual_lead, turn, x_ahead, dy_ahead,
  // sums
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool,
         double, int32_t, Buffer *, Buffer *, int32_t, Buffer *, bool, int32_t, int32_t, int32_t, int32_t, Buffer *>
      gradient_flow_small, gradient_flow_large, gradient_flow_plain;
  // sums, mean, rstd, scale, count, frozen, gradient
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, double, bool, Buffer *> gradient_coefficients;
  // x, dy, residual, coefficients, mean, has_residual, slope, form, gradient, dx
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *, Buffer *> gradient_apply,
      gradient_apply_last;
  // x, dy, residual, coefficients, mean, has_residual, slope, form, gradient, ahead, dx
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *, int32_t, Buffer *>
      gradient_apply_lines;
  // x, dy, residual, coefficients, mean, has_residual, slope, form, gradient, dx, dresidual; after gradient: ahead
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *, Buffer *, Buffer *>
      gradient_both_last;
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *, int32_t, Buffer *, Buffer *>
      gradient_both_lines;
  // x, dy, residual, scale, shift, mean, rstd, has_residual, slope, frozen, only_g, narrow_mean, narrow_rstd, narrow,
  // adds, dx, sums
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, bool, bool, Buffer *,
         Buffer *, bool, bool, Buffer *, Buffer *>
      wide_gradient_across, wide_gradient_few, wide_gradient_across_last;
  // x, dy, residual, scale, shift, mean, rstd, has_residual, slope, frozen, only_g, dx, sums
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, bool, bool, Buffer *,
         Buffer *>
      wide_gradient_along;
};

struct GpuKernels;

struct KernelSet {
  const char *name;
  ElementKernels elements[4];       // by runtime/element.h's Element
  const GpuKernels *gpu = nullptr;  // in their place, for GPUs
};

extern const KernelSet kKernelSets[];  // best first
extern const int kKernelSetCount;

}  // namespace haline

#endif  // HALINE_RUNTIME_KERNELS_H_

// The table of GPU kernels, like that of kernels.h: the arguments are those of the generators on GPUs, in their order.
#ifndef HALINE_RUNTIME_GPU_KERNELS_H_
#define HALINE_RUNTIME_GPU_KERNELS_H_

#include "kernels.h"

namespace haline {

struct GpuElementKernels {
  // samples, zero, pivot: zero comes last of the inputs, here and below
  Kernel<Buffer *, int32_t, Buffer *> pivot;
  // x, pivot, zero, sums
  Kernel<Buffer *, Buffer *, int32_t, Buffer *> moments_small, moments_large;
  // pivot, sums, scale, shift, eps, count, zero, coefficients
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, double, double, int32_t, Buffer *> coefficients;
  // x, coefficients, residual, has_residual, slope, form, fast, channels from and how many, samples, zero, y
  Kernel<Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *, int32_t, int32_t, int32_t, int32_t, int32_t,
         Buffer *>
      apply;
  // x, residual, scale, shift, has_residual, slope, eps, form, size, channels, samples, zero, y, coefficients
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, bool, double, double, int32_t, int32_t, int32_t, int32_t, int32_t,
         int32_t, int32_t, Buffer *, Buffer *>
      resident_small, resident_large;
  // x, residual, scale, shift, has_residual, slope, eps, fast, channels, samples, zero, y, stats
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, bool, double, double, Buffer *, int32_t, int32_t, int32_t, int32_t,
         int32_t, Buffer *, Buffer *>
      wide_across, wide_along;
  // x, dy, residual, coefficients, mean, has_residual, slope, form, zero, sums
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, int32_t, Buffer *>
      gradient_sums_small, gradient_sums_large;
  // x, dy, residual, coefficients, mean, has_residual, slope, form, rstd, scale, frozen, size, written, fast, channels,
  // samples, zero, dx, gradient
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *, Buffer *, bool, int32_t,
         int32_t, Buffer *, int32_t, int32_t, int32_t, int32_t, int32_t, Buffer *, Buffer *>
      resident_gradient_small, resident_gradient_large;
  // sums, mean, rstd, scale, count, frozen, zero, gradient
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, double, bool, int32_t, Buffer *> gradient_coefficients;
  // x, dy, residual, coefficients, mean, has_residual, slope, form, gradient, fast, fast, channels, samples, zero, dx
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, int32_t, Buffer *, Buffer *, Buffer *, int32_t,
         int32_t, int32_t, int32_t, int32_t, Buffer *>
      gradient_apply;
  // x, dy, residual, scale, shift, mean, rstd, has_residual, slope, frozen, only_g, fast, fast, channels, samples,
  // zero, dx, sums
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, Buffer *, bool, double, bool, bool, Buffer *,
         Buffer *, int32_t, int32_t, int32_t, int32_t, int32_t, Buffer *, Buffer *>
      wide_gradient_across, wide_gradient_along;
  // from, the innermost loop from and how many, channels, samples, zero, to
  Kernel<Buffer *, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, Buffer *> copy;
  // from, factor, form, channels, samples, zero, to
  Kernel<Buffer *, double, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, Buffer *> to_double, from_double;
  // values, old, keep, gain, count, running, zero, result
  Kernel<Buffer *, Buffer *, double, double, double, bool, int32_t, Buffer *> samples;
  // mean, M2 of one tile, of the other, their counts, zero, merged
  Kernel<Buffer *, Buffer *, Buffer *, Buffer *, double, double, int32_t, Buffer *> merge;
};

struct GpuKernels {
  const char *name;
  GpuElementKernels elements[4];  // by runtime/element.h's Element
};

extern const GpuKernels kGpuKernels[];
extern const int kGpuKernelsCount;

}  // namespace haline

#endif  // HALINE_RUNTIME_GPU_KERNELS_H_

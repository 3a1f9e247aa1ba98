// The table of kernels: for each back end one function a kernel, as listed in generators/kernels.cmake.
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
struct KernelSet {
  const char *name;
  Kernel<Buffer *, Buffer *> moments_small;  // x, sums
  Kernel<Buffer *, Buffer *> moments_large;
  Kernel<Buffer *, Buffer *, Buffer *, double, double, Buffer *> coefficients;   // sums, scale, shift, eps, count, out
  Kernel<Buffer *, Buffer *, Buffer *> apply;                                    // x, coefficients, y
  Kernel<Buffer *, Buffer *, Buffer *, double, Buffer *, Buffer *> wide_across;  // x, scale, shift, eps, y, stats
  Kernel<Buffer *, Buffer *, Buffer *, double, Buffer *, Buffer *> wide_along;
};

extern const KernelSet kKernelSets[];  // best first
extern const int kKernelSetCount;

}  // namespace haline

#endif  // HALINE_RUNTIME_KERNELS_H_

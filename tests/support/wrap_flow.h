// Stands before a kernel of flow_generator.cpp, where the linker sends the engines' calls (--wrap): `count` is done,
// with the kernel's arguments at hand, and then the kernel is called.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_WRAP_FLOW_H_
#define HALINE_TESTS_SUPPORT_WRAP_FLOW_H_

#include <cstdint>

struct halide_buffer_t;

#define HALINE_WRAP_FLOW(kernel, count)                                                                               \
  extern "C" int __real_##kernel(halide_buffer_t *, halide_buffer_t *, bool, halide_buffer_t *, halide_buffer_t *,    \
                                 halide_buffer_t *, bool, double, int32_t, halide_buffer_t *, int32_t, int32_t,       \
                                 int32_t, halide_buffer_t *);                                                         \
  extern "C" int __wrap_##kernel(halide_buffer_t *x, halide_buffer_t *pivot, bool has_pivot, halide_buffer_t *before, \
                                 halide_buffer_t *coefficients, halide_buffer_t *residual, bool has_residual,         \
                                 double slope, int32_t form, halide_buffer_t *y, int32_t lead, int32_t turn,          \
                                 int32_t ahead, halide_buffer_t *sums) {                                              \
    count;                                                                                                            \
    return __real_##kernel(x, pivot, has_pivot, before, coefficients, residual, has_residual, slope, form, y, lead,   \
                           turn, ahead, sums);                                                                        \
  }

#endif  // HALINE_TESTS_SUPPORT_WRAP_FLOW_H_

# The one list: every kernel x every back end is an ahead-of-time compiled function kernel_<kernel>_<back end>.
# The build, the run-time table (runtime/kernels.cpp), the tests and the benchmarks all follow it.

# Back end | Halide target. No feature is implied by another; strict_float is what makes bits a promise.
set(HALINE_X86_BACKENDS
    "x86_avx512|x86-64-linux-sse41-avx-f16c-fma-avx2-avx512-avx512_skylake-strict_float"
    "x86_avx2|x86-64-linux-sse41-avx-f16c-fma-avx2-strict_float"
    "x86_64|x86-64-linux-sse41-strict_float"
)
set(HALINE_ARM_BACKENDS "arm_neon|arm-64-linux-strict_float")

# Kernel | generator | parameters. What each does is said at the head of its generator.
set(HALINE_KERNELS
    "moments_small|moments|chunk=64"
    "moments_large|moments|chunk=128"
    "coefficients|coefficients|"
    "apply|apply|"
    "wide_across|wide|lanes=1"
    "wide_along|wide|lanes=16"
)

# The one list: every kernel x element type x back end is an ahead-of-time compiled function
# kernel_<kernel>_<element>_<back end>. The build, the run-time table (runtime/kernels.cpp), the tests and the
# benchmarks all follow it.

# Back end | Halide target. No feature is implied by another; strict_float is what makes bits a promise.
set(HALINE_X86_BACKENDS
    "x86_avx512|x86-64-linux-sse41-avx-f16c-fma-avx2-avx512-avx512_skylake-strict_float"
    "x86_avx2|x86-64-linux-sse41-avx-f16c-fma-avx2-strict_float"
    "x86_64|x86-64-linux-sse41-strict_float"
)
set(HALINE_ARM_BACKENDS "arm_neon|arm-64-linux-arm_fp16-strict_float")

# Element | Halide type it is stored as | type that it is computed in, which is that of scale and shift.
set(HALINE_ELEMENTS "f32|float32|float32" "f16|uint16|float32" "bf16|uint16|float32" "f64|float64|float64")

# Kernel | generator | S: a version for each element, L: the same but for the oldest processors, which are not worth their
# size (a null function in the table), X: L, on x86 alone, P: L, of float32 alone, N: L, but of float64, A: S, but of 16
# bits for AVX2 (runtime/plan.h's ResultsAcross), M: one for each type computed in | parameters, where <storage> and
# <math> stand for the element's types. What each kernel does is said at the head of its generator.
set(HALINE_KERNELS
    "pivot|pivot|S|samples.type=<storage>"
    "pivot_last|pivot|L|layout=last|samples.type=<storage>"
    "moments_small|moments|S|chunk=64|x.type=<storage>"
    "moments_small_last|moments|L|layout=last|chunk=64|x.type=<storage>"
    "moments_small_lanes|moments|L|layout=last|chunk=64|by_lane=true|x.type=<storage>"
    "moments_large|moments|S|chunk=128|x.type=<storage>"
    "moments_large_lanes|moments|L|layout=last|chunk=128|by_lane=true|x.type=<storage>"
    "moments_small_rows|moments|L|layout=rows|chunk=64|x.type=<storage>"
    "moments_large_rows|moments|L|layout=rows|chunk=128|x.type=<storage>"
    "lanes|lanes|M|"
    "flow_small|flow|S|chunk=64|x.type=<storage>|before.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "flow_large|flow|S|chunk=128|x.type=<storage>|before.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "flow_alone|flow|S|alone=true|chunk=128|x.type=<storage>|before.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "flow_plain|flow|N|chunk=128|x.type=<storage>|before.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "coefficients|coefficients|M|scale.type=<math>|shift.type=<math>"
    "apply|apply|S|x.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "apply_last|apply|L|layout=last|x.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "apply_lines|apply|X|layout=last|lines=true|x.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "group|group|S|x.type=<storage>|y.type=<storage>|scale.type=<math>|shift.type=<math>"
    "column|column|L|x.type=<storage>|scale.type=<math>|shift.type=<math>|y.type=<storage>"
    "wide_across|wide|A|lanes=1|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_turned|wide|X|lanes=1|turned=true|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_few|wide|S|lanes=1|few=true|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_across_last|wide|L|layout=last|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_across_last_bare|wide|L|layout=last|bare=true|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_few_last|wide|L|layout=last|few=true|bare=true|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_along|wide|S|lanes=16|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=<math>|shift.type=<math>"
    "gradient_sums_small|gradient_sums|S|chunk=64|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "gradient_sums_small_last|gradient_sums|L|layout=last|chunk=64|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "gradient_sums_small_lanes|gradient_sums|L|layout=last|chunk=64|by_lane=true|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "gradient_sums_large|gradient_sums|S|chunk=128|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "gradient_sums_large_lanes|gradient_sums|L|layout=last|chunk=128|by_lane=true|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "gradient_sums_small_rows|gradient_sums|L|layout=rows|chunk=64|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "gradient_sums_large_rows|gradient_sums|L|layout=rows|chunk=128|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "gradient_flow_small|gradient_flow|S|chunk=64|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|x_before.type=<storage>|dy_before.type=<storage>|residual_before.type=<storage>|dx.type=<storage>|dresidual.type=<storage>"
    "gradient_flow_large|gradient_flow|S|chunk=128|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|x_before.type=<storage>|dy_before.type=<storage>|residual_before.type=<storage>|dx.type=<storage>|dresidual.type=<storage>"
    "gradient_flow_plain|gradient_flow|P|chunk=128|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|x_before.type=<storage>|dy_before.type=<storage>|residual_before.type=<storage>|dx.type=<storage>|dresidual.type=<storage>"
    "gradient_coefficients|gradient_coefficients|M|scale.type=<math>"
    "gradient_apply|gradient_apply|S|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>"
    "gradient_apply_last|gradient_apply|L|layout=last|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>"
    "gradient_apply_lines|gradient_apply|X|layout=last|lines=true|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>"
    "gradient_both_last|gradient_both|L|layout=last|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|results.type=<storage>,<storage>"
    "gradient_both_lines|gradient_both|X|layout=last|lines=true|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|results.type=<storage>,<storage>"
    "wide_gradient_across|wide_gradient|S|lanes=1|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_gradient_few|wide_gradient|S|lanes=1|few=true|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_gradient_across_last|wide_gradient|L|layout=last|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>|scale.type=<math>|shift.type=<math>"
    "wide_gradient_along|wide_gradient|S|lanes=16|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>|scale.type=<math>|shift.type=<math>"
)

# GPUs. Back end | what its target has beside the host's system. (CUDA: the oldest cards with a schedule that they share
# with the newest; drivers translate the PTX.)
set(HALINE_GPU_BACKENDS "cuda|cuda-cuda_capability_70-strict_float" "opencl|opencl-cl_doubles-strict_float")

# As HALINE_KERNELS. scale and shift are double there, made so by to_double; <bits> is an integer of the element's size.
set(HALINE_GPU_KERNELS
    "pivot|pivot|S|element=<element>|samples.type=<storage>"
    "moments_small|moments|S|element=<element>|chunk=64|x.type=<storage>"
    "moments_large|moments|S|element=<element>|chunk=128|x.type=<storage>"
    "coefficients|coefficients|M|element=<element>|scale.type=float64|shift.type=float64"
    "apply|apply|S|element=<element>|x.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "resident_small|resident|S|element=<element>|chunk=64|x.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "resident_large|resident|S|element=<element>|chunk=128|x.type=<storage>|residual.type=<storage>|y.type=<storage>"
    "wide_across|wide|S|element=<element>|lanes=1|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=float64|shift.type=float64"
    "wide_along|wide|S|element=<element>|lanes=16|x.type=<storage>|residual.type=<storage>|y.type=<storage>|scale.type=float64|shift.type=float64"
    "gradient_sums_small|gradient_sums|S|element=<element>|chunk=64|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "gradient_sums_large|gradient_sums|S|element=<element>|chunk=128|x.type=<storage>|dy.type=<storage>|residual.type=<storage>"
    "resident_gradient_small|resident_gradient|S|element=<element>|chunk=64|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>"
    "resident_gradient_large|resident_gradient|S|element=<element>|chunk=128|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>"
    "gradient_coefficients|gradient_coefficients|M|element=<element>|scale.type=float64"
    "gradient_apply|gradient_apply|S|element=<element>|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>"
    "wide_gradient_across|wide_gradient|S|element=<element>|lanes=1|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>|scale.type=float64|shift.type=float64"
    "wide_gradient_along|wide_gradient|S|element=<element>|lanes=16|x.type=<storage>|dy.type=<storage>|residual.type=<storage>|dx.type=<storage>|scale.type=float64|shift.type=float64"
    "copy|copy|B|from.type=<bits>|to.type=<bits>"
    "to_double|per_plane|S|element=f64|source=<element>|from.type=<storage>|to.type=float64"
    "from_double|per_plane|S|element=<element>|source=f64|from.type=float64|to.type=<storage>"
    "samples|samples|1"
    "merge|merge|1"
)

# Those that may allocate memory. They check their arguments in every build, as one of the checks is whether they got it
# (tests/unchecked_kernels.cmake holds the others to allocating none).
set(HALINE_CHECKED_KERNELS wide_along wide_gradient_along)

# Generator | the parameters of its schedule, with the values that may be worth a try, the default first: the default is
# the hand schedule. scripts/tune.sh searches them, and generators/schedules/*.json has what it found.
set(HALINE_SCHEDULES
    "pivot|unroll=1,2,4,8"
    "moments|unroll=1,2,4"
    "coefficients|vector=0,2,4,8"
    "apply|unroll=1,2,4,8"
    "group|batch=2,1,4,8"
    "wide|batch=4,1,2,8"
    "wide_gradient|batch=4,1,2,8"
    "gradient_sums|unroll=1,2"
    "gradient_coefficients|vector=0,2,4,8"
    "gradient_apply|unroll=1,2,4"
)

// Running a problem on a GPU: with the caller's device tensors as they lie, or with copies of the host's.
#ifndef HALINE_RUNTIME_GPU_H_
#define HALINE_RUNTIME_GPU_H_

#include "gpu_kernels.h"
#include "problem.h"

namespace haline {

enum class GpuPass { kForward, kBackward };

// For x on a device: which back end that is, in the problem, or why there is none.
haline_status ChooseGpu(const haline_tensor &x, Problem *problem);

haline_status RunOnGpu(const Problem &problem, GpuPass pass, const GpuKernels &kernels);

}  // namespace haline

#endif  // HALINE_RUNTIME_GPU_H_

// Running a problem on a GPU: with the caller's device tensors as they lie, or with copies of the host's.
#ifndef HALINE_RUNTIME_GPU_H_
#define HALINE_RUNTIME_GPU_H_

#include "gpu_api.h"
#include "gpu_kernels.h"
#include "merge.h"
#include "problem.h"

namespace haline {

enum class GpuPass { kForward, kBackward };

// For a tensor on a device: which back end that is, in the problem, or why there is none.
haline_status ChooseGpu(const char *name, const haline_tensor &t, Problem *problem);

// Lengths that lie on the problem's device, brought to the host: waits for the queue.
haline_status FetchLengths(const haline_tensor &lengths, Problem *problem);

// The moments of tiles on the problem's device together, into its mean and m2; its planes are channels.
haline_status MergeTilesThere(const Problem &problem, const Tile *tiles, int32_t count);

// A pass, of tensors on the device; or with copies there of the host's. Between Enter and Leave.
haline_status RunPass(const Problem &problem, GpuPass pass, GpuApi *api, const GpuKernels &kernels);
haline_status SendAndRun(const Problem &problem, GpuPass pass, GpuApi *api, const GpuKernels &kernels);

haline_status RunOnGpu(const Problem &problem, GpuPass pass, const GpuKernels &kernels);

}  // namespace haline

#endif  // HALINE_RUNTIME_GPU_H_

#include "gpu_kernels.h"

#include "gpu_headers.inc"

namespace haline {

const GpuKernels kGpuKernels[] = {
#include "gpu_table.inc"
    {},  // an array has at least one element, also where there are no GPU back ends
};

const int kGpuKernelsCount = sizeof(kGpuKernels) / sizeof(kGpuKernels[0]) - 1;

}  // namespace haline

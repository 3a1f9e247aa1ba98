#include "kernels.h"

#include "kernel_headers.inc"

namespace haline {

const KernelSet kKernelSets[] = {
#include "kernel_table.inc"
};

const int kKernelSetCount = sizeof(kKernelSets) / sizeof(kKernelSets[0]);

}  // namespace haline

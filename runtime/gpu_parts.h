// How a problem is cut for GPUs: into parts whose extents a launch can have and whose indices kernels can count, in 32
// bits. Decides time, never bits.
#ifndef HALINE_RUNTIME_GPU_PARTS_H_
#define HALINE_RUNTIME_GPU_PARTS_H_

#include <cstdint>

#include "problem.h"

namespace haline {

constexpr int64_t kMostIndex = (int64_t{1} << 31) - 1024;  // kernels round up to whole tiles
constexpr int64_t kMostGpuBlocks = 65535;                  // of a launch, in y and z: channels, samples
constexpr int64_t kMostGpuPlanes = int64_t{1} << 24;       // of a part: some columns of doubles are kept of them

// Planes of a part: so many channels of so many samples.
struct PartExtents {
  int64_t channels, batch;
};

// The largest that a problem's parts may have.
PartExtents GpuParts(const Problem &problem);

// Whether kernels take a tensor's planes as they lie; else they get copies.
bool Direct(const Array &array);

// Whether kernels can index so many planes of a tensor at a time: all of them, or else a part's.
bool Indexable(const Array &array, const PartExtents &planes);

// Whether copy_generator.cpp, whose indices alone have 64 bits, can take a tensor.
bool Copyable(const Array &array);

// Numbers of planes.
bool Indexable(const PerPlane &values, const PartExtents &planes);

}  // namespace haline

#endif  // HALINE_RUNTIME_GPU_PARTS_H_

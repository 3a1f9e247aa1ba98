#include "gpu_parts.h"

#include <algorithm>

namespace haline {
namespace {

// What Halide checks of a buffer (that its elements and each dimension's length fit 31 bits), and the last index too.
class Reach {
 public:
  Reach &Add(int64_t extent, int64_t stride) {
    int64_t length;
    if (extent <= 1) return *this;  // the stride does not matter
    fits_ = fits_ && !__builtin_mul_overflow(extent, stride, &length) && length <= kMostIndex &&
            extent <= kMostIndex / count_ && (last_ += length - stride) <= kMostIndex;
    if (fits_) count_ *= extent;
    return *this;
  }
  Reach &Add(const Array &array) {
    for (int i = 0; i < array.loop_count; i++) Add(array.loops[i].extent, array.loops[i].stride);
    return *this;
  }
  bool fits() const { return fits_; }

 private:
  bool fits_ = true;
  int64_t count_ = 1, last_ = 0;
};

bool Counts(int64_t extent, int64_t stride) { return extent <= 1 || stride <= kMostIndex; }

// Whether kernels can have parts of these extents of all tensors.
bool Fits(const Problem &problem, const PartExtents &part) {
  for (const Array *array : {&problem.x, &problem.y, &problem.residual, &problem.dy, &problem.dx, &problem.dresidual}) {
    if (!array->data || Indexable(*array, {problem.channels, problem.batch})) continue;
    const bool fits = Direct(*array) ? Indexable(*array, part)
                                     : Counts(part.channels, array->c_stride) && Counts(part.batch, array->n_stride);
    if (!fits) return false;
  }
  return true;
}

}  // namespace

PartExtents GpuParts(const Problem &problem) {
  const int64_t planes = std::clamp<int64_t>(kMostIndex / std::max<int64_t>(1, problem.size()), 1, kMostGpuPlanes);
  PartExtents part = {std::min({problem.channels, planes, kMostGpuBlocks}), 1};
  while (part.channels > 1 && !Fits(problem, part)) part.channels /= 2;
  // (The lengths are the samples' own.)
  if (problem.lengths || part.channels < problem.channels) return part;
  part.batch = std::min({problem.batch, planes / std::max<int64_t>(1, part.channels), kMostGpuBlocks});
  while (part.batch > 1 && !Fits(problem, part)) part.batch /= 2;
  return part;
}

bool Direct(const Array &array) { return array.loop_count == 1 && Reach().Add(array).fits(); }

bool Indexable(const Array &array, const PartExtents &planes) {
  return Reach().Add(array).Add(planes.channels, array.c_stride).Add(planes.batch, array.n_stride).fits();
}

bool Copyable(const Array &array) {
  return std::all_of(array.loops, array.loops + array.loop_count,
                     [](const Loop &loop) { return Counts(loop.extent, loop.stride); });
}

bool Indexable(const PerPlane &values, const PartExtents &planes) {
  return Reach().Add(planes.channels, values.c_stride).Add(planes.batch, values.n_stride).fits();
}

}  // namespace haline

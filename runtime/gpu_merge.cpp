// Moments of tiles on a device, put together by a kernel for each pair; nothing waits for them.
#include <utility>

#include "gpu.h"
#include "gpu_engine.h"
#include "merge.h"
#include "tensor.h"

namespace haline {
namespace {

class GpuMergeEngine : public GpuEngine {
 public:
  using GpuEngine::GpuEngine;

  haline_status Run(const Tile *tiles, int32_t count) {
    const Merged all = MergeAll(tiles, count);
    if (outcome_.failed()) return outcome_.status;
    // (Through scratch memory also because the result may be one of the tiles.)
    Record(problem_.mean, planes_, {all.mean, 1, 0}, 1);
    Record(problem_.m2, planes_, {all.m2, 1, 0}, 1);
    return outcome_.status;
  }

 private:
  struct Merged {
    int64_t count = 0;
    Address mean = 0, m2 = 0;
    GpuMemory memory;  // of both, unless they are a tile's own
  };

  Merged MergeAll(const Tile *tiles, int32_t count) {
    if (count == 1) {
      Merged tile;
      tile.count = tiles->count;
      tile.mean = reinterpret_cast<Address>(Data(*tiles->mean));
      tile.m2 = reinterpret_cast<Address>(Data(*tiles->m2));
      return tile;
    }
    const int32_t half = FirstHalf(count);
    Merged a = MergeAll(tiles, half), b = MergeAll(tiles + half, count - half);
    if (a.count == 0 || outcome_.failed()) return b;
    if (b.count == 0) return a;
    if (b.count > a.count) std::swap(a, b);
    Merged merged;
    merged.count = a.count + b.count;
    merged.memory = Columns(planes_, 2);
    merged.mean = merged.memory.address();
    merged.m2 = Column(merged.mean, planes_, 1).address;
    if (outcome_.failed()) return merged;
    GpuView mean_a = Numbers1(a.mean), m2_a = Numbers1(a.m2), mean_b = Numbers1(b.mean), m2_b = Numbers1(b.m2),
            out(api_, merged.mean, HalideType(Element::kF64), {{planes_.channels, 1}, {2, ColumnStride(planes_)}},
                &outcome_);
    Call("merge", kernels_.merge, mean_a, m2_a, mean_b, m2_b, static_cast<double>(a.count),
         static_cast<double>(b.count), 0, out);
    return merged;
  }

  GpuView Numbers1(Address address) {
    return {api_, address, HalideType(Element::kF64), {{planes_.channels, 1}}, &outcome_};
  }

  const Part planes_{0, 1, 0, problem_.channels, 1};
};

}  // namespace

haline_status MergeOnGpu(const Problem &problem, const Tile *tiles, int32_t count, GpuApi *api,
                         const GpuKernels &kernels) {
  return GpuMergeEngine(problem, api, kernels).Run(tiles, count);
}

}  // namespace haline

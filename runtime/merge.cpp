#include "merge.h"

#include <bit>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "error.h"

namespace haline {

TileMoments Merge(TileMoments a, TileMoments b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  if (b.count > a.count || (b.count == a.count && b.mean > a.mean)) std::swap(a, b);  // whichever came first
  const auto count_a = static_cast<double>(a.count), count_b = static_cast<double>(b.count), count = count_a + count_b;
  const double delta = b.mean - a.mean;
  return {a.count + b.count, a.mean + delta * (count_b / count),
          (a.m2 + b.m2) + delta * delta * (count_a * (count_b / count))};
}

TileMoments MergeAll(const TileMoments *tiles, int32_t count) {
  if (count == 1) return tiles[0];
  const auto half = static_cast<int32_t>(std::bit_floor(static_cast<uint32_t>(count - 1)));
  return Merge(MergeAll(tiles, half), MergeAll(tiles + half, count - half));
}

haline_status MergeTensors(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                           const haline_tensor *const *m2s, int64_t *count, haline_tensor *mean, haline_tensor *m2) {
  int64_t total = 0, planes = 1;
  for (int32_t i = 0; i < tiles; i++) {
    if (counts[i] > std::numeric_limits<int64_t>::max() - total) {
      return Fail(HALINE_INVALID_ARGUMENT, "counts: more than 2^63 - 1 elements found in all");
    }
    total += counts[i];
  }
  if (total == 0) return Fail(HALINE_INVALID_ARGUMENT, "counts: 0 found in all, at least one element wanted");
  for (int d = 0; d < mean->ndim; d++) planes *= mean->shape[d];
  const auto data = [](const haline_tensor &t) {
    return reinterpret_cast<double *>(static_cast<char *>(t.data) + t.byte_offset);
  };
  try {
    std::vector<TileMoments> plane(tiles);
    for (int64_t p = 0; p < planes; p++) {
      for (int32_t i = 0; i < tiles; i++) plane[i] = {counts[i], data(*means[i])[p], data(*m2s[i])[p]};
      const TileMoments merged = MergeAll(plane.data(), tiles);
      data(*mean)[p] = merged.mean;
      data(*m2)[p] = merged.m2;
    }
  } catch (const std::bad_alloc &) {
    return Fail(HALINE_OUT_OF_MEMORY, "out of memory for the moments of %d tiles", tiles);
  }
  *count = total;
  return HALINE_OK;
}

}  // namespace haline

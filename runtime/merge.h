// Moments of tiles, put together.
#ifndef HALINE_RUNTIME_MERGE_H_
#define HALINE_RUNTIME_MERGE_H_

#include <bit>
#include <cstdint>

#include "haline/haline.h"

namespace haline {

// The moments of each plane of a tile.
struct Tile {
  int64_t count;
  const haline_tensor *mean, *m2;
};

// haline_merge_moments, its arguments checked here too: they are not those of a Problem.
haline_status MergeMoments(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                           const haline_tensor *const *m2s, int64_t *count, haline_tensor *mean, haline_tensor *m2,
                           const haline_options *options);

// Several tiles are a binary tree over their indices, split at the largest power of two below `count` (> 1).
constexpr int32_t FirstHalf(int32_t count) {
  return static_cast<int32_t>(std::bit_floor(static_cast<uint32_t>(count - 1)));
}

}  // namespace haline

#endif  // HALINE_RUNTIME_MERGE_H_

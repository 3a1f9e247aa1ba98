// Moments of tiles, put together.
#ifndef HALINE_RUNTIME_MERGE_H_
#define HALINE_RUNTIME_MERGE_H_

#include <cstdint>

#include "haline/haline.h"

namespace haline {

struct TileMoments {
  int64_t count;
  double mean, m2;
};

// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979. The same
// bytes for (b, a) as for (a, b).
TileMoments Merge(TileMoments a, TileMoments b);

// As a binary tree over the indices, split at the largest power of two below `count` (>= 1).
TileMoments MergeAll(const TileMoments *tiles, int32_t count);

// haline_merge_moments, its arguments checked.
haline_status MergeTensors(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                           const haline_tensor *const *m2s, int64_t *count, haline_tensor *mean, haline_tensor *m2);

}  // namespace haline

#endif  // HALINE_RUNTIME_MERGE_H_

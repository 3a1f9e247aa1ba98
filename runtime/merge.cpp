#include "merge.h"

#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "error.h"
#include "tensor.h"

namespace haline {
namespace {

struct TileMoments {
  int64_t count;
  double mean, m2;
};

// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979. The same
// bytes for (b, a) as for (a, b).
TileMoments Merge(TileMoments a, TileMoments b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  if (b.count > a.count || (b.count == a.count && b.mean > a.mean)) std::swap(a, b);  // whichever came first
  const auto count_a = static_cast<double>(a.count), count_b = static_cast<double>(b.count), count = count_a + count_b;
  const double delta = b.mean - a.mean;
  return {a.count + b.count, a.mean + delta * (count_b / count),
          (a.m2 + b.m2) + delta * delta * (count_a * (count_b / count))};
}

// As a binary tree over the indices, split at the largest power of two below `count` (>= 1).
TileMoments MergeAll(const TileMoments *tiles, int32_t count) {
  if (count == 1) return tiles[0];
  const auto half = static_cast<int32_t>(std::bit_floor(static_cast<uint32_t>(count - 1)));
  return Merge(MergeAll(tiles, half), MergeAll(tiles + half, count - half));
}

// One tensor of moments: float64, contiguous, of the shape that `like` has.
haline_status CheckMoments(const char *name, const haline_tensor *t, const haline_tensor *like) {
  Operand operand{name, t};
  Element element;
  haline_status status = CheckTensor(&operand);
  if (status == HALINE_OK) status = GetElement(name, *t, &element);
  if (status != HALINE_OK) return status;
  if (element != Element::kF64) {
    return Fail(HALINE_UNSUPPORTED, "%s: %s elements found, float64 wanted", name, Name(element));
  }
  if (t->ndim != like->ndim || std::memcmp(t->shape, like->shape, t->ndim * sizeof(int64_t)) != 0) {
    return Fail(HALINE_INVALID_ARGUMENT,
                "%s: shape %s found, %s (the shape of mean) wanted: moments of the same planes", name,
                ShapeText(*t).text, ShapeText(*like).text);
  }
  int64_t wanted = 1;
  for (int d = t->ndim - 1; d >= 0 && operand.count > 0; d--) {
    if (t->shape[d] > 1 && Stride(*t, d) != wanted) {
      return Fail(HALINE_UNSUPPORTED, "%s: strides found, a contiguous tensor wanted", name);
    }
    wanted *= t->shape[d];
  }
  return HALINE_OK;
}

haline_status Check(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                    const haline_tensor *const *m2s, const int64_t *count, const haline_tensor *mean,
                    const haline_tensor *m2) {
  if (tiles < 1) return Fail(HALINE_INVALID_ARGUMENT, "tiles: %d found, 1 and up wanted", tiles);
  if (!counts || !means || !m2s || !count) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: null found, %s wanted",
                !counts  ? "counts"
                : !means ? "means"
                : !m2s   ? "m2s"
                         : "count",
                counts && means && m2s ? "room for a number" : "one entry for each tile");
  }
  haline_status status = CheckMoments("mean", mean, mean);
  if (status == HALINE_OK) status = CheckMoments("m2", m2, mean);
  int64_t total = 0;
  for (int32_t i = 0; i < tiles && status == HALINE_OK; i++) {
    status = CheckMoments("means", means[i], mean);
    if (status == HALINE_OK) status = CheckMoments("m2s", m2s[i], mean);
    if (status != HALINE_OK) break;
    if (counts[i] < 0 || counts[i] > std::numeric_limits<int64_t>::max() - total) {
      return Fail(HALINE_INVALID_ARGUMENT, "counts: %lld found at %d, 0 and up and less than 2^63 in all wanted",
                  static_cast<long long>(counts[i]), i);
    }
    total += counts[i];
  }
  if (status == HALINE_OK && total == 0) {
    return Fail(HALINE_INVALID_ARGUMENT, "counts: 0 found in all, at least one element wanted");
  }
  return status;
}

}  // namespace

haline_status MergeMoments(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                           const haline_tensor *const *m2s, int64_t *count, haline_tensor *mean, haline_tensor *m2) {
  const haline_status status = Check(tiles, counts, means, m2s, count, mean, m2);
  if (status != HALINE_OK) return status;
  int64_t total = 0, planes = 1;
  for (int32_t i = 0; i < tiles; i++) total += counts[i];
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

#include "merge.h"

#include <cstring>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "check.h"
#include "error.h"
#include "gpu.h"
#include "operand.h"

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

TileMoments MergeAll(const TileMoments *tiles, int32_t count) {
  if (count == 1) return tiles[0];
  const int32_t half = FirstHalf(count);
  return Merge(MergeAll(tiles, half), MergeAll(tiles + half, count - half));
}

// One tensor of moments: float64, contiguous, of the shape that `like` has.
haline_status CheckMoments(const char *name, const haline_tensor *t, const haline_tensor *like,
                           const haline_device &device) {
  Operand operand{name, t};
  Element element;
  haline_status status = CheckTensor(&operand, device);
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
                    const haline_tensor *m2, const haline_device &device) {
  if (tiles < 1) return Fail(HALINE_INVALID_ARGUMENT, "tiles: %d found, 1 and up wanted", tiles);
  if (!counts || !means || !m2s || !count) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: null found, %s wanted",
                !counts  ? "counts"
                : !means ? "means"
                : !m2s   ? "m2s"
                         : "count",
                counts && means && m2s ? "room for a number" : "one entry for each tile");
  }
  haline_status status = CheckMoments("mean", mean, mean, device);
  if (status == HALINE_OK) status = CheckMoments("m2", m2, mean, device);
  int64_t total = 0;
  for (int32_t i = 0; i < tiles && status == HALINE_OK; i++) {
    status = CheckMoments("means", means[i], mean, device);
    if (status == HALINE_OK) status = CheckMoments("m2s", m2s[i], mean, device);
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

void MergeHere(const std::vector<Tile> &tiles, int64_t planes, haline_tensor *mean, haline_tensor *m2) {
  const auto data = [](const haline_tensor &t, int64_t p) { return Data(t) + p * Size(Element::kF64); };
  std::vector<TileMoments> plane(tiles.size());
  for (int64_t p = 0; p < planes; p++) {
    for (size_t i = 0; i < tiles.size(); i++) {
      plane[i] = {tiles[i].count, Read(Element::kF64, data(*tiles[i].mean, p)),
                  Read(Element::kF64, data(*tiles[i].m2, p))};
    }
    const TileMoments merged = MergeAll(plane.data(), static_cast<int32_t>(tiles.size()));
    Write(Element::kF64, data(*mean, p), merged.mean);
    Write(Element::kF64, data(*m2, p), merged.m2);
  }
}

}  // namespace

haline_status MergeMoments(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                           const haline_tensor *const *m2s, int64_t *count, haline_tensor *mean, haline_tensor *m2,
                           const haline_options *options) {
  Problem problem;
  haline_options room;
  HALINE_TRY(GetOptions(options, &room, &options, &problem));
  problem.backend = nullptr;
  if (mean && mean->device.type != HALINE_CPU) HALINE_TRY(ChooseGpu("mean", *mean, &problem));
  HALINE_TRY(Check(tiles, counts, means, m2s, count, mean, m2, problem.device));
  int64_t total = 0, planes = 1;
  for (int32_t i = 0; i < tiles; i++) total += counts[i];
  for (int d = 0; d < mean->ndim; d++) planes *= mean->shape[d];
  try {
    std::vector<Tile> all(tiles);
    for (int32_t i = 0; i < tiles; i++) all[i] = {counts[i], means[i], m2s[i]};
    if (problem.device.type == HALINE_CPU) {
      MergeHere(all, planes, mean, m2);
    } else if (planes > 0) {
      problem.batch = 1;
      problem.channels = planes;
      problem.mean = {Data(*mean), Element::kF64, 0, 1};
      problem.m2 = {Data(*m2), Element::kF64, 0, 1};
      HALINE_TRY(MergeTilesThere(problem, all.data(), tiles));
    }
  } catch (const std::bad_alloc &) {
    return Fail(HALINE_OUT_OF_MEMORY, "out of memory for the moments of %d tiles", tiles);
  }
  *count = total;
  return HALINE_OK;
}

}  // namespace haline

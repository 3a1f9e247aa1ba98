// Moments of tiles, put together.
#ifndef HALINE_RUNTIME_MERGE_H_
#define HALINE_RUNTIME_MERGE_H_

#include <cstdint>

#include "haline/haline.h"

namespace haline {

// haline_merge_moments, its arguments checked here too: they are not those of a Problem.
haline_status MergeMoments(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                           const haline_tensor *const *m2s, int64_t *count, haline_tensor *mean, haline_tensor *m2);

}  // namespace haline

#endif  // HALINE_RUNTIME_MERGE_H_

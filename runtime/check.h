// From the caller's tensors to a problem that is known to be sound, or to an error that names what is not.
#ifndef HALINE_RUNTIME_CHECK_H_
#define HALINE_RUNTIME_CHECK_H_

#include <cstdint>

#include "haline/haline.h"

namespace haline {

// N x C planes of S elements, each contiguous.
struct Problem {
  int64_t batch = 0, channels = 0, size = 0;
  const float *x = nullptr;
  float *y = nullptr;
  const float *scale = nullptr;  // [C] or null
  const float *shift = nullptr;  // [C] or null
  double eps = 1e-5;
  const char *backend = nullptr;

  int64_t planes() const { return batch * channels; }
};

haline_status Check(const haline_tensor *x, const haline_tensor *scale, const haline_tensor *shift,
                    const haline_tensor *y, const haline_options *options, Problem *problem);

}  // namespace haline

#endif  // HALINE_RUNTIME_CHECK_H_

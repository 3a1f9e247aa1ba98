// A problem that is known to be sound: what check.cpp makes of the caller's tensors and options, and all that the
// engines need to know.
#ifndef HALINE_RUNTIME_PROBLEM_H_
#define HALINE_RUNTIME_PROBLEM_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>

#include "array.h"
#include "haline/haline.h"

namespace haline {

// (On cache lines of its own, as the plan and the engine are: other threads read them while the caller's stack beside
// them changes.)
struct alignas(64) Problem {
  Problem() {}  // (not constexpr, of which g++ clears all with `rep stos` first: a fortieth of a small call)

  int64_t batch = 0, channels = 0;
  int64_t rows = 1;    // of a plane: all its dimensions but the last
  int64_t extent = 0;  // of the last dimension
  Element element = Element::kF32;

  // Valid elements of each row, by sample; null: all.
  const char *lengths = nullptr;
  int64_t lengths_stride = 0;
  int lengths_bits = 64;
  std::shared_ptr<void> fetched_lengths;  // what they lie in where they came from a device

  // Forward: x to y. Backward: x and dy to dx and dresidual. Missing ones have no data.
  Array x, y, residual, dy, dx, dresidual;

  PerPlane scale, shift;          // missing: ones, zeros
  PerPlane mean, rstd, variance;  // given to the forward pass where `given`, and to the backward pass; else results
  PerPlane m2;                    // result
  PerPlane running_mean, running_variance;  // updated, by channel
  PerPlane dscale, dshift;                  // results, by channel or by plane
  bool given = false;                       // the forward pass takes mean and rstd or variance from the caller
  int64_t given_count = 1;                  // `variance` is the M2 of so many elements
  bool frozen = false;                      // the backward pass takes them for constants

  // Where all of them lie (but the lengths, which are the host's by now), and the queue for what is done there.
  haline_device device = {HALINE_CPU, 0};
  void *queue = nullptr;

  double eps = 1e-5;
  double slope = 1;  // of the activation below 0; 1: none
  double momentum = 0.1;
  const char *backend = nullptr;

  bool has_statistics() const { return mean || rstd || variance || m2 || running_mean || running_variance; }
  // As in generators/formula.h; a slope that is infinite as a float makes NaNs.
  int form() const {
    const bool plain = !residual.data && !given && std::isfinite(static_cast<float>(slope));
    return !plain ? 2 : slope != 1 ? 1 : 0;
  }
  int64_t planes() const { return batch * channels; }
  int64_t size() const { return rows * extent; }

  int64_t length(int64_t n) const {
    if (!lengths) return extent;
    const char *at = lengths + n * lengths_stride * lengths_bits / 8;
    int32_t narrow;
    int64_t wide;
    if (lengths_bits == 32) return std::memcpy(&narrow, at, sizeof(narrow)), narrow;
    return std::memcpy(&wide, at, sizeof(wide)), wide;
  }

  // The valid part of sample n's planes.
  Array Valid(const Array &array, int64_t n) const {
    Array valid = array;
    if (lengths) valid.loops[0].extent = length(n);
    return valid;
  }
};

}  // namespace haline

#endif  // HALINE_RUNTIME_PROBLEM_H_

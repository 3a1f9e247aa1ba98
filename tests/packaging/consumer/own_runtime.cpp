// A host program with Halide's runtime functions of its own: haline neither calls them nor replaces what they hold.
// With HAS_HALIDE_RUNTIME a whole second runtime is linked in; without it, the functions are defined here.
//
// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>

#include "haline/haline.hpp"

namespace {

int calls = 0;

void Expect(bool right, const char *what) {
  if (right) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

}  // namespace

extern "C" {
using ErrorHandler = void (*)(void *, const char *);
#ifdef HAS_HALIDE_RUNTIME
void halide_error(void *, const char *);
ErrorHandler halide_set_error_handler(ErrorHandler);
void halide_default_error(void *, const char *);
#else
// At load, were they haline's too, its static initializers would call the first.
ErrorHandler halide_set_error_handler(ErrorHandler) { return calls++, nullptr; }
void halide_error(void *, const char *) { calls++; }
void *halide_malloc(void *, size_t) { return calls++, nullptr; }
void halide_free(void *, void *) { calls++; }
int halide_do_par_for(void *, int (*)(void *, int, uint8_t *), int, int, uint8_t *) { return calls++, -1; }
int halide_do_task(void *, int (*)(void *, int, uint8_t *), int, uint8_t *) { return calls++, -1; }
#endif
}

namespace {

// Planes of every regime: tiny, of one chunk, of some, and too long for one task.
void UseHaline() {
  for (const int64_t size : {1, 9, 100, 5000, 1 << 21}) {
    haline::Tensor x({3, 2, size});
    for (int64_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(i % 17) * 1e3f;
    const haline::Tensor y = haline::InstanceNorm(2)(x);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < size; i++) sum += y[i], squares += double(y[i]) * y[i];
    Expect(std::abs(sum) <= 1e-3 * size, "the mean is 0");
    Expect(size == 1 || std::abs(squares / size - 1) <= 1e-3, "the variance is 1");
  }
  // The road of planes that float sums can't serve, and an error.
  haline::Tensor x({1, 1, 1000});
  x[7] = std::numeric_limits<float>::infinity();
  Expect(std::isnan(haline::InstanceNorm(1)(x)[0]), "an infinity makes NaNs");
  const haline_tensor scalar = haline::ConstTensorView(x.data(), {}).c_tensor();
  haline_tensor y = scalar;
  Expect(haline_instance_norm(&scalar, nullptr, nullptr, &y, nullptr) == HALINE_INVALID_ARGUMENT, "rank 0 is refused");
}

}  // namespace

int main() {
#ifdef HAS_HALIDE_RUNTIME
  Expect(halide_set_error_handler([](void *, const char *) { calls++; }) == halide_default_error,
         "loading haline left the error handler alone");
#endif
  UseHaline();
  Expect(calls == 0, "haline called nothing of the host's");
  halide_error(nullptr, "the host's own");
  Expect(calls == 1, "the host still has its own handler");
  std::puts("ok");
}

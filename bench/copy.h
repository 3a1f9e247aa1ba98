// What haline is measured against: the fastest way to move the same bytes.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_BENCH_COPY_H_
#define HALINE_BENCH_COPY_H_

#include <cstddef>
#include <vector>

namespace haline::bench {

struct Copy {
  const char *name;
  void (*run)(float *to, const float *from, size_t count);
};

// memcpy, and the non-temporal copies that run here.
const std::vector<Copy> &Copies();

// memcpy or the non-temporal copy, whichever is faster for `count` floats from `from` to `to`. Tries both, in turns;
// takes some milliseconds, or a few copies of large buffers.
const Copy &FasterCopy(float *to, const float *from, size_t count);

}  // namespace haline::bench

#endif  // HALINE_BENCH_COPY_H_

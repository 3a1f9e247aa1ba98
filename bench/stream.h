// What the gradient is measured against: the fastest way to read two tensors and write one.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_BENCH_STREAM_H_
#define HALINE_BENCH_STREAM_H_

#include <cstddef>
#include <vector>

namespace haline::bench {

struct Stream {
  const char *name;
  void (*run)(float *to, const float *a, const float *b, size_t count);  // to = a + b
};

// A plain sum, and the sums with non-temporal stores that run here.
const std::vector<Stream> &Streams();

}  // namespace haline::bench

#endif  // HALINE_BENCH_STREAM_H_

// One input, one output, and what must come out: the memory that all rows share, and the check before any of them is
// timed.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_BENCH_WORKLOAD_H_
#define HALINE_BENCH_WORKLOAD_H_

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bench/shapes.h"
#include "haline/haline.hpp"
#include "reference/oracle.h"

namespace haline::bench {

// Where element s of plane p lies.
class Places {
 public:
  Places(const Shape &shape, Layout layout)
      : channels_(shape[1]), size_(Elements(shape) / shape[0] / channels_), last_(layout == Layout::kNhwc) {}

  int64_t operator()(int64_t p, int64_t s) const {
    return last_ ? (p / channels_ * size_ + s) * channels_ + p % channels_ : p * size_ + s;
  }

  // The elements of plane p of a tensor.
  std::vector<oracle::Wide> Plane(const float *tensor, int64_t p) const {
    std::vector<oracle::Wide> plane;
    for (int64_t s = 0; s < size_; s++) plane.push_back(tensor[(*this)(p, s)]);
    return plane;
  }

 private:
  int64_t channels_, size_;
  bool last_;
};

// Copies and back ends of one shape work on the same bytes, shapes on the front of the same two buffers: as large as
// the largest shape needs, every page written before the first measurement. Not to be used by two threads at a time.
class Workload {
 public:
  static constexpr double kEps = 1e-5;

  // For tensors of up to `elements` elements and `channels` channels. Throws std::bad_alloc.
  Workload(int64_t elements, int64_t channels);

  const float *x() const { return x_.get(); }
  float *y() const { return y_.get(); }
  const float *scale() const { return scale_.data(); }
  const float *shift() const { return shift_.data(); }

  // Runs `backend` once on `shape` and holds every element against the oracle. "" where all is well, or else what is
  // wrong: an error, another back end than the one asked for, or a wrong result. The second call with the same
  // arguments answers from memory.
  const std::string &Verify(const Shape &shape, Layout layout, const std::string &backend);

  // Leaves a row unmeasured, and the run a failure.
  void Refuse(benchmark::State &state, const std::string &message) {
    failed_ = true;
    state.SkipWithError(message.c_str());
  }
  bool failed() const { return failed_; }

 private:
  std::string Check(const Shape &shape, Layout layout, const std::string &backend);
  void FindMoments(const Shape &shape, Layout layout);

  struct Free {
    void operator()(float *p) const { std::free(p); }
  };
  using Memory = std::unique_ptr<float[], Free>;
  static Memory Allocate(int64_t count);

  Memory x_, y_;
  std::vector<float> scale_, shift_;
  std::map<std::tuple<Shape, Layout, std::string>, std::string> verdicts_;
  Shape moments_shape_;  // whose moments these are
  Layout moments_layout_ = Layout::kNchw;
  std::vector<oracle::Moments> moments_;
  bool failed_ = false;
};

// "" where the last call of the calling thread ran the kernels of `backend`, or else what ran.
std::string WrongTarget(const std::string &backend);

}  // namespace haline::bench

#endif  // HALINE_BENCH_WORKLOAD_H_

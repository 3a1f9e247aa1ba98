// The backward pass, beside the fastest way to read two tensors and write one.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_BENCH_BACKWARD_H_
#define HALINE_BENCH_BACKWARD_H_

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "bench/stream.h"
#include "bench/workload.h"

namespace haline::bench {

// dy, and what a forward pass leaves for the backward one; x is `work`'s, dx takes the place of its y. Not to be used
// by two threads at a time.
class BackwardWork {
 public:
  // For tensors of up to `elements` elements. Throws std::bad_alloc.
  BackwardWork(Workload &work, int64_t elements);

  // Makes the rows backward/<dtype>/<layout>/<shape>/<back end> and stream/<shape>.
  void Register(const Shape &shape, Layout layout, const std::vector<std::string> &backends, int threads);

 private:
  void Run(const Shape &shape, Layout layout, const std::string &backend, const Tensor &mean, const Tensor &rstd);
  void Measure(benchmark::State &state, const Shape &shape, Layout layout, const std::string &backend);
  // "", or what is wrong with some planes of the result.
  std::string Check(const Shape &shape, Layout layout, const std::string &backend);
  // The statistics that the backward pass takes, of a forward pass that gives them.
  void Statistics(const Shape &shape, Layout layout, const std::string &backend, Tensor *mean, Tensor *rstd);

  Workload &work_;
  const float *dy_floats() const { return reinterpret_cast<const float *>(dy_.data()); }
  double dy_at(int64_t i) const { return Read(work_.element(), dy_.data() + i * Size(work_.element())); }

  std::vector<char> dy_;
  std::vector<double> dscale_, dshift_;  // memory for either type of scale
  std::map<std::tuple<Shape, Layout, std::string>, std::string> verdicts_;
};

std::string BackwardRow(const std::string &dtype, const std::string &shape, Layout layout, const std::string &backend);
std::string StreamRow(const std::string &shape);

}  // namespace haline::bench

#endif  // HALINE_BENCH_BACKWARD_H_

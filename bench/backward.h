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

  // Makes the rows backward/f32/<layout>/<shape>/<back end> and stream/<shape>.
  void Register(const Shape &shape, Layout layout, const std::vector<std::string> &backends, int threads);

 private:
  void Run(const Shape &shape, Layout layout, const std::string &backend, const Tensor &mean, const Tensor &rstd);
  void Measure(benchmark::State &state, const Shape &shape, Layout layout, const std::string &backend);
  // "", or what is wrong with some planes of the result.
  std::string Check(const Shape &shape, Layout layout, const std::string &backend);
  // The statistics that the backward pass takes, of a forward pass that gives them.
  void Statistics(const Shape &shape, Layout layout, const std::string &backend, Tensor *mean, Tensor *rstd);

  Workload &work_;
  std::vector<float> dy_, dscale_, dshift_;
  std::map<std::tuple<Shape, Layout, std::string>, std::string> verdicts_;
};

std::string BackwardRow(const std::string &shape, Layout layout, const std::string &backend);
std::string StreamRow(const std::string &shape);

}  // namespace haline::bench

#endif  // HALINE_BENCH_BACKWARD_H_

// What does a call cost that has next to nothing to do? Rows call/c/<shape>/<back end> and call/cpp/<shape>/<back end>,
// in nanoseconds a call: through haline.h, with tensors made once, and through haline.hpp, views made at each call.
// call/c/0x6x2x4 has no elements: what is left is the checks.
//
// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>

#include <cstdio>
#include <exception>
#include <iostream>

#include "bench/shapes.h"
#include "bench/summary.h"
#include "bench/workload.h"
#include "haline/haline.hpp"

namespace haline::bench {
namespace {

void CallC(benchmark::State &state, Workload &work, const Shape &shape, const std::string &backend) {
  const Shape channels = {shape[1]};
  const ConstTensorView x_view(work.x(), shape), scale_view(work.scale(), channels), shift_view(work.shift(), channels);
  const TensorView y_view(work.y(), shape);
  const haline_tensor x = x_view.c_tensor(), scale = scale_view.c_tensor(), shift = shift_view.c_tensor();
  haline_tensor y = y_view.c_tensor();
  haline_options options = HALINE_OPTIONS_INIT;
  options.backend = backend.c_str();
  for (auto _ : state) {
    if (haline_instance_norm(&x, &scale, &shift, &y, &options) != HALINE_OK) {
      return work.Refuse(state, haline_error_message());
    }
  }
}

void CallCpp(benchmark::State &state, Workload &work, const Shape &shape, const std::string &backend) {
  const Options options{.eps = Workload::kEps, .backend = backend};
  for (auto _ : state) instance_norm({work.x(), shape}, {work.y(), shape}, work.scale(), work.shift(), options);
}

int Run(char *program, const std::vector<std::string> &words) {
  if (!Start(program, words)) return 2;
  Check(haline_set_num_threads(1));
  const Shape smallest = {2, 6, 2, 4}, nothing = {0, 6, 2, 4};
  Workload work(Elements(smallest), smallest[1]);
  std::vector<std::string> names;
  const auto add = [&](const char *kind, auto call, const Shape &shape, const std::string &backend) {
    names.push_back(std::string("call/").append(kind).append("/").append(ShapeName(shape)).append("/").append(backend));
    benchmark::RegisterBenchmark(names.back().c_str(), [=, &work](benchmark::State &state) {
      const std::string verdict = Elements(shape) == 0 ? "" : work.Verify(shape, Layout::kNchw, backend);
      if (!verdict.empty()) return work.Refuse(state, verdict);
      call(state, work, shape, backend);
    });
  };
  for (const std::string &backend : haline::backends()) {
    add("c", CallC, smallest, backend);
    add("cpp", CallCpp, smallest, backend);
    add("c", CallC, nothing, backend);
  }
  const bool ran = RunAndPrint(words, [&](std::ostream &out, const Medians &medians) {
    out << "\nNanoseconds a call\n\n";
    for (const std::string &name : names) {
      const auto row = medians.find(name);
      if (row == medians.end()) continue;
      char line[96];
      (void)std::snprintf(line, sizeof(line), "%-32s %7.0f\n", name.c_str(), row->second.seconds * 1e9);
      out << line;
    }
  });
  return ran && !work.failed() ? 0 : 1;
}

}  // namespace
}  // namespace haline::bench

int main(int argc, char **argv) {
  try {
    return haline::bench::Run(argv[0], {argv + 1, argv + argc});
  } catch (const std::exception &error) {
    std::cerr << "haline_call_bench: " << error.what() << "\n";
    return 2;
  }
}

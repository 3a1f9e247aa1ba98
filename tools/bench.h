// `haline bench`: is it right, and how fast is it, on this machine?
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_BENCH_H_
#define HALINE_TOOLS_BENCH_H_

#include <string>
#include <vector>

namespace haline::tool {

struct BenchOptions {
  std::string in;                     // empty: shapes
  std::vector<std::string> shapes;    // "8x64x32x32", or a set of the benchmarks; empty: one of each kind
  std::vector<std::string> backends;  // empty: those that run here
  int threads = 1;
  double seconds = 3;  // of timing, about, over all shapes
  bool json = false;
};

// The report. Throws Failure, the report in it, where a promise was broken.
std::string Bench(const BenchOptions &options);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_BENCH_H_

// The measuring half of `haline bench`: each back end is held against the oracle, then timed beside a copy.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_MEASURE_H_
#define HALINE_TOOLS_MEASURE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "haline/haline.hpp"

namespace haline::tool {

struct BackendResult {
  std::string name, target;
  double max_error = 0;  // in units of max(1, |y|, |scale|); NaN where y is not finite and should be
  uint64_t hash = 0;     // FNV-1a of y's bytes
  double seconds = 0;    // the median of a call
};

struct Result {
  std::string name;  // "8x64x32x32", or the file
  Shape shape;
  double bytes = 0;  // that a call reads and writes
  std::string copy;  // which one
  double copy_seconds = 0;
  std::vector<BackendResult> backends;
};

// The same values on every machine: roughly normal, with another mean and spread in each channel.
Tensor Sample(const Shape &shape);

// `x`, contiguous float32, with a scale and a shift a channel, on each back end of `names`; `seconds` is about what the
// timing takes. `progress` is told what is being done.
Result Measure(const std::string &name, const ConstTensorView &x, const std::vector<std::string> &names, int threads,
               double seconds, const std::function<void(const std::string &)> &progress);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_MEASURE_H_

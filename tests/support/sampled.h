// Where the pivot looks, for data that it does not see.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_SAMPLED_H_
#define HALINE_TESTS_SUPPORT_SAMPLED_H_

#include <algorithm>
#include <cstdint>

#include "runtime/plan.h"

namespace haline::test {

// Whether it looks at element s of a plane of `size`; tiny planes have none. slow_planes_test holds this against
// kernels.
inline bool Sampled(int64_t s, int64_t size) {
  if (size < kLanes) return true;
  const PivotRuns runs(size);
  const auto in_half = [&](int64_t k) { return s >= runs.Start(k) && s < runs.Start(k) + kHalfRun; };
  const int64_t run = std::min(s / runs.step, runs.count - 1);
  return in_half(2 * run) || in_half(2 * run + 1);
}

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_SAMPLED_H_

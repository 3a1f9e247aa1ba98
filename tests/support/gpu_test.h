// What the tests of GPU back ends share: tensors in OpenCL's memory beside those of the host.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_GPU_TEST_H_
#define HALINE_TESTS_SUPPORT_GPU_TEST_H_

#include <limits>

#include "support/form.h"
#include "support/opencl.h"
#include "support/status.h"

namespace haline::test {

const Shape kGpuShapes[] = {{3, 5, 2, 3, 4}, {2, 9, 3, 5, 11}, {2, 3, 4, 9, 30}, {2, 2, 2, 65, 135}};

class GpuTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!queue_.queue()) GTEST_SKIP() << "no OpenCL device here";
    options_.queue = queue_.queue();
  }

  OpenClQueue queue_;
  haline_options options_ = HALINE_OPTIONS_INIT;
};

// A NaN, a plane of the largest magnitudes and a constant one: not all are the float kernels'.
inline void MakeSpecial(Typed *x) {
  const int64_t size = x->count() / (x->shape()[0] * x->shape()[1]);
  x->Set(size / 2, std::numeric_limits<double>::quiet_NaN());
  for (int64_t i = size; i < 2 * size; i++) x->Set(i, (i % 3 - 1) * (x->type() == Type::kF16 ? 65504 : 0x1p125));
  for (int64_t i = 2 * size; i < 3 * size; i++) x->Set(i, 0.3);
}

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_GPU_TEST_H_

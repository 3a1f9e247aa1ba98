// For tests of the C interface: a tensor that owns what it points to, and what a failed call must look like.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_STATUS_H_
#define HALINE_TESTS_SUPPORT_STATUS_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "haline/haline.h"

namespace haline::test {

// float32 on the CPU with every member open to change.
struct OwnedTensor {
  std::vector<int64_t> shape, strides;
  std::vector<float> values;
  haline_tensor t = {};

  OwnedTensor(std::vector<int64_t> extents, float value) : shape(std::move(extents)) {
    size_t count = 1;
    for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
    values.assign(count, value);
    t.data = values.data();
    t.device = {HALINE_CPU, 0};
    t.ndim = static_cast<int32_t>(shape.size());
    t.dtype = {HALINE_FLOAT, 32, 1};
    t.shape = shape.data();
  }
  OwnedTensor(const OwnedTensor &) = delete;
  OwnedTensor &operator=(const OwnedTensor &) = delete;

  void set_strides(std::vector<int64_t> wanted) {
    strides = std::move(wanted);
    t.strides = strides.data();
  }
};

// The status, and a message in which each of `parts` occurs.
inline void ExpectFailure(haline_status found, haline_status wanted, const std::vector<std::string> &parts) {
  EXPECT_STREQ(haline_status_name(found), haline_status_name(wanted));
  const std::string message = haline_error_message();
  for (const std::string &part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nhas no: " << part;
}

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_STATUS_H_

// What haline says of drivers that are missing, too old, without a device or with one that can't do; and that all else
// works then. The drivers are looked for once a process: HALINE_TEST_DRIVERS has what they are like.
//
// SPDX-License-Identifier: MIT
#include <string>

#include "support/backends.h"
#include "support/faults.h"
#include "support/status.h"

namespace haline::test {

const int kLeastCases = 0;  // not held against the oracle

namespace {

// To start a driver may take a second, which nobody pays who computes on processors. (Before all that asks for GPUs.)
TEST(DriverTest, ProcessorsOpenNone) {
  OwnedTensor x({1, 2, 100}, 3), y({1, 2, 100}, 3);
  int ran = 0;
  for (const char *backend : {"x86-avx512", "x86-avx2", "x86-64", "arm-neon", static_cast<const char *>(nullptr)}) {
    haline_options options = HALINE_OPTIONS_INIT;
    options.backend = backend;
    ran += haline_instance_norm(&x.t, nullptr, nullptr, &y.t, &options) == HALINE_OK;
    ran += haline_set_backend(backend) == HALINE_OK;
  }
  EXPECT_GE(ran, 4);
  EXPECT_EQ(DriversOpened(), 0);
  haline_options options = HALINE_OPTIONS_INIT;
  options.backend = "cuda";
  haline_instance_norm(&x.t, nullptr, nullptr, &y.t, &options);
  EXPECT_EQ(DriversOpened(), 1);
}

TEST(DriverTest, WhyNot) {
  const std::string scenario = DriverScenario();
  struct {
    const char *backend, *scenario, *reason;
  } const kReasons[] = {{"cuda", "missing", "needs an NVIDIA driver: no libcuda.so.1 was found"},
                        {"cuda", "old", "needs a newer NVIDIA driver than this libcuda.so.1"},
                        {"cuda", "no-device", "needs an NVIDIA GPU"},
                        {"cuda", "incapable", "needs an NVIDIA GPU of compute capability 7.0 or more"},
                        {"cuda", "", ""},
                        {"opencl", "missing", "needs an OpenCL driver: no libOpenCL.so.1 was found"},
                        {"opencl", "old", "needs a newer OpenCL driver than this libOpenCL.so.1"},
                        {"opencl", "no-device", "needs an OpenCL driver"},
                        {"opencl", "incapable", "needs an OpenCL device with double precision (cl_khr_fp64)"}};
  int checked = 0;
  OwnedTensor x({1, 2, 100}, 3), y({1, 2, 100}, 3);
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend found = {};
    found.size = sizeof(found);
    ASSERT_EQ(haline_backend_at(i, &found), HALINE_OK);
    for (const auto &[backend, when, reason] : kReasons) {
      if (found.name != std::string(backend) || when != scenario) continue;
      checked++;
      EXPECT_STREQ(found.reason, reason);
      EXPECT_EQ(found.runs_here, *reason == '\0');
      if (*reason == '\0') continue;
      // By its name, and by where the tensors are.
      haline_options options = HALINE_OPTIONS_INIT;
      options.backend = backend;
      ExpectFailure(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, &options), HALINE_UNSUPPORTED,
                    {backend, reason});
      haline_tensor there = x.t;
      there.device = {found.device, 0};
      ExpectFailure(haline_instance_norm(&there, nullptr, nullptr, &there, nullptr), HALINE_UNSUPPORTED,
                    {backend, reason});
    }
  }
  EXPECT_GE(checked, 1);
  EXPECT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
  EXPECT_EQ(y.values[150], 0);
}

}  // namespace
}  // namespace haline::test

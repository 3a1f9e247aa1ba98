// Every way in which an OpenCL driver can fail: a status and a message, and the next call works. (The machine's OpenCL,
// behind functions that fail when they are told to.)
//
// SPDX-License-Identifier: MIT
#include <memory>
#include <string>
#include <vector>

#include "support/backends.h"
#include "support/faults.h"
#include "support/gpu_test.h"

namespace haline::test {

const int kLeastCases = 0;  // not held against the oracle

namespace {

constexpr int kNoMemory = -4, kNoResources = -5, kBuildFailure = -11, kInvalidContext = -34;

class OpenClFaultTest : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (!queue_.queue()) return;
    gx_ = std::make_unique<OpenClTensor>(queue_, x_);
    gy_ = std::make_unique<OpenClTensor>(queue_, y_);
    ASSERT_EQ(haline_instance_norm(x_.t(), nullptr, nullptr, wanted_.t(), nullptr), HALINE_OK);
  }
  void TearDown() override { TheFaults().Reset(); }

  haline_status Call() { return haline_instance_norm(gx_->t(), nullptr, nullptr, gy_->t(), &options_); }
  haline_status Sent() {
    haline_options options = HALINE_OPTIONS_INIT;
    options.backend = "opencl";
    return haline_instance_norm(x_.t(), nullptr, nullptr, y_.t(), &options);
  }
  // As cuda_test's: each function fails the first time that a call uses it, the second, ...
  template <typename F>
  void Sweep(const std::vector<const char *> &functions, int code, haline_status wanted, const F &call) {
    for (const char *function : functions) {
      int reached = 0;
      for (int which = 1; which < 300; which++) {
        SCOPED_TRACE(std::string(function) + ", call " + std::to_string(which));
        TheFaults().Fail(function, which, code);
        const haline_status status = call();
        const int failed = TheFaults().failed;
        TheFaults().Reset();
        if (failed == 0) break;
        reached++;
        EXPECT_STREQ(haline_status_name(status), haline_status_name(wanted)) << haline_error_message();
        EXPECT_STRNE(haline_error_message(), "");
        EXPECT_EQ(call(), HALINE_OK) << haline_error_message();
        if (HasFailure()) return;
      }
      EXPECT_GT(reached, 0) << function << " is not used";
    }
  }

  Typed x_{Type::kF32, {2, 3, 100}, 71}, y_{Type::kF32, {2, 3, 100}}, wanted_ = y_;
  std::unique_ptr<OpenClTensor> gx_, gy_;
};

TEST_F(OpenClFaultTest, KernelsThatDoNotBuild) {
  // The first to be used is the first to be built.
  for (const char *function : {"clCreateProgramWithSource", "clBuildProgram"}) {
    TheFaults().Fail(function, 1, kBuildFailure);
    ExpectFailure(Call(), HALINE_INTERNAL, {"kernel", "failed", function});
    EXPECT_EQ(TheFaults().failed, 1);
    TheFaults().Reset();
  }
  EXPECT_EQ(Call(), HALINE_OK) << haline_error_message();
  EXPECT_TRUE(gy_->bytes() == wanted_.bytes());
}

TEST_F(OpenClFaultTest, EveryCallCanFail) {
  const auto call = [this] { return Call(); };
  ASSERT_EQ(Call(), HALINE_OK) << haline_error_message();
  Sweep({"clCreateBuffer"}, kNoMemory, HALINE_OUT_OF_MEMORY, call);
  Sweep({"clEnqueueNDRangeKernel", "clCreateKernel", "clSetKernelArg", "clCreateSubBuffer"}, kNoResources,
        HALINE_INTERNAL, call);
  Sweep({"clGetCommandQueueInfo"}, kInvalidContext, HALINE_INVALID_ARGUMENT, call);
  EXPECT_TRUE(gy_->bytes() == wanted_.bytes());
}

TEST_F(OpenClFaultTest, SentThere) {
  const auto call = [this] { return Sent(); };
  ASSERT_EQ(Sent(), HALINE_OK) << haline_error_message();
  Sweep({"clCreateBuffer"}, kNoMemory, HALINE_OUT_OF_MEMORY, call);
  Sweep({"clEnqueueNDRangeKernel", "clFinish"}, kNoResources, HALINE_INTERNAL, call);
  // (By which of these functions Halide's runtime copies, depends on the extents.)
  for (const std::string copy : {"clEnqueueWriteBuffer", "clEnqueueReadBuffer"}) {
    TheFaults().Reset();
    ASSERT_EQ(Sent(), HALINE_OK);
    const std::string used = TheFaults().calls[copy] > 0 ? copy : copy + "Rect";
    Sweep({used.c_str()}, kNoResources, HALINE_INTERNAL, call);
  }
  EXPECT_TRUE(y_.bytes() == wanted_.bytes());
}

// From some call on the driver says no more than that the context is gone; then it is there again.
TEST_F(OpenClFaultTest, LostContext) {
  ASSERT_EQ(Sent(), HALINE_OK) << haline_error_message();  // (What drivers there are is found out once.)
  for (int which = 1; which < 60; which += 4) {
    for (const bool sent : {false, true}) {
      const auto call = [&] { return sent ? Sent() : Call(); };
      TheFaults().Fail("*", which, kInvalidContext, true);
      for (int i = 0; i < 3; i++) {
        EXPECT_NE(call(), HALINE_OK);
        EXPECT_STRNE(haline_error_message(), "");
      }
      OwnedTensor x({1, 2, 100}, 3), y({1, 2, 100}, 3);
      EXPECT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
      TheFaults().Reset();
      EXPECT_EQ(call(), HALINE_OK) << haline_error_message();
    }
  }
  EXPECT_TRUE(gy_->bytes() == wanted_.bytes());
}

// The caller's queue alone: nothing is waited for, nothing comes back, and no context is made.
TEST_F(OpenClFaultTest, WhatACallDoes) {
  ASSERT_EQ(Call(), HALINE_OK) << haline_error_message();
  TheFaults().Reset();
  ASSERT_EQ(Call(), HALINE_OK) << haline_error_message();
  for (const char *name :
       {"clFinish", "clWaitForEvents", "clEnqueueReadBuffer", "clEnqueueReadBufferRect", "clEnqueueWriteBuffer",
        "clEnqueueWriteBufferRect", "clCreateContext", "clCreateCommandQueue", "clBuildProgram"}) {
    EXPECT_EQ(TheFaults().calls[name], 0) << name;
  }
  EXPECT_GT(TheFaults().calls["clEnqueueNDRangeKernel"], 0);
  int made = 0;
  for (const char *name : {"clCreateBuffer", "clCreateSubBuffer", "clRetainMemObject"}) made += TheFaults().calls[name];
  EXPECT_EQ(made, TheFaults().calls["clReleaseMemObject"]);
}

}  // namespace
}  // namespace haline::test

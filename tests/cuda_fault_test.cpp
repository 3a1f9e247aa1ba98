// Every way in which a CUDA driver can fail: a status and a message, the thread's contexts as they were, and the next
// call works.
//
// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include "support/cuda_fixture.h"

namespace haline::test {
namespace {

constexpr int kNoContext = 201, kLost = 700;

class CudaFaultTest : public CudaTest {
 protected:
  // Each function of the driver fails, the first time that a call of haline's uses it, the second, ...: haline says so,
  // leaves the thread's contexts as they were, and the next call works.
  template <typename F>
  void Sweep(const std::vector<const char *> &functions, const F &call) {
    for (const char *function : functions) {
      int reached = 0;
      for (int which = 1; which < 200; which++) {
        SCOPED_TRACE(std::string(function) + ", call " + std::to_string(which));
        TheFaults().Fail(function, which, kNoContext);
        const haline_status status = call();
        const int failed = TheFaults().failed;
        TheFaults().Reset();
        EXPECT_TRUE(cuda_.stack.empty());
        cuda_.stack.clear();
        if (failed == 0) break;
        reached++;
        // (What can't be freed is lost, but the result is there.)
        EXPECT_TRUE(status != HALINE_OK || std::string(function) == "cuCtxPushCurrent_v2");
        EXPECT_STRNE(haline_error_message(), "");
        EXPECT_EQ(call(), HALINE_OK) << haline_error_message();
        if (HasFailure()) return;
      }
      EXPECT_GT(reached, 0) << function << " is not used";
    }
  }
};

TEST_F(CudaFaultTest, EveryCallCanFail) {
  const auto forward = [&] { return Forward(Type::kF32, {2, 3, 100}); };
  ASSERT_EQ(forward(), HALINE_OK) << haline_error_message();
  Sweep({"cuStreamGetCtx", "cuCtxGetDevice", "cuCtxPushCurrent_v2", "cuModuleGetFunction", "cuLaunchKernel",
         "cuMemAllocFromPoolAsync"},
        forward);
  Sweep({"cuLaunchKernel"}, [&] { return Backward(Type::kF32, {2, 3, 100}); });
  // Kernels that don't build: of a type that no call had before, so that the first ones are to be loaded.
  TheFaults().Fail("cuModuleLoadData", 1, 209);
  ExpectFailure(Forward(Type::kBF16, {2, 3, 100}), HALINE_INTERNAL, {"kernel", "cuModuleLoadData failed"});
  TheFaults().Reset();
  EXPECT_EQ(Forward(Type::kBF16, {2, 3, 100}), HALINE_OK) << haline_error_message();
}

TEST_F(CudaFaultTest, OutOfMemory) {
  ASSERT_EQ(Forward(Type::kF32, {2, 3, 100}), HALINE_OK) << haline_error_message();
  cuda_.capacity = cuda_.used + 100000;
  ExpectFailure(Forward(Type::kF32, {64, 300, 100}), HALINE_OUT_OF_MEMORY, {"out of device memory", "wanted"});
  EXPECT_EQ(Forward(Type::kF32, {2, 3, 100}), HALINE_OK) << haline_error_message();
  cuda_.capacity = uint64_t{1} << 40;
  EXPECT_EQ(Forward(Type::kF32, {64, 300, 100}), HALINE_OK) << haline_error_message();
  EXPECT_TRUE(cuda_.stack.empty());
}

// A kernel before has failed, say: from then on everything in this context does.
TEST_F(CudaFaultTest, LostContext) {
  ASSERT_EQ(Forward(Type::kF32, {2, 3, 100}), HALINE_OK);
  for (int which = 1; which < 40; which += 3) {
    TheFaults().Fail("*", which, kLost, true);
    for (int i = 0; i < 3; i++) {
      EXPECT_NE(Forward(Type::kF32, {2, 3, 100}), HALINE_OK);
      EXPECT_STRNE(haline_error_message(), "");
    }
    OwnedTensor x({1, 2, 100}, 3), y({1, 2, 100}, 3);
    EXPECT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
    TheFaults().Reset();
    cuda_.Reset();  // (Contexts could not even be popped.)
    EXPECT_EQ(Forward(Type::kF32, {2, 3, 100}), HALINE_OK) << haline_error_message();
  }
}

// Host tensors that are sent there: a context of haline's, and the call waits.
TEST_F(CudaFaultTest, SentThere) {
  OwnedTensor x({2, 3, 100}, 3), y({2, 3, 100}, 3);
  haline_options options = HALINE_OPTIONS_INIT;
  options.backend = "cuda";
  const auto call = [&] { return haline_instance_norm(&x.t, nullptr, nullptr, &y.t, &options); };
  ASSERT_EQ(call(), HALINE_OK) << haline_error_message();
  EXPECT_EQ(cuda_.copied_there, 2400);
  EXPECT_EQ(cuda_.copied_back, 2400);
  EXPECT_GE(Calls("cuStreamSynchronize") + Calls("cuCtxSynchronize"), 1);
  for (const FakeLaunch &launch : cuda_.launches) EXPECT_EQ(launch.context, &cuda_.primary[0]);
  const bool async = Calls("cuMemcpyHtoDAsync_v2") > 0;
  Sweep({async ? "cuMemcpyHtoDAsync_v2" : "cuMemcpyHtoD_v2", async ? "cuMemcpyDtoHAsync_v2" : "cuMemcpyDtoH_v2",
         "cuStreamSynchronize", "cuLaunchKernel", "cuCtxPushCurrent_v2"},
        call);
}

}  // namespace
}  // namespace haline::test

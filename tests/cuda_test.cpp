// The CUDA back end on a driver without a GPU (support/fake_cuda.h): whose context and stream are used, what is waited
// for, and what is launched for tensors that no memory here could hold. Kernels are not run: what they compute is
// OpenCL's, and what CUDA's compiler makes of it ptx_test's.
//
// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include "support/backends.h"
#include "support/cuda_fixture.h"

namespace haline::test {

const int kLeastCases = 0;  // not held against the oracle

namespace {

TEST_F(CudaTest, TheStreamsContextWhateverIsCurrent) {
  for (const bool current : {false, true}) {
    if (current) cuda_.Push(&other_context_);
    const std::vector<FakeContext *> before = cuda_.stack;
    for (const Shape &shape : {Shape{2, 3, 5}, Shape{2, 3, 40, 40}, Shape{1, 2, 300, 300}}) {
      cuda_.launches.clear();
      ASSERT_EQ(Forward(Type::kF32, shape), HALINE_OK) << haline_error_message();
      ASSERT_EQ(Backward(Type::kF16, shape), HALINE_OK) << haline_error_message();
      EXPECT_GT(cuda_.launches.size(), 4u);
      for (const FakeLaunch &launch : cuda_.launches) {
        EXPECT_EQ(launch.context, &own_context_);
        EXPECT_EQ(launch.stream, &stream_);
      }
    }
    EXPECT_EQ(cuda_.stack, before);
  }
  ExpectNothingWaitsOrCopies();
  EXPECT_EQ(Calls("cuDevicePrimaryCtxRetain"), 0);
}

TEST_F(CudaTest, WithoutAStreamTheCurrentContext) {
  // The default stream, and the handles of the legacy and the per-thread one.
  for (uintptr_t queue : {0, 1, 2}) {
    options_.queue = reinterpret_cast<void *>(queue);  // NOLINT(performance-no-int-to-ptr)
    for (FakeContext *context : {&own_context_, &cuda_.primary[0]}) {
      cuda_.Reset();
      cuda_.Push(context);
      ASSERT_EQ(Forward(Type::kF32, {2, 3, 100}), HALINE_OK) << haline_error_message();
      for (const FakeLaunch &launch : cuda_.launches) {
        EXPECT_EQ(launch.context, context);
        EXPECT_EQ(launch.stream, options_.queue);
      }
      EXPECT_EQ(cuda_.stack.size(), 1u);
    }
    // None, or one of another device: the primary one, as in CUDA's runtime interface.
    for (FakeContext *context : {static_cast<FakeContext *>(nullptr), &cuda_.primary[1]}) {
      cuda_.Reset();
      if (context) cuda_.Push(context);
      ASSERT_EQ(Forward(Type::kF32, {2, 3, 100}), HALINE_OK) << haline_error_message();
      EXPECT_FALSE(cuda_.launches.empty());
      for (const FakeLaunch &launch : cuda_.launches) EXPECT_EQ(launch.context, &cuda_.primary[0]);
      EXPECT_EQ(cuda_.stack.size(), context ? 1u : 0u);
    }
  }
  ExpectNothingWaitsOrCopies();
}

TEST_F(CudaTest, TheSecondCallMakesNothing) {
  for (const Shape &shape : {Shape{2, 3, 5}, Shape{2, 3, 40, 40}}) {
    for (const bool forward : {true, false}) {
      const auto call = [&] { return forward ? Forward(Type::kF32, shape) : Backward(Type::kF32, shape); };
      ASSERT_EQ(call(), HALINE_OK) << haline_error_message();
      TheFaults().Reset();
      ASSERT_EQ(call(), HALINE_OK) << haline_error_message();
      EXPECT_EQ(Calls("cuModuleLoadData"), 0);
      EXPECT_EQ(Calls("cuMemPoolCreate"), 0);
      EXPECT_EQ(Calls("cuMemAllocFromPoolAsync"), Calls("cuMemFreeAsync"));
    }
  }
  ExpectNothingWaitsOrCopies();
}

TEST_F(CudaTest, TwoDevices) {
  FakeStream second{&cuda_.primary[1]};
  options_.queue = &second;
  haline_tensor *x = Device(Type::kF32, {2, 3, 100}, 1), *y = Device(Type::kF32, {2, 3, 100}, 1);
  ASSERT_EQ(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_OK) << haline_error_message();
  for (const FakeLaunch &launch : cuda_.launches) EXPECT_EQ(launch.context, &cuda_.primary[1]);
  EXPECT_FALSE(cuda_.launches.empty());
  // (It has no pools: memory is kept by haline.)
  EXPECT_GT(Calls("cuMemAlloc_v2"), 0);
  TheFaults().Reset();
  ASSERT_EQ(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_OK) << haline_error_message();
  EXPECT_EQ(Calls("cuMemAlloc_v2"), 0);
  ExpectNothingWaitsOrCopies();
  const size_t launches = cuda_.launches.size();
  // On two devices; a stream of the other; devices that are not there; one that is too old.
  y->device.id = 0;
  ExpectFailure(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_INVALID_ARGUMENT,
                {"y: device id 0 found, 1 (the device of x) wanted"});
  y->device.id = 1;
  options_.queue = &stream_;
  ExpectFailure(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_INVALID_ARGUMENT,
                {"queue", "no stream of device 1"});
  for (const int id : {-1, FakeCuda::kDevices, 1 << 30}) {
    x->device.id = y->device.id = id;
    ExpectFailure(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_INVALID_ARGUMENT,
                  {"x: device id " + std::to_string(id) + " found, 0 to 2 wanted"});
  }
  x->device.id = y->device.id = 2;
  options_.queue = nullptr;
  ExpectFailure(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_UNSUPPORTED,
                {"compute capability", "7.0"});
  // On the host and on the device.
  OwnedTensor host({2, 3, 100}, 1);
  x->device.id = 0;
  ExpectFailure(haline_instance_norm(x, nullptr, nullptr, &host.t, &options_), HALINE_UNSUPPORTED,
                {"y: device type 1 found, 2 (CUDA) wanted"});
  ExpectFailure(haline_instance_norm(&host.t, nullptr, nullptr, x, &options_), HALINE_UNSUPPORTED,
                {"y: device type 2 found, 1 (CPU) wanted"});
  y->device = {HALINE_OPENCL, 0};
  ExpectFailure(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_UNSUPPORTED,
                {"y: device type 4 found, 2 (CUDA) wanted"});
  options_.backend = "opencl";
  ExpectFailure(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_INVALID_ARGUMENT,
                {"backend: \"opencl\" found, null or \"cuda\" (where x is) wanted"});
  EXPECT_EQ(cuda_.launches.size(), launches);
  EXPECT_TRUE(cuda_.stack.empty());
}

// Lengths that lie there: copied on the call's stream, which is all that is waited for.
TEST_F(CudaTest, Lengths) {
  options_.lengths = Device(Type::kI32, {2});
  ASSERT_EQ(Forward(Type::kF32, {2, 3, 100}), HALINE_OK) << haline_error_message();
  EXPECT_EQ(cuda_.copied_back, 8);
  EXPECT_EQ(Calls("cuStreamSynchronize"), 1);
  EXPECT_EQ(Calls("cuCtxSynchronize"), 0);
  EXPECT_TRUE(cuda_.stack.empty());
}

TEST_F(CudaTest, Merge) {
  haline_tensor *tensors[3];
  for (haline_tensor *&t : tensors) t = Device(Type::kF64, {70000, 3});
  const int64_t counts[3] = {3, 4, 5};
  int64_t count = 0;
  ASSERT_EQ(haline_merge_moments(3, counts, tensors, tensors, &count, tensors[0], tensors[1], &options_), HALINE_OK)
      << haline_error_message();
  EXPECT_EQ(count, 12);
  EXPECT_EQ(cuda_.launches.size(), 4u);  // two pairs, and mean and M2 to where they belong
  for (const FakeLaunch &launch : cuda_.launches) EXPECT_EQ(launch.stream, &stream_);
  ExpectNothingWaitsOrCopies();
}

// Within a GPU's limits, whatever the shape: the fake refuses what a driver would.
TEST_F(CudaTest, AnyExtents) {
  cuda_.capacity = uint64_t{1} << 60;
  for (const Shape &shape :
       {Shape{70000, 3, 4}, Shape{1, 300000, 4}, Shape{2, 70000, 70}, Shape{70000, 1, 100}, Shape{70000, 30000, 1},
        Shape{8, 64, 4096, 4096}, Shape{2, 2, int64_t{1} << 30}, Shape{1, 1, (int64_t{1} << 31) - 1024},
        Shape{70000, 4000, 8}, Shape{1, 1, 1}, Shape{3, 100001, 16383}}) {
    SCOPED_TRACE(Text(shape));
    for (const Type type : {Type::kF32, Type::kF16}) {
      EXPECT_EQ(Forward(type, shape), HALINE_OK) << haline_error_message();
      EXPECT_EQ(Backward(type, shape), HALINE_OK) << haline_error_message();
      if (HasFailure() || !cuda_.complaints.empty()) return;
    }
    // Channels-last, whose planes may be longer than 32 bits can count.
    haline_tensor *x = Device(Type::kF32, shape), *y = Device(Type::kF32, shape);
    Shape strides = ChannelsLast(shape);
    x->strides = y->strides = strides.data();
    EXPECT_EQ(haline_instance_norm(x, nullptr, nullptr, y, &options_), HALINE_OK) << haline_error_message();
    cuda_.launches.clear();
  }
  ExpectNothingWaitsOrCopies();
}

}  // namespace
}  // namespace haline::test

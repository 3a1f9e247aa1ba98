// The CUDA back end on a driver without a GPU (support/fake_cuda.h): whose context and stream are used, what is waited
// for, what is launched for tensors that no memory here could hold, and every way in which the driver can fail. Kernels
// are not run: what they compute is OpenCL's, and what CUDA's compiler makes of it ptx_test's.
//
// SPDX-License-Identifier: MIT
#include <memory>
#include <string>
#include <vector>

#include "support/backends.h"
#include "support/fake_cuda.h"
#include "support/faults.h"
#include "support/status.h"
#include "support/typed.h"

namespace haline::test {

const int kLeastCases = 0;  // not held against the oracle

namespace {

constexpr int kNoContext = 201, kLost = 700;

class CudaTest : public testing::Test {
 protected:
  void SetUp() override {
    cuda_.Reset();
    TheFaults().Reset();
    options_.queue = &stream_;
  }
  void TearDown() override {
    TheFaults().Reset();
    for (const std::string &complaint : cuda_.complaints) ADD_FAILURE() << complaint;
  }

  // A tensor in the fake's memory.
  haline_tensor *Device(Type type, const Shape &shape, int id = 0) {
    shapes_.push_back(std::make_unique<Shape>(shape));
    tensors_.push_back(std::make_unique<haline_tensor>());
    haline_tensor &t = *tensors_.back();
    uint64_t bytes = static_cast<uint64_t>(Size(type));
    for (const int64_t extent : shape) bytes *= static_cast<uint64_t>(extent);
    t.data = reinterpret_cast<void *>(cuda_.Memory(bytes));  // NOLINT(performance-no-int-to-ptr): an address it is
    t.device = {HALINE_CUDA, id};
    t.ndim = static_cast<int32_t>(shape.size());
    t.dtype = DType(type);
    t.shape = shapes_.back()->data();
    return &t;
  }

  haline_status Forward(Type type, const Shape &shape) {
    return haline_instance_norm(Device(type, shape), nullptr, nullptr, Device(type, shape), &options_);
  }
  haline_status Backward(Type type, const Shape &shape) {
    const Shape planes = {shape[0], shape[1]}, channels = {shape[1]};
    return haline_instance_norm_backward(Device(type, shape), Device(type, shape), nullptr, nullptr,
                                         Device(Type::kF32, planes), Device(Type::kF32, planes), Device(type, shape),
                                         Device(type, channels), Device(type, channels), &options_);
  }

  int Calls(const std::string &function) const {
    const auto found = TheFaults().calls.find(function);
    return found == TheFaults().calls.end() ? 0 : found->second;
  }
  void ExpectNothingWaitsOrCopies() const {
    for (const char *name : {"cuStreamSynchronize", "cuCtxSynchronize", "cuMemcpyHtoD_v2", "cuMemcpyDtoH_v2",
                             "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemAlloc_v2", "cuMemFree_v2"}) {
      EXPECT_EQ(Calls(name), 0) << name;
    }
  }

  FakeCuda &cuda_ = FakeCuda::Get();
  FakeContext own_context_{0}, other_context_{0};  // of the caller's making, on device 0
  FakeStream stream_{&own_context_};
  haline_options options_ = HALINE_OPTIONS_INIT;
  std::vector<std::unique_ptr<Shape>> shapes_;
  std::vector<std::unique_ptr<haline_tensor>> tensors_;
};

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

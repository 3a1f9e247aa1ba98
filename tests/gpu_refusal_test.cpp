// What is refused of a device's tensors, by which words, and that the process lives on.
//
// SPDX-License-Identifier: MIT
#include <limits>
#include <memory>

#include "support/gpu_test.h"

namespace haline::test {
namespace {

class GpuRefusalTest : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (!queue_.queue()) return;
    gx_ = std::make_unique<OpenClTensor>(queue_, x_);
    gy_ = std::make_unique<OpenClTensor>(queue_, x_);
  }

  haline_status Call() { return haline_instance_norm(gx_->t(), nullptr, nullptr, gy_->t(), &options_); }

  // After a failure the process goes on: on the processor and on the device.
  void ExpectLife() {
    haline_options options = HALINE_OPTIONS_INIT;
    Typed y = x_;
    EXPECT_EQ(haline_instance_norm(x_.t(), nullptr, nullptr, y.t(), &options), HALINE_OK) << haline_error_message();
    OpenClTensor gx(queue_, x_), gy(queue_, x_);
    options.queue = queue_.queue();
    EXPECT_EQ(haline_instance_norm(gx.t(), nullptr, nullptr, gy.t(), &options), HALINE_OK) << haline_error_message();
    EXPECT_TRUE(y.bytes() == gy.bytes());
  }

  Typed x_{Type::kF32, {2, 3, 100}, 71};
  std::unique_ptr<OpenClTensor> gx_, gy_;
};

TEST_F(GpuRefusalTest, Devices) {
  Typed host(Type::kF32, {2, 3, 100}), scale(Type::kF32, {3}), lengths(Type::kI32, {2});
  ExpectFailure(haline_instance_norm(gx_->t(), nullptr, nullptr, host.t(), &options_), HALINE_UNSUPPORTED,
                {"y: device type 1 found, 4 (OpenCL) wanted"});
  ExpectFailure(haline_instance_norm(host.t(), nullptr, nullptr, gy_->t(), nullptr), HALINE_UNSUPPORTED,
                {"y: device type 4 found, 1 (CPU) wanted"});
  ExpectFailure(haline_instance_norm(gx_->t(), scale.t(), nullptr, gy_->t(), &options_), HALINE_UNSUPPORTED,
                {"scale: device type 1 found, 4 (OpenCL) wanted"});
  gy_->t()->device.id = 1;
  ExpectFailure(Call(), HALINE_INVALID_ARGUMENT, {"y: device id 1 found, 0 (the device of x) wanted"});
  gx_->t()->device.id = gy_->t()->device.id = -1;
  ExpectFailure(Call(), HALINE_INVALID_ARGUMENT, {"x: device id -1 found, 0 and up wanted"});
  gx_->t()->device.id = gy_->t()->device.id = 0;
  OpenClTensor glengths(queue_, lengths);
  options_.lengths = glengths.t();
  ExpectFailure(haline_instance_norm(host.t(), nullptr, nullptr, host.t(), &options_), HALINE_UNSUPPORTED,
                {"lengths: device type 4 found, 1 (CPU) wanted"});
  glengths.t()->device.id = 1;
  ExpectFailure(Call(), HALINE_INVALID_ARGUMENT, {"lengths: device id 1 found, 0 (the device of x) wanted"});
  gx_->t()->device.type = 9;
  ExpectFailure(Call(), HALINE_UNSUPPORTED, {"x: device type 9 found", "1 (CPU)", "4 (OpenCL)", "wanted"});
  ExpectLife();
}

TEST_F(GpuRefusalTest, LengthsThere) {
  Typed lengths(Type::kI64, {2});
  for (const double wrong : {-1, 101}) {
    lengths.Set(1, wrong);
    OpenClTensor glengths(queue_, lengths);
    options_.lengths = glengths.t();
    const std::string found = std::to_string(static_cast<int>(wrong));
    ExpectFailure(Call(), HALINE_INVALID_ARGUMENT,
                  {"lengths: " + found + " found at 1, 0 to 100 (the last extent of x) wanted"});
  }
  OpenClTensor glengths(queue_, lengths);
  int64_t stride = -1;
  glengths.t()->strides = &stride;
  options_.lengths = glengths.t();
  ExpectFailure(Call(), HALINE_UNSUPPORTED, {"lengths: a stride of -1 found"});
  options_.queue = nullptr;
  stride = 1;
  ExpectFailure(Call(), HALINE_INVALID_ARGUMENT, {"queue: null found"});
  ExpectLife();
}

TEST_F(GpuRefusalTest, Merge) {
  const Typed numbers(Type::kF64, {2, 3}, 5);
  Typed host = numbers;
  OpenClTensor a(queue_, numbers), b(queue_, numbers), mean(queue_, numbers), m2(queue_, numbers),
      odd(queue_, numbers, {}, 8);
  const int64_t counts[2] = {4, 5};
  int64_t count;
  const haline_tensor *tensors[2] = {a.t(), b.t()};
  const auto merge = [&](haline_tensor *to_mean, haline_tensor *to_m2) {
    return haline_merge_moments(2, counts, tensors, tensors, &count, to_mean, to_m2, &options_);
  };
  EXPECT_EQ(merge(mean.t(), m2.t()), HALINE_OK) << haline_error_message();
  ExpectFailure(merge(mean.t(), host.t()), HALINE_UNSUPPORTED, {"m2: device type 1 found, 4 (OpenCL) wanted"});
  ExpectFailure(merge(host.t(), host.t()), HALINE_UNSUPPORTED, {"means: device type 4 found, 1 (CPU) wanted"});
  tensors[1] = host.t();
  ExpectFailure(merge(mean.t(), m2.t()), HALINE_UNSUPPORTED, {"means: device type 1 found, 4 (OpenCL) wanted"});
  tensors[1] = odd.t();
  cl_uint bits = 0;
  clGetDeviceInfo(queue_.device(), CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(bits), &bits, nullptr);
  if (bits > 64) ExpectFailure(merge(mean.t(), m2.t()), HALINE_UNSUPPORTED, {"means: a byte_offset of 8 found"});
  tensors[1] = b.t();
  b.t()->device.id = 2;
  ExpectFailure(merge(mean.t(), m2.t()), HALINE_INVALID_ARGUMENT, {"means: device id 2 found, 0 (the device of"});
  options_.queue = nullptr;
  b.t()->device.id = 0;
  ExpectFailure(merge(mean.t(), m2.t()), HALINE_INVALID_ARGUMENT, {"queue: null found", "of mean wanted"});
  ExpectLife();
}

TEST_F(GpuRefusalTest, QueueAndBackend) {
  options_.queue = nullptr;
  ExpectFailure(Call(), HALINE_INVALID_ARGUMENT, {"queue: null found", "cl_command_queue", "wanted"});
  options_.queue = queue_.queue();
  options_.backend = "x86-64";
  ExpectFailure(Call(), HALINE_INVALID_ARGUMENT, {"backend: \"x86-64\" found, null or \"opencl\" (where x is) wanted"});
  options_.backend = "opencl";
  EXPECT_EQ(Call(), HALINE_OK) << haline_error_message();
  ExpectLife();
}

TEST_F(GpuRefusalTest, Memory) {
  ExpectFailure(haline_instance_norm(gx_->t(), nullptr, nullptr, gx_->t(), &options_), HALINE_OK, {});
  OpenClTensor aligned(queue_, x_, {}, 4096), odd(queue_, x_, {}, 4);
  EXPECT_EQ(haline_instance_norm(aligned.t(), nullptr, nullptr, gy_->t(), &options_), HALINE_OK);
  cl_uint bits = 0;
  clGetDeviceInfo(queue_.device(), CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(bits), &bits, nullptr);
  if (bits > 32) {
    ExpectFailure(haline_instance_norm(odd.t(), nullptr, nullptr, gy_->t(), &options_), HALINE_UNSUPPORTED,
                  {"byte_offset", "4 found", "wanted"});
  }
  // Two views of one memory object that overlap in part.
  haline_tensor later = *aligned.t();
  later.byte_offset += 8;
  ExpectFailure(haline_instance_norm(aligned.t(), nullptr, nullptr, &later, &options_), HALINE_INVALID_ARGUMENT,
                {"y: memory that overlaps x in part found"});
  int64_t strides[3] = {300, 100, -1};
  gy_->t()->strides = strides;
  ExpectFailure(Call(), HALINE_UNSUPPORTED, {"negative stride found"});
  ExpectLife();
}

TEST_F(GpuRefusalTest, OutOfMemory) {
  // Planes of three loops are copied; this one, an element many times over, to more than the device has in one piece.
  cl_ulong most = 0;
  clGetDeviceInfo(queue_.device(), CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(most), &most, nullptr);
  const int64_t rows = static_cast<int64_t>(most / 8 / 64) + 1;
  if (rows * 64 > std::numeric_limits<int32_t>::max()) GTEST_SKIP() << "this device has room for any plane";
  const Typed element(Type::kF64, {64});
  Typed mean(Type::kF64, {1, 1});
  OpenClTensor gx(queue_, element), gmean(queue_, mean), gm2(queue_, mean);
  int64_t shape[5] = {1, 1, rows, 8, 8}, strides[5] = {0, 0, 0, 2, 1}, count;
  haline_tensor x = *gx.t();
  x.ndim = 5;
  x.shape = shape;
  x.strides = strides;
  ExpectFailure(haline_moments(&x, &count, gmean.t(), gm2.t(), &options_), HALINE_OUT_OF_MEMORY,
                {"out of device memory", "wanted"});
  ExpectLife();
}

TEST(GpuBackendTest, CudaSaysWhyItDoesNotRun) {
  haline_backend cuda = {};
  for (int32_t i = 0; i < haline_backend_count() && cuda.device != HALINE_CUDA; i++) {
    cuda.size = sizeof(cuda);
    ASSERT_EQ(haline_backend_at(i, &cuda), HALINE_OK);
  }
  ASSERT_STREQ(cuda.name, "cuda");
  if (!cuda.built || cuda.runs_here) GTEST_SKIP() << "CUDA runs here, or was not built";
  Typed x(Type::kF32, {1, 1, 100});
  haline_tensor tx = *x.t();
  tx.device = {HALINE_CUDA, 0};
  haline_tensor ty = tx;
  ExpectFailure(haline_instance_norm(&tx, nullptr, nullptr, &ty, nullptr), HALINE_UNSUPPORTED, {"cuda", cuda.reason});
}

}  // namespace
}  // namespace haline::test

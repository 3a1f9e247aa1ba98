// What a call does with the caller's context and queue, and calls other than the passes, on OpenCL.
//
// SPDX-License-Identifier: MIT
#include <initializer_list>
#include <utility>

#include "support/gpu_test.h"

namespace haline::test {
namespace {

TEST_F(GpuTest, Moments) {
  for (const Shape &shape : kGpuShapes) {
    Typed x(Type::kF32, shape, 41, 3), mean(Type::kF64, {shape[0], shape[1]}), m2 = mean;
    MakeSpecial(&x);
    OpenClTensor gx(queue_, x), gmean(queue_, mean), gm2(queue_, m2);
    int64_t count = 0, gpu_count = 0;
    ASSERT_EQ(haline_moments(x.t(), &count, mean.t(), m2.t(), nullptr), HALINE_OK);
    ASSERT_EQ(haline_moments(gx.t(), &gpu_count, gmean.t(), gm2.t(), &options_), HALINE_OK) << haline_error_message();
    EXPECT_EQ(count, gpu_count);
    EXPECT_TRUE(mean.bytes() == gmean.bytes()) << Text(shape);
    EXPECT_TRUE(m2.bytes() == gm2.bytes()) << Text(shape);
  }
}

// Planes that lie further apart than 32 bits can count: each is indexed from where it begins. And a plane that is
// itself that long is copied, with 64-bit indices. (Memory that is not touched takes none.)
class FarTest : public GpuTest {
 protected:
  static constexpr int64_t kFar = int64_t{1} << 31;  // elements

  void SetUp() override {
    GpuTest::SetUp();
    if (!queue_.queue()) return;
    for (cl_mem &memory : memory_) {
      cl_int code = 0;
      memory = clCreateBuffer(queue_.context(), CL_MEM_READ_WRITE, 2 * kFar + (1 << 20), nullptr, &code);
      if (code != CL_SUCCESS) GTEST_SKIP() << "no memory of 4 GiB in one piece on this device";
    }
  }
  void TearDown() override {
    for (const cl_mem memory : memory_) {
      if (memory) clReleaseMemObject(memory);
    }
  }

  // y, like x, of these strides in the two memory objects. x's values, and what y was.
  haline_status Normalize(const Typed &x, Shape strides, Typed *y) {
    Shape shape = x.shape();
    haline_tensor tensors[2];
    for (int i : {0, 1}) {
      tensors[i] = *x.t();
      tensors[i].data = memory_[i];
      tensors[i].device = {HALINE_OPENCL, 0};
      tensors[i].strides = strides.data();
    }
    const auto each = [&](const auto &f) {
      for (int64_t i = 0; i < x.count(); i++) {
        const int64_t s = i % shape[2], c = i / shape[2] % shape[1], n = i / shape[2] / shape[1];
        f(i, static_cast<size_t>(2 * (s * strides[2] + c * strides[1] + n * strides[0])));
      }
    };
    each([&](int64_t i, size_t at) {
      const auto bits = static_cast<uint16_t>(x.Bits(i));
      clEnqueueWriteBuffer(queue_.queue(), memory_[0], CL_TRUE, at, 2, &bits, 0, nullptr, nullptr);
    });
    const haline_status status = haline_instance_norm(&tensors[0], nullptr, nullptr, &tensors[1], &options_);
    each([&](int64_t i, size_t at) {
      uint16_t bits = 0;
      clEnqueueReadBuffer(queue_.queue(), memory_[1], CL_TRUE, at, 2, &bits, 0, nullptr, nullptr);
      y->SetBits(i, bits);
    });
    return status;
  }

  cl_mem memory_[2] = {};
};

TEST_F(FarTest, Planes) {
  for (const auto &[shape, strides] :
       {std::pair<Shape, Shape>{{2, 3, 100}, {kFar, 100, 1}}, std::pair<Shape, Shape>{{1, 2, 300}, {1, kFar, 2}},
        std::pair<Shape, Shape>{{1, 2, 65}, {1, 1, kFar / 64}},
        std::pair<Shape, Shape>{{2, 2, 65}, {2, 1, kFar / 64}}}) {
    Typed x(Type::kF16, shape, 81), y(Type::kF16, shape), wanted(Type::kF16, shape);
    ASSERT_EQ(haline_instance_norm(x.t(), nullptr, nullptr, wanted.t(), nullptr), HALINE_OK);
    ASSERT_EQ(Normalize(x, strides, &y), HALINE_OK) << haline_error_message();
    EXPECT_TRUE(y.bytes() == wanted.bytes()) << Text(shape);
  }
  // Where parts of memory objects can't start.
  Typed x(Type::kF16, {2, 1, 64}, 82), y = x;
  ExpectFailure(Normalize(x, {kFar + 1, 64, 1}, &y), HALINE_UNSUPPORTED, {"2^31", "begin where"});
}

TEST_F(GpuTest, TensorsOfNothing) {
  for (const Shape &shape : {Shape{0, 3, 8}, Shape{2, 3, 0}}) {
    const Typed x(Type::kF32, shape);
    Typed mean(Type::kF32, {shape[0], shape[1]}, 5);
    OpenClTensor gx(queue_, Typed(Type::kF32, {1, 1, 1})), gmean(queue_, mean);
    haline_tensor tx = *x.t();
    tx.device = gx.t()->device;
    tx.data = nullptr;
    haline_tensor ty = tx;
    options_.mean = gmean.t();
    ASSERT_EQ(haline_instance_norm(&tx, nullptr, nullptr, &ty, &options_), HALINE_OK) << haline_error_message();
    if (shape[0] > 0) {
      EXPECT_EQ(gmean.bytes(), std::string(24, '\0'));
    }
  }
}

// The call returns while the queue still waits for something else: it synchronises nothing.
TEST_F(GpuTest, WaitsForNothing) {
  const Shape shape = {4, 8, 40, 40};
  Typed x(Type::kF32, shape, 51), y(Type::kF32, shape);
  OpenClTensor gx(queue_, x), gy(queue_, y);
  ASSERT_EQ(haline_instance_norm(x.t(), nullptr, nullptr, y.t(), nullptr), HALINE_OK);
  const cl_event gate = clCreateUserEvent(queue_.context(), nullptr);
  ASSERT_EQ(clEnqueueBarrierWithWaitList(queue_.queue(), 1, &gate, nullptr), CL_SUCCESS);
  const haline_status status = haline_instance_norm(gx.t(), nullptr, nullptr, gy.t(), &options_);
  clSetUserEventStatus(gate, CL_COMPLETE);
  ASSERT_EQ(status, HALINE_OK) << haline_error_message();
  EXPECT_TRUE(y.bytes() == gy.bytes());
  clReleaseEvent(gate);
}

TEST_F(GpuTest, TwoContexts) {
  const OpenClQueue other;
  const Shape shape = {1, 3, 100};
  Typed x(Type::kF32, shape, 61), y(Type::kF32, shape);
  ASSERT_EQ(haline_instance_norm(x.t(), nullptr, nullptr, y.t(), nullptr), HALINE_OK);
  for (const OpenClQueue *queue : std::initializer_list<const OpenClQueue *>{&queue_, &other, &queue_}) {
    OpenClTensor gx(*queue, x), gy(*queue, x);
    options_.queue = queue->queue();
    ASSERT_EQ(haline_instance_norm(gx.t(), nullptr, nullptr, gy.t(), &options_), HALINE_OK) << haline_error_message();
    EXPECT_TRUE(y.bytes() == gy.bytes());
  }
}

}  // namespace
}  // namespace haline::test

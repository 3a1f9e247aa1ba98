// Tensors that lie in a device's memory, on OpenCL: the bytes of the processor's, the caller's queue, and what is
// refused. (The bytes of every form, with tensors that are sent there, are hashes_test's and operator_hashes_test's.)
//
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <memory>

#include "support/form.h"
#include "support/opencl.h"
#include "support/status.h"

namespace haline::test {

const int kLeastCases = 0;  // forms are compared here, not held against the oracle

namespace {

Shape Every(const Shape &shape) {  // every second element of rows, planes that are three loops
  Shape strides = Crop(shape, 1);
  for (size_t i = 0; i < strides.size(); i++) strides[i] *= 2;
  return strides;
}

struct Layout {
  const char *name;
  Shape (*strides)(const Shape &shape);
};
const Layout kLayouts[] = {{"contiguous", [](const Shape &) { return Shape(); }},
                           {"channels-last", ChannelsLast},
                           {"crop", [](const Shape &shape) { return Crop(shape, 2); }},
                           {"every second", Every}};
const Shape kShapes[] = {{3, 5, 2, 3, 4}, {2, 9, 3, 5, 11}, {2, 3, 4, 9, 30}, {2, 2, 2, 65, 135}};

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
void MakeSpecial(Typed *x) {
  const int64_t size = x->count() / (x->shape()[0] * x->shape()[1]);
  x->Set(size / 2, std::numeric_limits<double>::quiet_NaN());
  for (int64_t i = size; i < 2 * size; i++) x->Set(i, (i % 3 - 1) * (x->type() == Type::kF16 ? 65504 : 0x1p125));
  for (int64_t i = 2 * size; i < 3 * size; i++) x->Set(i, 0.3);
}

// Both passes of one form, on the processor and on the device; scale and shift have x's type.
void Compare(const OpenClQueue &queue, Type type, const Shape &shape, const Layout &layout, int form) {
  SCOPED_TRACE(std::string(Name(type)) + " " + Text(shape) + " " + layout.name + " form " + std::to_string(form));
  const bool residual = form == 1, lengths = form == 2, given = form == 3, special = form == 4;
  const Shape planes = {shape[0], shape[1]}, channels = {shape[1]};
  Typed x(type, shape, 21, 0.5, 2), dy(type, shape, 22), r(type, shape, 23), scale(type, channels, 24, 1, 0.5),
      shift(type, form == 1 ? planes : channels, 25), mean(Type::kF32, planes), rstd(Type::kF64, planes),
      running(Type::kF32, channels, 26), given_mean(Type::kF64, channels, 27, 0.5, 0.1),
      given_rstd(Type::kF32, channels), length(Type::kI64, {shape[0]}), y(type, shape), dx(type, shape),
      dresidual(type, shape), dscale(type, channels), dshift(type, planes);
  given_rstd.Fill(0.4375);
  for (int64_t n = 0; n < shape[0]; n++) length.Set(n, static_cast<double>(n == 1 ? 0 : shape.back() - n));
  if (special) MakeSpecial(&x);

  const Shape strides = layout.strides(shape);
  OpenClTensor gx(queue, x, strides), gdy(queue, dy, strides), gr(queue, r, strides), gscale(queue, scale),
      gshift(queue, shift), gmean(queue, mean), grstd(queue, rstd), grunning(queue, running),
      ggiven_mean(queue, given_mean), ggiven_rstd(queue, given_rstd), gy(queue, y, strides), gdx(queue, dx, strides),
      gdresidual(queue, dresidual, strides), gdscale(queue, dscale), gdshift(queue, dshift);

  const auto run = [&](bool gpu) {
    const auto at = [&](Typed &host, OpenClTensor &device) { return gpu ? device.t() : host.t(); };
    haline_options o = HALINE_OPTIONS_INIT;
    if (gpu) o.queue = queue.queue();
    if (residual) {
      o.residual = at(r, gr);
      o.dresidual = at(dresidual, gdresidual);
      o.activation = HALINE_LEAKY_RELU;
    }
    if (lengths) o.lengths = length.t();
    if (given) {
      o.given_mean = at(given_mean, ggiven_mean);
      o.given_rstd = at(given_rstd, ggiven_rstd);
    } else {
      o.mean = at(mean, gmean);
      o.rstd = at(rstd, grstd);
      o.running_variance = at(running, grunning);
    }
    ASSERT_EQ(haline_instance_norm(at(x, gx), at(scale, gscale), at(shift, gshift), at(y, gy), &o), HALINE_OK)
        << haline_error_message();
    EXPECT_EQ(IsTargetOf(haline_last_target(), "opencl"), gpu) << haline_last_target();
    o.frozen = given;
    ASSERT_EQ(haline_instance_norm_backward(at(x, gx), at(dy, gdy), at(scale, gscale), at(shift, gshift),
                                            given ? at(given_mean, ggiven_mean) : at(mean, gmean),
                                            given ? at(given_rstd, ggiven_rstd) : at(rstd, grstd), at(dx, gdx),
                                            at(dscale, gdscale), at(dshift, gdshift), &o),
              HALINE_OK)
        << haline_error_message();
  };
  run(false);
  run(true);
  const auto same = [](const char *name, const Typed &host, const OpenClTensor &device) {
    EXPECT_TRUE(host.bytes() == device.bytes()) << name;
  };
  same("x", x, gx);
  same("y", y, gy);
  same("mean", mean, gmean);
  same("rstd", rstd, grstd);
  same("running", running, grunning);
  same("dx", dx, gdx);
  same("dresidual", dresidual, gdresidual);
  same("dscale", dscale, gdscale);
  same("dshift", dshift, gdshift);
}

TEST_F(GpuTest, DeviceTensorsGetTheProcessorsBytes) {
  int turn = 0;
  for (const Layout &layout : kLayouts) {
    for (const Shape &shape : kShapes) {
      for (int form = 0; form < 5; form++) {
        Compare(queue_, kFloatTypes[turn++ % 4], shape, layout, form);
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(GpuTest, InPlace) {
  for (const Layout &layout : {kLayouts[0], kLayouts[3]}) {
    for (const Shape &shape : kShapes) {
      Typed x(Type::kF32, shape, 31), dy(Type::kF32, shape, 32), mean(Type::kF64, {shape[0], shape[1]}), rstd = mean;
      MakeSpecial(&x);
      OpenClTensor gx(queue_, x, layout.strides(shape)), gy(queue_, x, layout.strides(shape)),
          gdy(queue_, dy, layout.strides(shape)), gmean(queue_, mean), grstd(queue_, rstd);
      haline_options on_host = HALINE_OPTIONS_INIT;
      on_host.mean = mean.t();
      on_host.rstd = rstd.t();
      Typed y = x, dx = dy;
      ASSERT_EQ(haline_instance_norm(y.t(), nullptr, nullptr, y.t(), &on_host), HALINE_OK);
      ASSERT_EQ(haline_instance_norm_backward(x.t(), dx.t(), nullptr, nullptr, mean.t(), rstd.t(), dx.t(), nullptr,
                                              nullptr, nullptr),
                HALINE_OK);
      options_.mean = gmean.t();
      options_.rstd = grstd.t();
      ASSERT_EQ(haline_instance_norm(gy.t(), nullptr, nullptr, gy.t(), &options_), HALINE_OK) << haline_error_message();
      ASSERT_EQ(haline_instance_norm_backward(gx.t(), gdy.t(), nullptr, nullptr, gmean.t(), grstd.t(), gdy.t(), nullptr,
                                              nullptr, &options_),
                HALINE_OK)
          << haline_error_message();
      EXPECT_TRUE(y.bytes() == gy.bytes()) << layout.name << ' ' << Text(shape);
      EXPECT_TRUE(dx.bytes() == gdy.bytes()) << layout.name << ' ' << Text(shape);
    }
  }
}

TEST_F(GpuTest, Moments) {
  for (const Shape &shape : kShapes) {
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
  ExpectFailure(Call(), HALINE_UNSUPPORTED, {"lengths: device type 4 found, 1 (CPU) wanted"});
  gx_->t()->device.type = 9;
  ExpectFailure(Call(), HALINE_UNSUPPORTED, {"x: device type 9 found", "1 (CPU)", "4 (OpenCL)", "wanted"});
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

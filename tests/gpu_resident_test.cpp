// GPU kernels that do all that is done with a block's planes: which they are that run, on what they must run, and that
// they give the processor's bytes at the borders of their shared memory, chunks and blocks.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/form.h"
#include "support/opencl.h"

namespace {

struct Launch {
  std::string name;
  int64_t blocks, threads, shared_bytes;
  // A kernel of two results, fused over its blocks.
  bool fused() const { return name.find("fused") != std::string::npos; }
};
std::vector<Launch> launches;

}  // namespace

// The linker sends the kernels' calls of Halide's runtime here.
extern "C" int __real_halide_opencl_run(void *, void *, const char *, int, int, int, int, int, int, int, void *,
                                        void **, int8_t *);
extern "C" int __wrap_halide_opencl_run(void *user, void *state, const char *name, int blocks_x, int blocks_y,
                                        int blocks_z, int threads_x, int threads_y, int threads_z, int shared_bytes,
                                        void *types, void **args, int8_t *is_buffer) {
  launches.push_back({name, int64_t{1} * blocks_x * blocks_y * blocks_z, int64_t{1} * threads_x * threads_y * threads_z,
                      shared_bytes});
  return __real_halide_opencl_run(user, state, name, blocks_x, blocks_y, blocks_z, threads_x, threads_y, threads_z,
                                  shared_bytes, types, args, is_buffer);
}

namespace haline::test {

const int kLeastCases = 0;  // forms are compared here, not held against the oracle

namespace {

void Succeed(haline_status status) { ASSERT_EQ(status, HALINE_OK) << haline_error_message(); }

class GpuResidentTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!queue_.queue()) GTEST_SKIP() << "no OpenCL device here";
    options_.queue = queue_.queue();
  }

  // Both passes on x, without and with an activation, against the processor's; what was launched for them.
  struct Launches {
    std::vector<Launch> forward, backward;
  };
  Launches Compare(const Typed &host, const Shape &strides = {}) {
    const Shape planes = {host.shape()[0], host.shape()[1]};
    Launches made;
    for (const bool active : {true, false}) {
      Typed x = host, dy(host.type(), host.shape(), 5), mean(Type::kF64, planes), rstd = mean,
            dscale(host.type() == Type::kF64 ? Type::kF64 : Type::kF32, planes), dshift = dscale,
            y(host.type(), host.shape()), dx = y;
      OpenClTensor gx(queue_, x, strides), gdy(queue_, dy, strides), gmean(queue_, mean), grstd(queue_, rstd),
          gdscale(queue_, dscale), gdshift(queue_, dshift), gy(queue_, y, strides), gdx(queue_, y, strides);
      haline_options on_host = HALINE_OPTIONS_INIT;
      for (haline_options *o : {&on_host, &options_}) o->activation = active ? HALINE_LEAKY_RELU : HALINE_NO_ACTIVATION;
      on_host.mean = mean.t();
      on_host.rstd = rstd.t();
      options_.mean = gmean.t();
      options_.rstd = grstd.t();
      Succeed(haline_instance_norm(x.t(), nullptr, nullptr, y.t(), &on_host));
      Succeed(haline_instance_norm_backward(x.t(), dy.t(), nullptr, nullptr, mean.t(), rstd.t(), dx.t(), dscale.t(),
                                            dshift.t(), &on_host));
      launches.clear();
      Succeed(haline_instance_norm(gx.t(), nullptr, nullptr, gy.t(), &options_));
      made.forward = std::exchange(launches, {});
      Succeed(haline_instance_norm_backward(gx.t(), gdy.t(), nullptr, nullptr, gmean.t(), grstd.t(), gdx.t(),
                                            gdscale.t(), gdshift.t(), &options_));
      made.backward = std::exchange(launches, {});
      const std::string what = std::string(Name(host.type())) + " " + Text(host.shape()) + (active ? " active" : "");
      EXPECT_TRUE(y.bytes() == gy.bytes()) << what;
      EXPECT_TRUE(mean.bytes() == gmean.bytes()) << what;
      EXPECT_TRUE(rstd.bytes() == grstd.bytes()) << what;
      EXPECT_TRUE(dx.bytes() == gdx.bytes()) << what;
      EXPECT_TRUE(dscale.bytes() == gdscale.bytes()) << what;
      EXPECT_TRUE(dshift.bytes() == gdshift.bytes()) << what;
    }
    return made;
  }

  static int64_t Fused(const std::vector<Launch> &made) {
    return std::count_if(made.begin(), made.end(), [](const Launch &launch) { return launch.fused(); });
  }

  OpenClQueue queue_;
  haline_options options_ = HALINE_OPTIONS_INIT;
};

// Zeros and ones, the planes, the wide kernel's look at their flags, mean and rstd (or dscale and dshift).
TEST_F(GpuResidentTest, OneKernelReadsAPlane) {
  for (const int64_t size : {64, 511, 512, 8192}) {
    const Launches made = Compare(Typed(Type::kF32, {2, 19, size}, 3, 0.5, 2));
    EXPECT_EQ(made.forward.size(), 6u) << size;
    EXPECT_EQ(Fused(made.forward), 2) << size;
    // (To x and dy of 8192 elements, there is no room.)
    if (size < 8192) {
      EXPECT_EQ(Fused(made.backward), 2) << size;
    }
  }
  const Launches large = Compare(Typed(Type::kF32, {1, 3, 20000}, 3));
  EXPECT_EQ(Fused(large.forward), 1) << "the wide kernel alone";
  EXPECT_EQ(Fused(large.backward), 1);
}

TEST_F(GpuResidentTest, TinyPlanesTakeOneKernel) {
  for (const int64_t size : {1, 4, 33, 63}) {
    const Launches made = Compare(Typed(Type::kF32, {2, 70, size}, 3, 0.5, 2));
    EXPECT_EQ(made.forward.size(), 5u) << size;
    EXPECT_EQ(Fused(made.forward), 1) << size;
    EXPECT_EQ(Fused(made.backward), 1) << size;
  }
}

// What every GPU has: 48 KiB of shared memory and 1024 threads a block.
TEST_F(GpuResidentTest, BlocksFitEveryDevice) {
  for (const Type type : kFloatTypes) {
    for (const int64_t size : {40, 63, 300, 511, 2000, 4000, 5000, 8000, 9000, 12000, 16000}) {
      const Launches made = Compare(Typed(type, {1, 9, size}, 3, 0.5, 2));
      for (const std::vector<Launch> *pass : {&made.forward, &made.backward}) {
        for (const Launch &launch : *pass) {
          EXPECT_LE(launch.shared_bytes, 48 << 10) << launch.name << ' ' << size;
          EXPECT_LE(launch.threads, 1024) << launch.name << ' ' << size;
        }
      }
    }
  }
}

// Every size of a few neighbouring chunks, tails and blocks of planes; planes beyond the last block's.
TEST_F(GpuResidentTest, BordersHaveTheProcessorsBytes) {
  for (const int64_t size : {64, 65, 127, 128, 447, 448, 449, 510, 511, 512, 513, 639, 640, 1000, 1023, 1025, 9600}) {
    for (const int64_t channels : {1, 8, 9}) {
      Typed x(Type::kF32, {2, channels, size}, size + channels, 0.5, 2);
      // A plane that the float sums can't serve, and one that is constant.
      x.Set(size / 2, std::numeric_limits<double>::quiet_NaN());
      for (int64_t i = 0; i < size; i++) x.Set((2 * channels - 1) * size + i, 0.3);
      Compare(x);
      if (HasFailure()) return;
    }
  }
}

TEST_F(GpuResidentTest, ChannelsSideBySide) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : {Shape{2, 37, 3, 4}, Shape{2, 70, 9, 13}, Shape{1, 33, 30, 30}, Shape{1, 5, 140, 150}}) {
      const Launches made = Compare(Typed(type, shape, 7, 0.5, 2), ChannelsLast(shape));
      if (shape[2] == 30) {
        EXPECT_EQ(Fused(made.forward), 1) << "lines are read whole, for many planes at a time";
      }
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace haline::test

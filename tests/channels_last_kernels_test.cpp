// Channels-last tensors are worked on by kernels of their own, not copied plane by plane: the engines run here with a
// table whose other kernels count that they were called, and do nothing.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "haline/haline.hpp"
#include "runtime/backend.h"
#include "runtime/check.h"
#include "runtime/engine.h"
#include "support/random.h"

namespace haline {
namespace {

int others_called;

template <typename... Args>
void Replace(Kernel<Args...> *kernel) {
  kernel->function = [](Args...) {
    others_called++;
    return 0;
  };
}

// (The pivots of few channels, or of the few that are left of many, are made from copies of their samples.)
KernelSet OnlyChannelsLast(const KernelSet &kernels, int64_t channels) {
  const int64_t left = channels % kVector;
  KernelSet set = kernels;
  for (ElementKernels &k : set.elements) {
    if (left == 0 || left > kMostPacked) Replace(&k.pivot);
    Replace(&k.moments_small);
    Replace(&k.moments_large);
    Replace(&k.apply);
    Replace(&k.wide_across);
    Replace(&k.wide_turned);
    Replace(&k.wide_few);
    Replace(&k.wide_along);
    Replace(&k.gradient_sums_small);
    Replace(&k.gradient_sums_large);
    Replace(&k.gradient_apply);
    Replace(&k.wide_gradient_across);
    Replace(&k.wide_gradient_few);
    Replace(&k.wide_gradient_along);
  }
  return set;
}

struct Tensors {
  std::vector<float> x, dy, y, dx, mean, rstd;
};

class ChannelsLastKernelsTest : public testing::Test {
 protected:
  // Of the back ends that run here and have any.
  void SetUp() override {
    for (int i = 0; i < kKernelSetCount; i++) {
      const KernelSet *kernels;
      if (ChooseBackend(kKernelSets[i].name, -1, &kernels) != HALINE_OK) continue;
      if (kernels->elements[0].apply_last.function) sets_.push_back(kernels);
    }
  }

  void Run(const KernelSet &kernels, const Shape &shape, const Shape &strides, Tensors *t) {
    const int64_t planes = shape[0] * shape[1];
    t->mean.assign(planes, 0);
    t->rstd.assign(planes, 1);
    t->y.assign(t->x.size(), 0);
    t->dx.assign(t->x.size(), 0);
    const ConstTensorView x(t->x.data(), shape, strides), dy(t->dy.data(), shape, strides);
    const TensorView y(t->y.data(), shape, strides), dx(t->dx.data(), shape, strides);
    const TensorView mean(t->mean.data(), {shape[0], shape[1]}), rstd(t->rstd.data(), {shape[0], shape[1]});
    haline_options options = HALINE_OPTIONS_INIT;
    haline_tensor mean_tensor = mean.c_tensor(), rstd_tensor = rstd.c_tensor(), x_tensor = x.c_tensor(),
                  y_tensor = y.c_tensor(), dy_tensor = dy.c_tensor(), dx_tensor = dx.c_tensor();
    options.mean = &mean_tensor;
    options.rstd = &rstd_tensor;
    Problem forward;
    ASSERT_EQ(CheckForward(&x_tensor, nullptr, nullptr, &y_tensor, &options, &forward), HALINE_OK);
    ASSERT_EQ(Forward(forward, MakePlan(forward, 1, Tuning(), true), kernels), HALINE_OK);
    options.mean = options.rstd = nullptr;
    options.activation = HALINE_RELU;  // whose gradient needs the sums of both passes
    Problem backward;
    ASSERT_EQ(CheckBackward(&x_tensor, &dy_tensor, nullptr, nullptr, &mean_tensor, &rstd_tensor, &dx_tensor, nullptr,
                            nullptr, &options, &backward),
              HALINE_OK);
    ASSERT_EQ(Backward(backward, MakePlan(backward, 1, Tuning(), true), kernels), HALINE_OK);
  }

  std::vector<const KernelSet *> sets_;
};

TEST_F(ChannelsLastKernelsTest, NoOthersAreCalled) {
  if (sets_.empty()) GTEST_SKIP() << "no back end that runs here has channels-last kernels";
  for (const KernelSet *const kernels : sets_) {
    for (const int64_t size : {2, 63, 64, 65, 300, 511, 512, 1000, 16385, 40000}) {
      for (const int64_t channels : {2, 3, 8, 9, 15, 16, 17, 24, 28, 64, 72, 100, 256}) {
        if (size > 10000 && channels > 17) continue;
        if (size < 64 && channels % 16 != 0) continue;                          // the rest of the channels is copied
        if (size < MostCopiedSize(false) && channels <= kMostCopied) continue;  // so are these
        const Shape shape = {2, channels, size};
        for (const int64_t stored : {channels, channels + 3}) {
          const std::string what = std::string(kernels->name) + ", " + std::to_string(size) + " elements, " +
                                   std::to_string(channels) + " channels of " + std::to_string(stored);
          Tensors t;
          t.x = test::Normals(2 * size * stored, 1);  // no plane needs the wide kernels
          t.dy = test::Normals(2 * size * stored, 2);
          Tensors wanted = t;
          others_called = 0;
          Run(OnlyChannelsLast(*kernels, channels), shape, {size * stored, 1, stored}, &t);
          EXPECT_EQ(others_called, 0) << what;
          Run(*kernels, shape, {size * stored, 1, stored}, &wanted);
          EXPECT_EQ(t.y, wanted.y) << what;
          EXPECT_EQ(t.dx, wanted.dx) << what;
        }
      }
    }
  }
}

// Where nobody wants statistics: planes of four elements and of eight, by the kernel of few elements alone.
TEST_F(ChannelsLastKernelsTest, FewElements) {
  for (const KernelSet *const kernels : sets_) {
    KernelSet others = OnlyChannelsLast(*kernels, 16), few = others;
    for (ElementKernels &k : others.elements) Replace(&k.wide_few_last);
    for (ElementKernels &k : few.elements) {
      Replace(&k.wide_across_last);
      Replace(&k.wide_across_last_bare);
    }
    for (const int64_t size : {3, 4, 5, 8, 9}) {
      const bool is_few = size == 4 || size == 8;
      const std::string what = std::string(kernels->name) + ", " + std::to_string(size) + " elements";
      const std::vector<float> x = test::Normals(2 * 48 * size, 1);
      std::vector<float> y(x.size()), wanted(x.size());
      const Shape shape = {2, 48, size}, strides = {48 * size, 1, 48};
      const auto run = [&](const KernelSet &set, std::vector<float> *to) {
        const ConstTensorView from(x.data(), shape, strides);
        const TensorView into(to->data(), shape, strides);
        const haline_tensor from_tensor = from.c_tensor(), into_tensor = into.c_tensor();
        const haline_options options = HALINE_OPTIONS_INIT;
        Problem problem;
        ASSERT_EQ(CheckForward(&from_tensor, nullptr, nullptr, &into_tensor, &options, &problem), HALINE_OK);
        ASSERT_EQ(Forward(problem, MakePlan(problem, 1, Tuning(), true), set), HALINE_OK);
      };
      others_called = 0;
      run(is_few ? few : others, &y);
      EXPECT_EQ(others_called, 0) << what;
      run(is_few ? others : few, &wanted);  // which do nothing
      EXPECT_GT(others_called, 0) << what;
      run(*kernels, &wanted);
      EXPECT_EQ(y, wanted) << what;
    }
  }
}

// dx and a residual's gradient by one kernel, unless dx goes over what both are made from.
TEST_F(ChannelsLastKernelsTest, BothGradients) {
  for (const KernelSet *const kernels : sets_) {
    KernelSet both = *kernels;
    for (ElementKernels &k : both.elements) {
      Replace(&k.gradient_apply);
      Replace(&k.gradient_apply_last);
      Replace(&k.gradient_apply_lines);
    }
    for (const int64_t channels : {2, 3, 17, 24, 32, 72}) {
      for (const int64_t size : {200, 1000}) {
        for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_RELU, HALINE_LEAKY_RELU}) {
          const std::string what = std::string(kernels->name) + ", " + std::to_string(size) + " elements, " +
                                   std::to_string(channels) + " channels, activation " + std::to_string(activation);
          const int64_t count = 2 * channels * size;
          const Shape shape = {2, channels, size}, strides = {channels * size, 1, channels};
          const std::vector<float> x = test::Normals(count, 1), dy = test::Normals(count, 2),
                                   residual = test::Normals(count, 3);
          const std::vector<float> mean(2 * channels, 0), rstd(2 * channels, 1);
          const auto run = [&](const KernelSet &set, const std::vector<float> &from, float *dx, float *dresidual) {
            const ConstTensorView inputs[] = {{x.data(), shape, strides},
                                              {from.data(), shape, strides},
                                              {residual.data(), shape, strides},
                                              {mean.data(), {2, channels}},
                                              {rstd.data(), {2, channels}}};
            const TensorView results[] = {{dx, shape, strides}, {dresidual, shape, strides}};
            std::vector<haline_tensor> tensors;
            for (const ConstTensorView &view : inputs) tensors.push_back(view.c_tensor());
            for (const TensorView &view : results) tensors.push_back(view.c_tensor());
            haline_options options = HALINE_OPTIONS_INIT;
            options.activation = activation;
            options.residual = &tensors[2];
            if (dresidual) options.dresidual = &tensors[6];
            Problem problem;
            ASSERT_EQ(CheckBackward(&tensors[0], &tensors[1], nullptr, nullptr, &tensors[3], &tensors[4],
                                    dx ? &tensors[5] : nullptr, nullptr, nullptr, &options, &problem),
                      HALINE_OK);
            ASSERT_EQ(Backward(problem, MakePlan(problem, 1, Tuning(), true), set), HALINE_OK);
          };
          std::vector<float> dx(count), dresidual(count), wanted(count), over = dy;
          others_called = 0;
          run(both, dy, dx.data(), dresidual.data());
          EXPECT_EQ(others_called, 0) << what;
          run(*kernels, dy, wanted.data(), nullptr);
          EXPECT_EQ(dx, wanted) << what;
          run(*kernels, dy, nullptr, wanted.data());
          EXPECT_EQ(dresidual, wanted) << what;
          run(both, over, over.data(), dresidual.data());
          EXPECT_GT(others_called, 0) << what;
        }
      }
    }
  }
}

// That they would be counted.
TEST_F(ChannelsLastKernelsTest, OthersAreCalledForPlanes) {
  for (const KernelSet *const kernels : sets_) {
    for (const int64_t size : {2, 64, 600}) {
      Tensors t;
      t.x.assign(32 * size, 1.f);
      t.dy = t.x;
      others_called = 0;
      Run(OnlyChannelsLast(*kernels, 16), {2, 16, size}, {16 * size, size, 1}, &t);
      EXPECT_GT(others_called, 0) << kernels->name << ", " << size << " elements";
    }
  }
}

}  // namespace
}  // namespace haline

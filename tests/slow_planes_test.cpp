// Planes that float sums can't be made about take the wide kernels, which are slow: few of what looks like pictures do,
// and they do not make those beside them slow. The engines run here with a table that counts.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "haline/haline.hpp"
#include "runtime/backend.h"
#include "runtime/check.h"
#include "runtime/engine.h"
#include "support/sampled.h"

namespace haline {
namespace {

using test::Sampled;

int64_t wide_planes, applied;

// What is counted computes nothing.
KernelSet Counting(const KernelSet &kernels) {
  KernelSet set = kernels;
  ElementKernels &k = set.elements[0];
  k.wide_along.function = [](Buffer *x, auto...) {
    wide_planes += int64_t{x->dim[1].extent} * x->dim[2].extent;
    return 0;
  };
  if (k.apply_last.function) {
    k.apply_last.function = [](auto...) {
      applied++;
      return 0;
    };
  }
  return set;
}

std::vector<const KernelSet *> Backends() {
  std::vector<const KernelSet *> sets;
  for (int i = 0; i < kKernelSetCount; i++) {
    const KernelSet *kernels;
    if (ChooseBackend(kKernelSets[i].name, -1, &kernels) == HALINE_OK) sets.push_back(kernels);
  }
  return sets;
}

// Planes side by side, or the channels of an element.
enum Order { kPlanes, kLast };

Shape Strides(const Shape &shape, Order order) {
  const int64_t channels = shape[1], rows = shape[2], width = shape[3];
  if (order == kPlanes) return {channels * rows * width, rows * width, width, 1};
  return {channels * rows * width, 1, width * channels, channels};
}

template <typename F>
std::vector<float> Fill(const Shape &shape, Order order, const F &value) {
  const Shape strides = Strides(shape, order);
  std::vector<float> x(shape[0] * shape[1] * shape[2] * shape[3]);
  for (int64_t p = 0; p < shape[0] * shape[1]; p++) {
    const int64_t first = p / shape[1] * strides[0] + p % shape[1] * strides[1];
    for (int64_t s = 0; s < shape[2] * shape[3]; s++) {
      x[first + s / shape[3] * strides[2] + s % shape[3] * strides[3]] = value(p, s);
    }
  }
  return x;
}

void Count(const KernelSet &kernels, const Shape &shape, Order order, const std::vector<float> &x) {
  std::vector<float> y(x.size());
  const ConstTensorView x_view(x.data(), shape, Strides(shape, order));
  const TensorView y_view(y.data(), shape, Strides(shape, order));
  const haline_tensor from = x_view.c_tensor(), to = y_view.c_tensor();
  const haline_options options = HALINE_OPTIONS_INIT;
  Problem problem;
  ASSERT_EQ(CheckForward(&from, nullptr, nullptr, &to, &options, &problem), HALINE_OK);
  wide_planes = applied = 0;
  const bool last = kernels.elements[0].apply_last.function != nullptr;
  ASSERT_EQ(Forward(problem, MakePlan(problem, 1, Tuning(), last), Counting(kernels)), HALINE_OK);
}

// Waves of a few periods, the slower the higher, at random phases: the spectrum of photographs.
class Pictures {
 public:
  Pictures(int64_t planes, int64_t rows, int64_t width)
      : width_(width), across_(Turns(width)), down_(Turns(rows)), planes_(planes) {
    std::minstd_rand random(7);
    std::uniform_real_distribution<float> phase(0, kTurn);
    for (std::vector<Wave> &waves : planes_) {
      for (int v = 0; v <= 3; v++) {
        for (int u = v == 0 ? 1 : -3; u <= 3; u++) {
          const float frequency = std::hypot(static_cast<float>(u), static_cast<float>(v));
          waves.push_back({u, v, std::polar(std::pow(frequency, -1.5f), phase(random))});
        }
      }
    }
  }

  float operator()(int64_t plane, int64_t s) const {
    float sum = 0;
    for (const Wave &w : planes_[plane])
      sum += (across_[s % width_][3 + w.u] * down_[s / width_][3 + w.v] * w.at).real();
    return sum;
  }

 private:
  using Complex = std::complex<float>;
  using Periods = std::array<Complex, 7>;  // of -3 to 3 periods
  struct Wave {
    int u, v;    // periods across and down
    Complex at;  // height and phase
  };
  static constexpr float kTurn = 6.2831853f;

  // A wave's phase at each of `count` places, for any number of periods.
  static std::vector<Periods> Turns(int64_t count) {
    std::vector<Periods> turns(count);
    for (int64_t i = 0; i < count; i++) {
      for (int periods = -3; periods <= 3; periods++) {
        turns[i][3 + periods] = std::polar(1.f, kTurn * static_cast<float>(periods * i) / static_cast<float>(count));
      }
    }
    return turns;
  }

  const int64_t width_;
  const std::vector<Periods> across_, down_;
  std::vector<std::vector<Wave>> planes_;
};

TEST(SlowPlanesTest, FewPicturesAre) {
  for (const Shape &shape : {Shape{1, 64, 32, 32}, Shape{1, 64, 64, 64}, Shape{1, 64, 128, 128}, Shape{1, 64, 64, 128},
                             Shape{1, 64, 96, 96}, Shape{1, 64, 120, 160}, Shape{1, 16, 512, 512}}) {
    const std::vector<float> x = Fill(shape, kPlanes, Pictures(shape[1], shape[2], shape[3]));
    for (const KernelSet *const kernels : Backends()) {
      Count(*kernels, shape, kPlanes, x);
      EXPECT_LE(30 * wide_planes, shape[1]) << kernels->name << ", " << shape[2] << " x " << shape[3];
    }
  }
}

// That they would be counted: where the pivot looks, it sees something else.
TEST(SlowPlanesTest, WhatThePivotMissesIs) {
  for (const int64_t width : {20, 23, 64}) {
    const Shape shape = {2, 24, 31, width};
    for (const Order order : {kPlanes, kLast}) {
      const auto value = [&](int64_t, int64_t s) { return Sampled(s, 31 * width) ? 0.f : 100.f + s % 7; };
      const std::vector<float> x = Fill(shape, order, value);
      for (const KernelSet *const kernels : Backends()) {
        Count(*kernels, shape, order, x);
        EXPECT_EQ(wide_planes, 48) << kernels->name << ", 31 x " << width << ", order " << order;
      }
    }
  }
}

// Every fifth plane is slow.
float Mixed(int64_t plane, int64_t s, int64_t size) {
  const float noise = static_cast<float>((s * 7919 + plane * 104729) % 1009) / 1009;
  return plane % 5 == 2 && !Sampled(s, size) ? 100 + noise : noise;
}

TEST(SlowPlanesTest, ChannelsBesideThemAreNotLeftOut) {
  const Shape shape = {2, 64, 31, 64};
  const std::vector<float> mixed = Fill(shape, kLast, [](int64_t p, int64_t s) { return Mixed(p, s, 1984); }),
                           quick = Fill(shape, kLast, [](int64_t p, int64_t s) { return Mixed(5 * p, s, 1984); });
  for (const KernelSet *const kernels : Backends()) {
    if (!kernels->elements[0].apply_last.function) continue;
    Count(*kernels, shape, kLast, quick);
    const int64_t wanted = applied;
    EXPECT_EQ(wide_planes, 0) << kernels->name;
    EXPECT_GT(wanted, 0) << kernels->name;
    Count(*kernels, shape, kLast, mixed);
    EXPECT_EQ(applied, wanted) << kernels->name;
    EXPECT_EQ(wide_planes, 26) << kernels->name;
  }
}

// The bytes of both orders, in place and not.
TEST(SlowPlanesTest, GetTheBytesOfPlanesBesideEachOther) {
  for (const Shape &shape : {Shape{2, 64, 31, 64}, Shape{3, 20, 8, 170}, Shape{1, 17, 130, 130}}) {
    const int64_t size = shape[2] * shape[3], planes = shape[0] * shape[1];
    for (const KernelSet *const kernels : Backends()) {
      haline_options options = HALINE_OPTIONS_INIT;
      options.backend = kernels->name;
      std::vector<float> results[2][2][2];  // by order, in place, {y, dx}
      for (const Order order : {kPlanes, kLast}) {
        for (const bool in_place : {false, true}) {
          const Shape strides = Strides(shape, order);
          std::vector<float> x = Fill(shape, order, [&](int64_t p, int64_t s) { return Mixed(p, s, size); }),
                             dy = Fill(shape, order, [](int64_t p, int64_t s) { return 0.01f * ((s + p) % 61); }),
                             y(x.size()), dx(x.size()), mean(planes), rstd(planes);
          const std::vector<float> before = x;
          haline_options forward = options, backward = options;
          const TensorView x_view(x.data(), shape, strides), dy_view(dy.data(), shape, strides),
              mean_view(mean.data(), {shape[0], shape[1]}), rstd_view(rstd.data(), {shape[0], shape[1]});
          haline_tensor x_tensor = x_view.c_tensor(), dy_tensor = dy_view.c_tensor(), y_tensor = x_tensor,
                        dx_tensor = dy_tensor, mean_tensor = mean_view.c_tensor(), rstd_tensor = rstd_view.c_tensor();
          if (!in_place) y_tensor.data = y.data(), dx_tensor.data = dx.data();
          forward.mean = &mean_tensor;
          forward.rstd = &rstd_tensor;
          ASSERT_EQ(haline_instance_norm(&x_tensor, nullptr, nullptr, &y_tensor, &forward), HALINE_OK);
          if (in_place) y = x, x = before;
          backward.activation = HALINE_RELU;  // whose gradient needs the sums of both passes
          ASSERT_EQ(haline_instance_norm_backward(&x_tensor, &dy_tensor, nullptr, nullptr, &mean_tensor, &rstd_tensor,
                                                  &dx_tensor, nullptr, nullptr, &backward),
                    HALINE_OK);
          if (in_place) dx = dy;
          // In the order of planes.
          for (std::vector<float> *v : {&y, &dx}) {
            *v = Fill(shape, kPlanes, [&, from = *v](int64_t p, int64_t s) {
              return from[p / shape[1] * strides[0] + p % shape[1] * strides[1] + s / shape[3] * strides[2] +
                          s % shape[3] * strides[3]];
            });
          }
          results[order][in_place][0] = y;
          results[order][in_place][1] = dx;
          for (int i : {0, 1}) {
            EXPECT_EQ(results[order][in_place][i], results[0][0][i])
                << kernels->name << ", " << shape[1] << " channels, " << size << " elements, order " << order
                << (in_place ? ", in place, " : ", ") << (i == 0 ? "y" : "dx");
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace haline

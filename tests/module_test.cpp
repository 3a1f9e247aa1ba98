// haline.hpp: views, the function, and the layer.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "haline/haline.hpp"
#include "support/random.h"

namespace haline::test {
namespace {

Tensor Filled(const Shape &shape, uint64_t seed) {
  Tensor x(shape);
  Random random(seed);
  for (int64_t i = 0; i < x.size(); i++) x[i] = random.Normal() * 2 + 1;
  return x;
}

// The first element of the first plane, worked out here.
double FirstOfPlane(const Tensor &x, int64_t size, double eps) {
  double mean = 0, var = 0;
  for (int64_t i = 0; i < size; i++) mean += x[i];
  mean /= static_cast<double>(size);
  for (int64_t i = 0; i < size; i++) var += (x[i] - mean) * (x[i] - mean);
  return (x[0] - mean) / std::sqrt(var / static_cast<double>(size) + eps);
}

template <typename F>
std::string MessageOf(F &&f, haline_status wanted = HALINE_INVALID_ARGUMENT) {
  try {
    f();
  } catch (const Error &e) {
    EXPECT_EQ(e.status(), wanted);
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(ModuleTest, StartsWithOnesAndZeros) {
  const InstanceNorm norm(4);
  EXPECT_EQ(norm.channels(), 4);
  EXPECT_EQ(norm.eps(), 1e-5);
  EXPECT_TRUE(norm.affine());
  EXPECT_EQ(norm.scale(), std::vector<float>(4, 1.f));
  EXPECT_EQ(norm.shift(), std::vector<float>(4, 0.f));
}

TEST(ModuleTest, NotAffineHasNoParameters) {
  InstanceNorm norm(4, 1e-3, false);
  EXPECT_FALSE(norm.affine());
  EXPECT_TRUE(norm.scale().empty());
  EXPECT_TRUE(norm.shift().empty());
  EXPECT_NE(MessageOf([&] {
              norm.set_scale({1.f, 1.f, 1.f, 1.f});
            }).find("scale: 4 values found, 0 wanted"),
            std::string::npos);
  const Tensor x = Filled({2, 4, 25}, 1);
  EXPECT_NEAR(norm(x)[0], FirstOfPlane(x, 25, 1e-3), 1e-6);
}

TEST(ModuleTest, GivesYOfTheShapeOfX) {
  const InstanceNorm norm(3);
  for (const Shape &shape :
       std::vector<Shape>{{2, 3}, {2, 3, 7}, {1, 3, 5, 6}, {2, 3, 4, 5, 6}, {1, 3, 2, 2, 2, 2}, {0, 3, 4}, {2, 3, 0}}) {
    EXPECT_EQ(norm(Tensor(shape)).shape(), shape);
  }
}

// Shapes and strides of any rank; those of more than six dimensions are kept elsewhere than in the view itself.
TEST(ModuleTest, ViewsKeepTheirShape) {
  const Tensor x = Filled({2, 3, 2, 1, 1, 2, 1, 1, 3}, 5),
               dense = InstanceNorm(3)(ConstTensorView(x.data(), {2, 3, 12}));
  for (size_t rank = 3; rank <= 9; rank++) {
    Shape shape(rank, 1), strides(rank, 12);
    shape[0] = 2, shape[1] = 3, shape[rank - 1] = 12;
    strides[0] = 36, strides[rank - 1] = 1;
    Tensor y(shape);
    std::optional<ConstTensorView> in(ConstTensorView(x.data(), shape, strides));
    const ConstTensorView copy = *in;
    in.reset();
    EXPECT_EQ(copy.shape(), Dimensions(shape));
    EXPECT_NE(copy.shape(), copy.strides());
    EXPECT_EQ(Shape(copy.strides()), strides);
    EXPECT_EQ(copy.shape().size(), rank);
    EXPECT_EQ(copy.shape()[rank - 1], 12);
    instance_norm(copy, y);
    for (int64_t i = 0; i < y.size(); i++) ASSERT_EQ(y[i], dense[i]) << "rank " << rank << ", element " << i;
  }
  const ConstTensorView none(x.data(), {});
  EXPECT_TRUE(none.shape().empty());
  EXPECT_TRUE(none.strides().empty());
  EXPECT_NE(MessageOf([&] {
              ConstTensorView(x.data(), {2, 3, 12}, {1, 1});
            }).find("strides: 2 found, 3"),
            std::string::npos);
}

TEST(ModuleTest, UsesWhatWasSet) {
  InstanceNorm norm(2);
  const Tensor x = Filled({1, 2, 100}, 2);
  const Tensor plain = norm(x);
  EXPECT_NEAR(plain[0], FirstOfPlane(x, 100, 1e-5), 1e-6);
  norm.set_scale({2.f, 1.f});
  norm.set_shift({0.5f, 0.f});
  EXPECT_EQ(norm.scale(), (std::vector<float>{2.f, 1.f}));
  EXPECT_EQ(norm.shift(), (std::vector<float>{0.5f, 0.f}));
  const Tensor y = norm(x);
  for (int64_t i = 0; i < 200; i++) EXPECT_NEAR(y[i], i < 100 ? 2 * plain[i] + 0.5f : plain[i], 4e-6) << i;
}

TEST(ModuleTest, WorksInPlace) {
  InstanceNorm norm(2);
  norm.set_shift({3.f, -1.f});
  Tensor x = Filled({3, 2, 77}, 3);
  const Tensor y = norm(x);
  norm.forward(x, x);
  for (int64_t i = 0; i < x.size(); i++) EXPECT_EQ(x[i], y[i]);
}

TEST(ModuleTest, ChecksTheChannels) {
  const InstanceNorm norm(3);
  EXPECT_NE(MessageOf([&] {
              norm(Tensor({2, 4, 5}));
            }).find("x: 4 channels found, [N, 3, *] wanted"),
            std::string::npos);
  EXPECT_NE(MessageOf([&] { norm(Tensor({3})); }).find("x: rank 1 found, [N, 3, *] wanted"), std::string::npos);
  Tensor y({2, 3, 4});
  EXPECT_NE(MessageOf([&] { norm.forward(Tensor({2, 3, 5}), y); }).find("y: shape [2, 3, 4] found"), std::string::npos);
}

TEST(ModuleTest, RefusesBadSettings) {
  EXPECT_NE(MessageOf([] { InstanceNorm(-1); }).find("channels: -1 found"), std::string::npos);
  EXPECT_NE(MessageOf([] { InstanceNorm(3, -1e-5); }).find("eps: "), std::string::npos);
  EXPECT_NE(MessageOf([] { InstanceNorm(3, std::nan("")); }).find("eps: "), std::string::npos);
  InstanceNorm norm(3);
  EXPECT_NE(MessageOf([&] { norm.set_scale({1.f}); }).find("scale: 1 values found, 3 wanted"), std::string::npos);
  EXPECT_NE(MessageOf([&] { norm.set_shift({}); }).find("shift: 0 values found, 3 wanted"), std::string::npos);
  EXPECT_EQ(norm.scale(), std::vector<float>(3, 1.f));
}

TEST(ModuleTest, FunctionWithViewsOfTheCallersMemory) {
  const Tensor x = Filled({2, 3, 50}, 4);
  std::vector<float> y(300);
  const std::vector<float> scale = {1.f, 2.f, 3.f}, shift = {0.f, 0.25f, -1.f};
  instance_norm(x, TensorView(y.data(), {2, 3, 50}), scale.data(), shift.data());
  EXPECT_NEAR(y[0], FirstOfPlane(x, 50, 1e-5), 1e-6);
  InstanceNorm norm(3);
  norm.set_scale(scale);
  norm.set_shift(shift);
  const Tensor z = norm(x);
  for (int64_t i = 0; i < 300; i++) EXPECT_EQ(y[static_cast<size_t>(i)], z[i]);
}

TEST(ModuleTest, StridesAreChecked) {
  std::vector<float> memory(24);
  const ConstTensorView contiguous(memory.data(), {1, 2, 12}, {24, 12, 1});
  const ConstTensorView transposed(memory.data(), {1, 2, 12}, {24, 1, 2});
  Tensor y({1, 2, 12});
  EXPECT_NO_THROW(instance_norm(contiguous, y));
  EXPECT_NO_THROW(instance_norm(transposed, y));
  EXPECT_NE(MessageOf([&] {
              ConstTensorView(memory.data(), {1, 2, 12}, {1});
            }).find("strides: 1 found"),
            std::string::npos);
}

TEST(ModuleTest, BackendsAreNamedAndForced) {
  const std::vector<std::string> names = backends();
  ASSERT_FALSE(names.empty());
  const Tensor x = Filled({1, 2, 100}, 5);
  Tensor y({1, 2, 100}), z({1, 2, 100});
  instance_norm(x, y);
  for (const std::string &name : names) {
    instance_norm(x, z, nullptr, nullptr, {1e-5, name});
    for (int64_t i = 0; i < 200; i++) EXPECT_EQ(y[i], z[i]) << name;
  }
  EXPECT_NE(MessageOf([&] {
              instance_norm(x, y, nullptr, nullptr, {1e-5, "vax"});
            }).find("backend: \"vax\""),
            std::string::npos);
}

}  // namespace
}  // namespace haline::test

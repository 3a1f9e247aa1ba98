// haline.hpp: the layer in training and in evaluation, with activation, residual and running statistics, forward and
// backward; tensors of double; moments of tiles.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "haline/haline.hpp"
#include "support/random.h"

namespace haline::test {
namespace {

template <typename T = float>
Tensor Filled(const Shape &shape, uint64_t seed, float mean = 1) {
  Tensor x(shape, dtype_of<T>());
  Random random(seed);
  for (int64_t i = 0; i < x.size(); i++) x.data<T>()[i] = static_cast<T>(random.Normal() * 2 + mean);
  return x;
}

template <typename T = float>
void ExpectNear(const Tensor &a, const Tensor &b, double tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  for (int64_t i = 0; i < a.size(); i++) {
    ASSERT_LE(std::fabs(static_cast<double>(a.data<T>()[i]) - b.data<T>()[i]), tolerance) << i;
  }
}

TEST(ModuleFormsTest, TrainingUpdatesRunningStatisticsAndEvaluationUsesThem) {
  InstanceNorm norm(3, 1e-3, true, true, 0.5);
  EXPECT_TRUE(norm.training());
  EXPECT_EQ(norm.running_mean(), std::vector<float>(3, 0.f));
  EXPECT_EQ(norm.running_variance(), std::vector<float>(3, 1.f));
  const Tensor x = Filled({2, 3, 100}, 1);
  Tensor y(x.shape());
  const InstanceNorm::Saved saved = norm.forward_train(x, y);
  EXPECT_FALSE(saved.frozen);
  ExpectNear(y, InstanceNorm(3, 1e-3)(x), 0);
  for (size_t c = 0; c < 3; c++) {
    double mean = 0, variance = 0;
    for (int64_t n = 0; n < 2; n++) {
      const int64_t plane = n * 3 + static_cast<int64_t>(c);
      double own = 0, squares = 0;
      for (int64_t i = 0; i < 100; i++) own += x[plane * 100 + i] / 100.0;
      for (int64_t i = 0; i < 100; i++) squares += (x[plane * 100 + i] - own) * (x[plane * 100 + i] - own);
      EXPECT_NEAR(saved.mean.data<double>()[plane], own, 1e-6);
      EXPECT_NEAR(saved.rstd.data<double>()[plane], 1 / std::sqrt(squares / 100 + 1e-3), 1e-6);
      mean += own / 2;
      variance += squares / 99 / 2;
    }
    EXPECT_NEAR(norm.running_mean()[c], 0.5 * mean, 1e-6);
    EXPECT_NEAR(norm.running_variance()[c], 0.5 + 0.5 * variance, 1e-5);
  }
  // A const call changes nothing; evaluation takes the running statistics and changes nothing either.
  const std::vector<float> mean = norm.running_mean(), variance = norm.running_variance();
  norm(x);
  norm.eval();
  EXPECT_FALSE(norm.training());
  const Tensor z = norm(x);
  const InstanceNorm::Saved frozen = norm.forward_train(x, y);
  EXPECT_TRUE(frozen.frozen);
  ExpectNear(y, z, 0);
  EXPECT_EQ(norm.running_mean(), mean);
  EXPECT_EQ(norm.running_variance(), variance);
  for (int64_t i = 0; i < x.size(); i++) {
    const auto c = static_cast<size_t>(i / 100 % 3);
    EXPECT_NEAR(z[i], (x[i] - mean[c]) / std::sqrt(variance[c] + 1e-3), 1e-5);
  }
  norm.train();
  norm.forward_train(x, y);
  EXPECT_NE(norm.running_mean(), mean);
}

TEST(ModuleFormsTest, UntrackedEvaluationIsAsTraining) {
  InstanceNorm norm(3);
  const Tensor x = Filled({2, 3, 50}, 2), y = norm(x);
  EXPECT_TRUE(norm.running_mean().empty());
  norm.eval();
  ExpectNear(norm(x), y, 0);
  EXPECT_THROW(norm.set_running_mean({1, 2, 3}), Error);
}

TEST(ModuleFormsTest, ActivationAndResidual) {
  InstanceNorm norm(3);
  const Tensor x = Filled({2, 3, 70}, 3), residual = Filled({2, 3, 70}, 4, 0), plain = norm(x);
  norm.set_activation(HALINE_LEAKY_RELU, 0.25);
  const Tensor y = norm(x, residual);
  norm.set_activation(HALINE_RELU);
  const Tensor z = norm(x);
  for (int64_t i = 0; i < x.size(); i++) {
    const float sum = plain[i] + residual[i];
    EXPECT_NEAR(y[i], sum > 0 ? sum : 0.25f * sum, 2e-6);
    EXPECT_EQ(z[i], plain[i] > 0 ? plain[i] : 0.f);
  }
  norm.set_activation(HALINE_LEAKY_RELU, std::nan(""));
  EXPECT_THROW(norm(x), Error);
}

// Along a direction, the difference of sum(y * dy) is that which the gradients tell; in double.
TEST(ModuleFormsTest, BackwardIsTheGradient) {
  for (const bool evaluation : {false, true}) {
    for (const bool with_residual : {false, true}) {
      InstanceNorm norm(2, 1e-3, true, true);
      norm.set_scale({1.5f, -0.75f});
      norm.set_shift({0.25f, 0.5f});
      norm.set_activation(HALINE_LEAKY_RELU, 0.25);
      if (evaluation) norm.eval();
      const Shape shape = {2, 2, 40};
      const Tensor x = Filled<double>(shape, 5), dy = Filled<double>(shape, 6, 0), along = Filled<double>(shape, 7, 0),
                   residual = Filled<double>(shape, 8, 0);
      const auto given = with_residual ? std::optional<ConstTensorView>(residual) : std::nullopt;
      Tensor y(shape, dtype_of<double>());
      const InstanceNorm::Saved saved = norm.forward_train(x, y, given);
      const InstanceNorm::Gradients gradients = norm.backward(x, dy, saved, given);
      EXPECT_EQ(gradients.dresidual.has_value(), with_residual);
      const auto loss = [&](double by) {
        Tensor moved = x;
        for (int64_t i = 0; i < x.size(); i++) moved.data<double>()[i] += by * along.data<double>()[i];
        const Tensor result = norm(moved, given);
        double sum = 0;
        for (int64_t i = 0; i < x.size(); i++) sum += result.data<double>()[i] * dy.data<double>()[i];
        return sum;
      };
      double slope = 0, dshift = 0;
      for (int64_t i = 0; i < x.size(); i++) slope += gradients.dx.data<double>()[i] * along.data<double>()[i];
      EXPECT_NEAR((loss(1e-6) - loss(-1e-6)) / 2e-6, slope, 1e-6 * std::max(1.0, std::fabs(slope)));
      for (int64_t i = 0; i < x.size(); i++) {
        const double g = dy.data<double>()[i] * (y.data<double>()[i] > 0 ? 1 : 0.25);
        if (i / 40 % 2 == 0) dshift += g;
        EXPECT_TRUE(!with_residual || gradients.dresidual->data<double>()[i] == g) << i;
      }
      EXPECT_NEAR(gradients.dshift[0], dshift, 1e-5);
      ASSERT_EQ(gradients.dscale.size(), 2u);
    }
  }
}

TEST(ModuleFormsTest, WithoutParametersThereAreNoGradientsOfThem) {
  InstanceNorm norm(2, 1e-5, false);
  const Tensor x = Filled({1, 2, 70}, 9), dy = Filled({1, 2, 70}, 10);
  Tensor y(x.shape());
  const InstanceNorm::Gradients gradients = norm.backward(x, dy, norm.forward_train(x, y));
  EXPECT_TRUE(gradients.dscale.empty() && gradients.dshift.empty() && !gradients.dresidual);
  double sum = 0;
  for (int64_t i = 0; i < 70; i++) sum += gradients.dx[i];
  EXPECT_NEAR(sum, 0, 1e-5);
}

TEST(ModuleFormsTest, TensorsOfDouble) {
  const Tensor x = Filled<double>({2, 3, 90}, 11);
  Tensor y(x.shape(), dtype_of<double>());
  instance_norm(x, y, std::optional<ConstTensorView>{}, std::optional<ConstTensorView>{});
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < 90; i++) mean += x.data<double>()[i] / 90;
  for (int64_t i = 0; i < 90; i++) squares += (x.data<double>()[i] - mean) * (x.data<double>()[i] - mean);
  EXPECT_NEAR(y.data<double>()[0], (x.data<double>()[0] - mean) / std::sqrt(squares / 90 + 1e-5), 1e-13);
  EXPECT_THROW(y.data<float>(), Error);
}

TEST(ModuleFormsTest, MomentsOfTiles) {
  const Tensor x = Filled({2, 3, 200}, 12);
  const auto tile = [&](int64_t from, int64_t to) {
    return moments(ConstTensorView(x.data() + from, {2, 3, to - from}, {600, 200, 1}));
  };
  const Moments whole = merge({tile(0, 70), tile(70, 71), tile(71, 200)});
  EXPECT_EQ(whole.count, 200);
  const Tensor variance = whole.variance(), wanted = InstanceNorm(3)(x);
  Tensor y(x.shape());
  Options options;
  options.given_mean = whole.mean;
  options.given_variance = variance;
  instance_norm(x, y, nullptr, nullptr, options);
  ExpectNear(y, wanted, 4e-6);
  EXPECT_THROW(merge({}), Error);
  EXPECT_THROW(merge({tile(0, 70), moments(Tensor({1, 3, 5}))}), Error);
}

}  // namespace
}  // namespace haline::test

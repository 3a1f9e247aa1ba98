// Statistics that are given to the forward pass, and running ones that it updates.
//
// SPDX-License-Identifier: MIT
#include <limits>

#include "support/form.h"

namespace haline::test {

const int kLeastCases = 1642;

namespace {

const std::vector<Shape> kShapes = {{2, 3}, {2, 3, 7}, {3, 2, 64}, {2, 17, 11, 11}, {2, 70, 3}, {1, 2, 20000}};

class StatisticsTest : public FormTest {};

TEST_P(StatisticsTest, GivenMeanWithRstdOrVariance) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : kShapes) {
      const Typed x(type, shape, 1, 0.5, 2), scale(MathType(type), {shape[1]}, 2, 1, 0.5), residual(type, shape, 6);
      for (const Type given : {Type::kF32, Type::kF64}) {
        for (const Shape &planes : {Shape{shape[1]}, Shape{shape[0], shape[1]}}) {
          const Typed mean(given, planes, 3, 0.5, 0.1), shift(MathType(type), planes, 4);
          Typed variance(given, planes, 5, 4, 0.5), rstd(given, planes);
          for (int64_t i = 0; i < rstd.count(); i++) {
            rstd.Set(i, static_cast<double>(oracle::Rstd(variance.Get(i), 1e-3)));
          }
          for (const bool fused : {false, true}) {
            Form form;
            form.x = &x;
            form.scale = &scale;
            form.shift = &shift;
            form.eps = 1e-3;
            form.given_mean = &mean;
            if (fused) form.residual = &residual, form.activation = HALINE_LEAKY_RELU;
            form.given_variance = &variance;
            Check(form);
            form.given_variance = nullptr;
            form.given_rstd = &rstd;
            const Typed y = Run(form);
            Check(form, y);
            form.eps = 7;  // rstd has it already
            EXPECT_EQ(Run(form).bytes(), y.bytes()) << Describe(form);
            Typed over = x;
            form.x = &over;
            Run(form, &over);
            EXPECT_EQ(over.bytes(), y.bytes()) << Describe(form);
          }
        }
      }
    }
  }
}

TEST_P(StatisticsTest, OwnStatisticsGivenBackGiveTheSameResult) {
  for (const Shape &shape : kShapes) {
    const Typed x(Type::kF32, shape, 1, 100, 2);
    Typed mean(Type::kF64, {shape[0], shape[1]}), rstd = mean;
    Form own, given;
    own.x = given.x = &x;
    own.mean = &mean;
    own.rstd = &rstd;
    const Typed y = Run(own);
    given.given_mean = &mean;
    given.given_rstd = &rstd;
    const Typed z = Run(given);
    for (int64_t i = 0; i < y.count(); i++) {
      ASSERT_LE(std::fabs(y.Get(i) - z.Get(i)), 1e-6 * std::max(1.0, std::fabs(y.Get(i)))) << Describe(own) << ' ' << i;
    }
  }
}

TEST_P(StatisticsTest, NothingGivenOfVarianceIsTheShift) {
  for (const Type type : kFloatTypes) {
    const Typed x(type, {2, 3, 80}, 1), shift(MathType(type), {3}, 2), mean(Type::kF64, {3}, 3), none(Type::kF32, {3});
    Form form;
    form.x = &x;
    form.shift = &shift;
    form.given_mean = &mean;
    for (const bool variance : {false, true}) {
      form.eps = 0;
      form.given_variance = variance ? &none : nullptr;
      form.given_rstd = variance ? nullptr : &none;
      const Typed y = Run(form);
      for (int64_t i = 0; i < y.count(); i++) EXPECT_EQ(y.Get(i), y.Get(i / 80 % 3 * 80)) << Describe(form);
      for (const int64_t c : {0, 1, 2}) EXPECT_EQ(y.Bits(c * 80), ToBits(type, shift.Get(c))) << Describe(form);
    }
  }
}

TEST_P(StatisticsTest, WhatIsNotFiniteStaysWhereItIs) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : std::vector<Shape>{{2, 2, 9}, {2, 2, 600}, {1, 1, 70000}}) {
      const Typed clean(type, shape, 1), mean(Type::kF32, {shape[1]}, 2);
      Typed x = clean, variance(Type::kF64, {shape[1]});
      variance.Fill(2);
      x.Set(1, nan);
      x.Set(3, infinity);
      x.Set(x.count() - 1, -infinity);
      Form form;
      form.data = "not finite";
      form.x = &x;
      form.given_mean = &mean;
      form.given_variance = &variance;
      const Typed y = Run(form);
      Check(form, y);
      form.x = &clean;
      form.data = "";
      const Typed wanted = Run(form);
      for (int64_t i = 0; i < y.count(); i++) {
        if (!std::isfinite(x.Get(i))) continue;
        ASSERT_EQ(y.Bits(i), wanted.Bits(i)) << Describe(form) << " at " << i;
      }
      EXPECT_EQ(y.Bits(1), OneNan(type));
      EXPECT_EQ(y.Get(3), infinity);
      EXPECT_EQ(y.Get(y.count() - 1), -infinity);
    }
  }
}

// Negative infinities stay with given statistics, and ReLU makes them 0.
TEST_P(StatisticsTest, ReluOfMinusInfinityIsZero) {
  for (const Type type : kFloatTypes) {
    Typed x(type, {1, 1, 100}, 1), mean(Type::kF32, {1}), variance = mean;
    variance.Fill(1);
    x.Set(5, -std::numeric_limits<double>::infinity());
    Form form;
    form.data = "-inf";
    form.x = &x;
    form.activation = HALINE_RELU;
    form.given_mean = &mean;
    form.given_variance = &variance;
    EXPECT_EQ(Run(form).Bits(5), 0u) << Describe(form);
  }
}

// running = (1 - momentum) * running + momentum * (mean over the samples), in double, rounded once.
double Updated(double running, double momentum, double sum, int64_t samples) {
  return (1 - momentum) * running + momentum * (sum / static_cast<double>(samples));
}

TEST_P(StatisticsTest, RunningStatisticsAreUpdated) {
  for (const Type type : {Type::kF32, Type::kF64, Type::kF16}) {
    for (const Shape &shape :
         std::vector<Shape>{{1, 3}, {3, 2, 1}, {2, 3, 7}, {4, 5, 8, 9}, {3, 2, 5, 200}, {2, 1, 20000}}) {
      const Typed x(type, shape, 1, 3, 2);
      const int64_t batch = shape[0], channels = shape[1];
      for (const double momentum : {0.0, 0.1, 0.25, 1.0}) {
        for (const bool cut : {false, true}) {
          if (cut && shape.size() < 3) continue;
          Typed lengths(Type::kI32, {batch});
          for (int64_t n = 1; n < batch; n++) lengths.Set(n, static_cast<double>(n == 1 ? 1 : shape.back()));
          for (const Type kept : {Type::kF32, Type::kF64}) {
            Form form;
            form.x = &x;
            form.lengths = cut ? &lengths : nullptr;
            form.momentum = momentum;
            const std::string plain = Run(form).bytes();
            Typed own_mean(Type::kF64, {batch, channels}), mean(kept, {channels}, 5, 1, 1),
                variance(kept, {channels}, 6, 5, 1);
            const Typed old_mean = mean, old_variance = variance;
            form.mean = &own_mean;  // exactly what is averaged
            form.running_mean = &mean;
            form.running_variance = &variance;
            EXPECT_EQ(Run(form).bytes(), plain) << Describe(form);
            for (int64_t c = 0; c < channels; c++) {
              double means = 0, variances = 0;
              int64_t samples = 0;
              for (int64_t n = 0; n < batch; n++) {
                const auto exact = Exactly<oracle::Widest>(form, n * channels + c);
                const auto count = static_cast<double>(exact.count);
                if (exact.count == 0) continue;
                samples++;
                means += own_mean.Get(n * channels + c);
                if (exact.count > 1) variances += static_cast<double>(exact.variance) * (count / (count - 1));
              }
              if (samples == 0) {
                EXPECT_EQ(mean.Bits(c), old_mean.Bits(c)) << Describe(form);
                EXPECT_EQ(variance.Bits(c), old_variance.Bits(c)) << Describe(form);
                continue;
              }
              EXPECT_EQ(mean.Bits(c), ToBits(kept, Updated(old_mean.Get(c), momentum, means, samples)))
                  << Describe(form);
              const double wanted = Updated(old_variance.Get(c), momentum, variances, samples);
              EXPECT_LE(std::fabs(variance.Get(c) - wanted), 6e-7 * std::fabs(wanted)) << Describe(form);
              EXPECT_TRUE(momentum > 0 || variance.Bits(c) == old_variance.Bits(c)) << Describe(form);
            }
            // One of the two alone, apart in memory.
            Typed alone = old_mean.As({3}), other = old_variance.As({-2});
            form.mean = nullptr;
            form.running_mean = &alone;
            form.running_variance = nullptr;
            Run(form);
            EXPECT_EQ(alone.bytes(), mean.bytes()) << Describe(form);
            form.running_mean = nullptr;
            form.running_variance = &other;
            Run(form);
            EXPECT_EQ(other.bytes(), variance.bytes()) << Describe(form);
          }
        }
      }
    }
  }
}

TEST_P(StatisticsTest, ANanMakesItsChannelsRunningStatisticsNan) {
  Typed x(Type::kF32, {2, 3, 40}, 1), mean(Type::kF32, {3}, 2), variance(Type::kF32, {3}, 3, 4, 0.5);
  const Typed old = mean;
  x.Set(4 * 40 + 3, std::numeric_limits<double>::quiet_NaN());  // sample 1, channel 1
  Form form;
  form.data = "a NaN";
  form.x = &x;
  form.running_mean = &mean;
  form.running_variance = &variance;
  Run(form);
  for (const int64_t c : {0, 1, 2}) {
    EXPECT_EQ(std::isnan(mean.Get(c)), c == 1);
    EXPECT_EQ(std::isnan(variance.Get(c)), c == 1);
  }
}

HALINE_ON_EVERY_BACKEND(StatisticsTest);

}  // namespace
}  // namespace haline::test

// Gradients of values that break a careless backward pass: NaN and infinities, constant planes, tiny and huge ones.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "reference/tolerance.h"
#include "support/gradient_test.h"

namespace haline::test {
namespace {

// One size of each path: across planes, sums by 64 and by 128, whole chunks and not, several blocks.
const int64_t kSizes[] = {1, 2, 7, 63, 64, 100, 511, 512, 700, 4099, 20000};

const double kNan = std::nan(""), kInfinity = HUGE_VAL;

class GradientSpecialTest : public GradientTest {
 protected:
  GradientCase MakeCase(Type type, const Shape &shape, const std::string &data) {
    GradientCase c;
    c.data = data;
    c.type = type;
    c.parameters = MathType(type);
    c.shape = shape;
    c.x = NormalValues(type, Count(shape), 1, 0.5, 2);
    c.dy = NormalValues(type, Count(shape), 2, 0.25);
    c.scale = NormalValues(c.parameters, shape[1], 3, 1, 0.5);
    return c;
  }

  void ExpectAllNan(const GradientCase &c, const Bits &dx, int64_t plane) {
    for (int64_t i = plane * c.size(); i < (plane + 1) * c.size(); i++) {
      const uint64_t bits = dx[static_cast<size_t>(i)];
      ASSERT_EQ(bits, OneNan(c.type)) << Describe(c) << ", element " << i << ": " << FromBits(c.type, bits);
    }
  }

  // Bits of the planes and of the channels that are not the poisoned ones: as without the poison.
  void ExpectRestSame(const GradientCase &c, const GradientResult &found, const GradientResult &clean,
                      int64_t poisoned) {
    const int64_t size = c.size();
    for (int64_t i = 0; i < c.planes() * size; i++) {
      if (i / size == poisoned) continue;
      ASSERT_EQ(found.dx[static_cast<size_t>(i)], clean.dx[static_cast<size_t>(i)]) << Describe(c) << ", element " << i;
    }
    for (int64_t channel = 0; channel < c.channels(); channel++) {
      const auto at = static_cast<size_t>(channel);
      if (channel == poisoned % c.channels()) continue;
      EXPECT_EQ(found.dscale[at], clean.dscale[at]) << Describe(c) << ", channel " << channel;
      EXPECT_EQ(found.dshift[at], clean.dshift[at]) << Describe(c) << ", channel " << channel;
    }
  }
};

TEST_P(GradientSpecialTest, NanAndInfinityMakeTheirPlaneNanAndNoOther) {
  for (const Type type : kFloatTypes) {
    for (const int64_t size : kSizes) {
      if (size > (type == Type::kF32 ? 5000 : 600)) continue;
      for (const double bad : {kNan, kInfinity, -kInfinity}) {
        for (const bool in_dy : {false, true}) {
          for (const int64_t at : {int64_t{0}, size / 2, size - 1}) {
            const GradientCase clean = MakeCase(type, {2, 3, size}, "clean");
            GradientCase c = clean;
            const int64_t plane = at % 2 ? 4 : 2;
            (in_dy ? c.dy : c.x)[static_cast<size_t>(plane * size + at)] = bad;
            c.data = std::to_string(bad) + " in " + (in_dy ? "dy" : "x") + " at " + std::to_string(at);
            const GradientResult found = Run(c), wanted = Run(clean);
            if (found.dx.empty() || wanted.dx.empty()) continue;
            ExpectRestSame(c, found, wanted, plane);
            ExpectAllNan(c, found.dx, plane);
            const auto channel = static_cast<size_t>(plane % 3);
            const double dscale = FromBits(c.parameters, found.dscale[channel]),
                         dshift = FromBits(c.parameters, found.dshift[channel]);
            EXPECT_TRUE(std::isinf(dscale) || found.dscale[channel] == OneNan(c.parameters)) << Describe(c);
            if (in_dy) {
              EXPECT_TRUE(std::isinf(dshift) || found.dshift[channel] == OneNan(c.parameters)) << Describe(c);
            } else {
              // The sum of dy: added up in double this time.
              const double sum = FromBits(c.parameters, wanted.dshift[channel]);
              EXPECT_NEAR(dshift, sum, oracle::kBackward * std::max(1., std::fabs(sum))) << Describe(c);
            }
          }
        }
      }
    }
  }
}

// Frozen statistics do not mix elements: dx is not finite where x or dy is not, and as it was everywhere else.
TEST_P(GradientSpecialTest, FrozenPlanesKeepTheirOtherElements) {
  for (const int64_t size : kSizes) {
    for (const double bad : {kNan, kInfinity, -kInfinity}) {
      for (const bool in_dy : {false, true}) {
        GradientCase clean = MakeCase(Type::kF32, {2, 3, size}, "clean");
        clean.mean = {0.5, 0, 1};
        clean.rstd = {0.5, 0.25, 1};
        GradientCase c = clean;
        const auto at = static_cast<size_t>(4 * size + size / 2);
        (in_dy ? c.dy : c.x)[at] = bad;
        c.data = std::to_string(bad) + (in_dy ? " in dy" : " in x");
        const GradientResult found = Run(c), wanted = Run(clean);
        if (found.dx.empty() || wanted.dx.empty()) continue;
        ExpectRestSame(c, found, wanted, 4);
        for (size_t i = 0; i < found.dx.size(); i++) {
          if (i == at) continue;
          ASSERT_EQ(FromBits(c.type, found.dx[i]), FromBits(c.type, wanted.dx[i])) << Describe(c) << ", element " << i;
        }
        EXPECT_TRUE(!in_dy || !std::isfinite(FromBits(c.type, found.dx[at]))) << Describe(c);
        EXPECT_FALSE(std::isfinite(FromBits(c.parameters, found.dscale[1]))) << Describe(c);
      }
    }
  }
}

TEST_P(GradientSpecialTest, ConstantPlanes) {
  for (const Type type : kFloatTypes) {
    for (const int64_t size : kSizes) {
      if (size > (type == Type::kF32 ? 5000 : 600)) continue;
      for (const double value : {0., 1., -0.1, 1e4, 0x1p-14}) {
        for (const double eps : {0., 1e-5, 1.}) {
          for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_RELU}) {
            GradientCase c = MakeCase(type, {2, 2, size}, "constant " + std::to_string(value));
            std::fill(c.x.begin(), c.x.end(), FromBits(type, ToBits(type, value)));
            c.eps = eps;
            c.activation = activation;
            c.shift = {0, 0.5};
            c.statistics = MathType(type);
            const GradientResult found = Run(c);
            if (found.dx.empty()) continue;
            Check(c, found, Tolerance(c));
            if (eps > 0) continue;
            for (const uint64_t dx : found.dx) ASSERT_EQ(FromBits(type, dx), 0) << Describe(c);
          }
        }
      }
    }
  }
}

TEST_P(GradientSpecialTest, HugeAndTinyValues) {
  for (const int64_t size : kSizes) {
    for (const double x : {1e30, 1e-18, 1e-30, 1.}) {
      for (const double dy : {1e30, 1e34, 1e-30, 1.}) {
        for (const double eps : {1e-5, 0.}) {
          if (size < 7) continue;  // of whose gradient little is left but the rounding of rstd
          GradientCase c =
              MakeCase(Type::kF32, {2, 2, size},
                       "times " + std::to_string(std::log10(x)) + " and " + std::to_string(std::log10(dy)));
          for (double &v : c.x) v = static_cast<float>(v * x);
          for (double &v : c.dy) v = static_cast<float>(v * dy);
          c.eps = eps;
          if (eps == 0) c.statistics = Type::kF64;
          Check(c);
        }
      }
    }
  }
}

TEST_P(GradientSpecialTest, TheLargestFloat16) {
  for (const int64_t size : kSizes) {
    for (const double dy : {1., 60000.}) {
      GradientCase c = MakeCase(Type::kF16, {1, 2, size}, "+-65504, dy " + std::to_string(dy));
      for (double &v : c.x) v = v > 0 ? 65504 : -65504;
      for (double &v : c.dy) v = v > 0 ? dy : -dy / 2;
      Check(c);
    }
  }
}

TEST_P(GradientSpecialTest, NothingToDo) {
  for (const Shape &shape : std::vector<Shape>{{0, 3, 5}, {2, 0, 5}, {0, 0}}) {
    GradientCase c = MakeCase(Type::kF32, shape, "nothing");
    try {
      const GradientResult found = test::Run(c, backend());
      EXPECT_TRUE(found.dx.empty());
      for (const uint64_t bits : found.dscale) EXPECT_EQ(bits, 0u) << Describe(c);
      for (const uint64_t bits : found.dshift) EXPECT_EQ(bits, 0u) << Describe(c);
      EXPECT_EQ(static_cast<int64_t>(found.dscale.size()), shape[1]);
    } catch (const std::exception &e) {
      ADD_FAILURE() << Describe(c) << ": " << e.what();
    }
  }
  for (const bool frozen : {false, true}) {
    GradientCase c = MakeCase(Type::kF32, {2, 3, 0}, "planes of nothing");
    if (frozen) {
      c.mean = {1, 2, 3};
      c.rstd = {1, 2, 3};
    }
    try {
      const GradientResult found = test::Run(c, backend());
      EXPECT_EQ(found.dscale, Bits(3, 0));
      EXPECT_EQ(found.dshift, Bits(3, 0));
    } catch (const std::exception &e) {
      ADD_FAILURE() << Describe(c) << ": " << e.what();
    }
  }
}

HALINE_ON_EVERY_BACKEND(GradientSpecialTest);

}  // namespace
}  // namespace haline::test

// Planes of no element and of one, no planes at all, and eps at its ends: each defined, and the same in all forms.
//
// SPDX-License-Identifier: MIT
#include "support/form.h"

namespace haline::test {

const int kLeastCases = 5860;

namespace {

// All tensors that any form wants, for planes of x's shape.
struct Everything {
  Typed x, scale, shift, residual, lengths, given_mean, given_rstd, given_variance;
  Typed mean, rstd, running_mean, running_variance;
  Everything(Type type, const Shape &shape)
      : x(type, shape, 1, 0.5, 2),
        scale(MathType(type), {shape[1]}, 2, 1, 0.5),
        shift(MathType(type), {shape[0], shape[1]}, 3),
        residual(type, shape, 4),
        lengths(Type::kI64, {shape[0]}),
        given_mean(Type::kF32, {shape[1]}, 5),
        given_rstd(Type::kF64, {shape[0], shape[1]}),
        given_variance(Type::kF32, {shape[0], shape[1]}),
        mean(Type::kF32, {shape[0], shape[1]}, 6),
        rstd(Type::kF64, {shape[0], shape[1]}, 7),
        running_mean(Type::kF32, {shape[1]}, 8),
        running_variance(Type::kF64, {shape[1]}, 9) {
    given_rstd.Fill(0.75);
    given_variance.Fill(1.5);
    lengths.Fill(static_cast<double>(shape.back()));
  }
};

class DegenerateTest : public FormTest {
 protected:
  // Calls f(form) for every form on t's tensors.
  template <typename F>
  void ForForms(Everything *t, const F &f) {
    for (int fused = 0; fused < 4; fused++) {
      for (int statistics = 0; statistics < 5; statistics++) {
        Form form;
        form.x = &t->x;
        if (fused > 0) form.scale = &t->scale, form.shift = &t->shift;
        if (fused > 1) form.activation = fused == 2 ? HALINE_RELU : HALINE_LEAKY_RELU;
        if (fused > 2) form.residual = &t->residual;
        if (statistics == 1) form.mean = &t->mean, form.rstd = &t->rstd;
        if (statistics == 2) form.running_mean = &t->running_mean, form.running_variance = &t->running_variance;
        if (statistics == 3) form.given_mean = &t->given_mean, form.given_rstd = &t->given_rstd;
        if (statistics == 4) form.given_mean = &t->given_mean, form.given_variance = &t->given_variance;
        f(form);
        if (t->x.shape().size() == 2) continue;
        form.lengths = &t->lengths;
        f(form);
      }
    }
  }
};

TEST_P(DegenerateTest, PlanesWithoutElementsAndNoPlanes) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape :
         std::vector<Shape>{{2, 3, 0}, {2, 3, 4, 0}, {2, 3, 0, 4}, {0, 3, 5}, {2, 0, 5}, {0, 0, 0}, {0, 3}, {2, 0}}) {
      Everything t(type, shape);
      const std::string running_mean = t.running_mean.bytes(), running_variance = t.running_variance.bytes();
      ForForms(&t, [&](const Form &form) {
        Run(form);
        if (form.mean) {
          for (int64_t i = 0; i < t.mean.count(); i++) {
            EXPECT_EQ(t.mean.Bits(i), 0u) << Describe(form);
            EXPECT_EQ(t.rstd.Bits(i), 0u) << Describe(form);
          }
        }
        EXPECT_EQ(t.running_mean.bytes(), running_mean) << Describe(form);
        EXPECT_EQ(t.running_variance.bytes(), running_variance) << Describe(form);
      });
    }
  }
}

TEST_P(DegenerateTest, PlanesOfOneElementGiveTheirShift) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : std::vector<Shape>{{2, 3}, {2, 3, 1}, {1, 19, 1, 1}, {70, 3, 1}, {2, 3, 1, 1, 1}}) {
      for (const double eps : {0.0, 1e-5, 1e30}) {
        Everything t(type, shape);
        ForForms(&t, [&](Form form) {
          form.eps = eps;
          const Typed y = Run(form);
          Check(form, y);
          if (form.mean) CheckStatistics(form);
          if (form.given_mean || form.residual || form.activation) return;
          for (int64_t i = 0; i < y.count(); i++) {
            EXPECT_EQ(y.Bits(i), ToBits(type, form.Of(form.shift, i, 0))) << Describe(form);
          }
        });
      }
    }
  }
}

TEST_P(DegenerateTest, ConstantPlanesGiveTheirShift) {
  for (const Type type : kFloatTypes) {
    for (const int64_t size : {2, 63, 64, 600, 70000}) {
      for (const double value : {0.0, 0.1, -65504.0}) {
        Everything t(type, {1, 2, size});
        t.x.Fill(value);
        for (const double eps : {0.0, 1e-5, 1e30}) {
          Form form;
          form.data = "constant " + std::to_string(value);
          form.x = &t.x;
          form.scale = &t.scale;
          form.shift = &t.shift;
          form.mean = &t.mean;
          form.rstd = &t.rstd;
          form.eps = eps;
          const Typed y = Run(form);
          for (int64_t i = 0; i < y.count(); i++) {
            ASSERT_EQ(y.Bits(i), ToBits(type, t.shift.Get(i / size))) << Describe(form) << " at " << i;
          }
          for (const int64_t c : {0, 1}) {
            EXPECT_EQ(t.mean.Bits(c), ToBits(Type::kF32, t.x.Get(0))) << Describe(form);
            EXPECT_EQ(t.rstd.Bits(c) == 0, eps == 0) << Describe(form);
          }
          CheckStatistics(form);
        }
      }
    }
  }
}

TEST_P(DegenerateTest, EpsAtItsEnds) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : std::vector<Shape>{{2, 3, 5}, {2, 3, 70}, {1, 2, 30, 30}}) {
      for (const double eps : {0.0, 1e-300, 1.0, 1e30, 1e300}) {
        Everything t(type, shape);
        ForForms(&t, [&](Form form) {
          form.eps = eps;
          Check(form);
          if (form.mean) CheckStatistics(form);
        });
      }
    }
  }
}

// 0 times it is the one NaN, whichever kernel makes it.
TEST_P(DegenerateTest, SlopesThatAreInfiniteAsFloats) {
  for (const int64_t size : {64, 100, 400, 900}) {
    Typed x(Type::kF32, {2, 16, size});
    for (int64_t i = 0; i < x.count(); i++) x.Set(i, i / size % 3 == 0 ? 0 : i % 2 ? 1 : -1);
    Form form;
    form.x = &x;
    form.activation = HALINE_LEAKY_RELU;
    form.negative_slope = 1e300;
    const Typed last = x.As(ChannelsLast(x.shape()));
    const Typed y = Run(form);
    form.x = &last;
    EXPECT_EQ(Run(form).bytes(), y.bytes()) << Describe(form);
    for (int64_t i = 0; i < y.count(); i++) {
      if (x.Get(i) < 0) EXPECT_EQ(y.Get(i), -std::numeric_limits<double>::infinity()) << Describe(form);
      if (x.Get(i) == 0) EXPECT_EQ(y.Bits(i), 0x7fc00000u) << Describe(form);
    }
  }
}

HALINE_ON_EVERY_BACKEND(DegenerateTest);

}  // namespace
}  // namespace haline::test

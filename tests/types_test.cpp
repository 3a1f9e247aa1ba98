// Element types: every bit pattern of the 16-bit ones in and out, rounding to nearest even, the largest values,
// denormals, NaNs, and each type against the oracle.
//
// SPDX-License-Identifier: MIT
#include <limits>

#include "support/form.h"

namespace haline::test {

const int kLeastCases = 666;

namespace {

const std::vector<Shape> kShapes = {{2, 3},      {2, 3, 4},   {2, 5, 7, 9},   {3, 2, 63}, {3, 2, 64}, {2, 17, 11, 11},
                                    {2, 3, 511}, {2, 3, 512}, {1, 4, 37, 41}, {2, 70, 3}, {65, 3, 5}, {1, 2, 70000}};

bool IsNan(Type type, uint64_t bits) { return std::isnan(FromBits(type, bits)); }

class TypesTest : public FormTest {};

TEST_P(TypesTest, AreAccurate) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : kShapes) {
      for (const double offset : {0.0, 300.0}) {
        for (const double deviation : {offset == 0 ? 0.01 : 2.0}) {
          const Typed x(type, shape, 1, offset, deviation), scale(MathType(type), {shape[1]}, 2, 1, 0.5),
              shift(MathType(type), {shape[0], shape[1]}, 3), residual(type, shape, 4);
          Form form;
          form.data = "offset " + std::to_string(offset) + " deviation " + std::to_string(deviation);
          form.x = &x;
          Check(form);
          form.scale = &scale;
          form.shift = &shift;
          Check(form);
          form.residual = &residual;
          form.activation = HALINE_LEAKY_RELU;
          Check(form);
        }
      }
    }
  }
}

// mean 0, variance 1, eps 0: y = x + 0, for each number that there is.
TEST_P(TypesTest, EveryBitPatternPasses) {
  for (const Type type : {Type::kF16, Type::kBF16}) {
    for (const Shape &shape : std::vector<Shape>{{1, 1, 65536}, {256, 256}, {1, 64, 32, 32}, {1, 1, 65536, 1}}) {
      Typed x(type, shape), mean(Type::kF32, {shape[1]}), variance = mean;
      variance.Fill(1);
      for (int64_t i = 0; i < 65536; i++) x.SetBits(i, static_cast<uint64_t>(i));
      Form form;
      form.data = "every bit pattern";
      form.x = &x;
      form.eps = 0;
      form.given_mean = &mean;
      form.given_variance = &variance;
      const Typed y = Run(form);
      for (uint64_t i = 0; i < 65536; i++) {
        const uint64_t wanted = IsNan(type, i) ? OneNan(type) : i == 0x8000u ? 0 : i;
        ASSERT_EQ(y.Bits(static_cast<int64_t>(i)), wanted) << Describe(form) << " of " << i;
      }
    }
  }
}

// Planes of +-1 have mean 0 and variance 1: y is +-scale, exactly, before it is rounded. Scales are all numbers of a
// 16-bit type, those halfway between two, and those just off halfway.
TEST_P(TypesTest, RoundToNearestEven) {
  for (const Type type : {Type::kF16, Type::kBF16}) {
    const uint64_t infinity = type == Type::kF16 ? 0x7c00u : 0x7f80u;
    std::vector<float> numbers;
    for (uint64_t bits = 0; bits < infinity; bits++) {
      const auto low = static_cast<float>(FromBits(type, bits));
      // What would follow the largest, as if the exponents went on.
      const double next = bits + 1 < infinity ? FromBits(type, bits + 1) : 2.0 * low - FromBits(type, bits - 1);
      const auto half = static_cast<float>((low + next) / 2);
      numbers.insert(numbers.end(), {low, half, std::nextafter(half, 0.f), std::nextafter(half, INFINITY)});
    }
    for (const int64_t size : {2, 64}) {       // all in double, and in float
      const int64_t step = size == 2 ? 1 : 7;  // of the numbers in float, one in seven
      const int64_t channels = static_cast<int64_t>(numbers.size()) / step;
      Typed x(type, {1, channels, size}), scale(Type::kF32, {channels});
      for (int64_t c = 0; c < channels; c++) scale.Set(c, numbers[static_cast<size_t>(c * step)]);
      for (int64_t i = 0; i < x.count(); i++) x.Set(i, i % 2 ? -1 : 1);
      Form form;
      form.data = "plus and minus 1";
      form.x = &x;
      form.scale = &scale;
      form.eps = 0;
      const Typed y = Run(form);
      for (int64_t i = 0; i < y.count(); i++) {
        const double exact = i % 2 ? -scale.Get(i / size) : scale.Get(i / size);
        if (exact == 0) continue;  // the sign of a zero
        ASSERT_EQ(y.Bits(i), ToBits(type, exact)) << Describe(form) << " of " << exact;
      }
    }
  }
}

// In double there is more than a float holds: halfway in float is not halfway.
TEST_P(TypesTest, TinyPlanesAreRoundedOnce) {
  for (const Type type : {Type::kF16, Type::kBF16}) {
    Typed x(type, {1, 60000, 2}), scale(Type::kF32, {60000}), shift = scale;
    for (int64_t c = 0; c < 60000; c++) {
      const auto bits = static_cast<uint64_t>(0x3000 + c / 4 % 0x2000);
      const double low = FromBits(type, bits), half = (low + FromBits(type, bits + 1)) / 2;
      scale.Set(c, half);
      shift.Set(c, half * (c % 2 ? 0x1p-30 : -0x1p-30));
      x.Set(2 * c, c / 2 % 2 ? 1 : -1);
      x.Set(2 * c + 1, c / 2 % 2 ? -1 : 1);
    }
    Form form;
    form.data = "plus and minus 1";
    form.x = &x;
    form.scale = &scale;
    form.shift = &shift;
    form.eps = 0;
    const Typed y = Run(form);
    for (int64_t i = 0; i < y.count(); i++) {
      const double exact = x.Get(i) * scale.Get(i / 2) + shift.Get(i / 2);
      ASSERT_EQ(y.Bits(i), ToBits(type, exact)) << Describe(form) << " of " << exact;
    }
  }
}

TEST_P(TypesTest, LargestValues) {
  for (const int64_t size : {2, 4, 62, 64, 600, 70000}) {
    for (const double value : {512.0, 65504.0}) {
      Typed x(Type::kF16, {1, 2, size});
      for (int64_t i = 0; i < x.count(); i++) x.Set(i, i % 2 ? -value : value);
      Form form;
      form.data = "+-" + std::to_string(value);
      form.x = &x;
      const Typed y = Run(form);
      for (int64_t i = 0; i < y.count(); i++) ASSERT_EQ(y.Bits(i), i % 2 ? 0xbc00u : 0x3c00u) << Describe(form);
      x.Set(0, 1);  // one that differs
      form.data += " but one";
      Check(form);
    }
  }
  for (const Type type : {Type::kBF16, Type::kF64, Type::kF32}) {
    const double largest = FromBits(type, type == Type::kBF16  ? 0x7f7f
                                          : type == Type::kF32 ? 0x7f7fffff
                                                               : 0x7fefffffffffffff);
    for (const int64_t size : {4, 62, 64, 600}) {
      Typed x(type, {1, 2, size});
      for (int64_t i = 0; i < x.count(); i++) x.Set(i, i % 2 ? -largest : largest);
      Form form;
      form.data = "largest";
      form.x = &x;
      const Typed y = Run(form);
      for (int64_t i = 0; i < y.count(); i++) ASSERT_EQ(y.Get(i), i % 2 ? -1 : 1) << Describe(form);
    }
  }
}

// With eps 0 what is denormal is as good as anything else.
TEST_P(TypesTest, Denormals) {
  for (const Type type : kFloatTypes) {
    for (const int64_t size : {5, 63, 64, 600, 5000}) {
      Typed x(type, {1, 3, size}, 1);
      for (int64_t i = 0; i < x.count(); i++) x.SetBits(i, static_cast<uint64_t>((i * 7919 + i * i) % 128));
      Form form;
      form.data = "denormals";
      form.x = &x;
      form.eps = 0;
      Check(form);
      form.eps = 1e-5;
      Check(form);
    }
  }
}

TEST_P(TypesTest, NansKeepNoPayload) {
  for (const Type type : kFloatTypes) {
    const uint64_t nan = OneNan(type), sign = uint64_t{1} << (8 * Size(type) - 1);
    const uint64_t quiet = nan & ~(type == Type::kF16    ? 0x7c00u
                                   : type == Type::kBF16 ? 0x7f80u
                                   : type == Type::kF32  ? 0x7f800000u
                                                         : 0x7ff0000000000000u);
    for (const uint64_t bits : {nan, nan | sign, nan | 1, nan | sign | 5, (nan & ~quiet) | 1}) {
      for (const int64_t size : {1, 2, 63, 64, 700, 17000}) {
        Typed x(type, {1, 3, size}, 1);
        x.SetBits(size + size / 2, bits);
        const Typed clean(type, {1, 3, size}, 1);
        Form form;
        form.data = "NaN " + std::to_string(bits);
        form.x = &x;
        const Typed y = Run(form);
        form.x = &clean;
        form.data = "";
        const Typed wanted = Run(form);
        for (int64_t i = 0; i < y.count(); i++) {
          ASSERT_EQ(y.Bits(i), i / size == 1 ? nan : wanted.Bits(i)) << Describe(form) << " at " << i;
        }
      }
    }
  }
}

TEST_P(TypesTest, ScaleAndShiftInEitherType) {
  for (const Type type : {Type::kF16, Type::kBF16}) {
    for (const Shape &shape : kShapes) {
      for (const Shape &planes : {Shape{shape[1]}, Shape{shape[0], shape[1]}}) {
        const Typed x(type, shape, 1, 0.5, 2), scale(type, planes, 2, 1, 0.5), shift(type, planes, 3);
        const Typed wide_scale = scale.As(Type::kF32), wide_shift = shift.As(Type::kF32);
        Form form;
        form.x = &x;
        form.scale = &scale;
        form.shift = &shift;
        const Typed y = Run(form);
        Check(form, y);
        form.scale = &wide_scale;
        EXPECT_EQ(Run(form).bytes(), y.bytes()) << Describe(form);
        form.shift = &wide_shift;
        EXPECT_EQ(Run(form).bytes(), y.bytes()) << Describe(form);
      }
    }
  }
}

HALINE_ON_EVERY_BACKEND(TypesTest);

}  // namespace
}  // namespace haline::test

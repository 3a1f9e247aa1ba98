// Values that break a careless instance norm: NaN and infinities, constant planes, parameters that are not finite.
//
// SPDX-License-Identifier: MIT
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>

#include "support/backends.h"
#include "support/random.h"

namespace haline::test {

const int kLeastCases = 1640;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr uint32_t kNanBits = 0x7fc00000;

// One size of each path: one lane, lanes by 64, by 128, several blocks; whole chunks and not.
const int64_t kSizes[] = {2, 7, 63, 64, 65, 100, 511, 512, 640, 1000, 4099, 70000};

uint32_t Bits(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof(bits));
  return bits;
}

bool AllNan(const float *y, int64_t size) {
  for (int64_t i = 0; i < size; i++) {
    if (Bits(y[i]) != kNanBits) return false;
  }
  return true;
}

class SpecialTest : public BackendTest {
 protected:
  // All of plane `poisoned` is the NaN, and the others have the bytes that they have without the poison.
  void CheckPoisoned(const Case &c, int64_t poisoned) {
    Case clean = c;
    std::fill_n(clean.x.begin() + poisoned * c.size(), c.size(), 0.f);
    for (std::vector<float> *values : {&clean.scale, &clean.shift}) {
      for (float &v : *values) v = std::isfinite(v) ? v : 1.f;
    }
    const std::vector<float> y = Run(c), clean_y = Run(clean);
    ASSERT_EQ(y.size(), clean_y.size());
    for (int64_t p = 0; p < c.planes(); p++) {
      const float *plane = &y[static_cast<size_t>(p * c.size())];
      if (p == poisoned) {
        EXPECT_TRUE(AllNan(plane, c.size())) << Describe(c);
      } else {
        EXPECT_EQ(FirstDifference(plane, &clean_y[static_cast<size_t>(p * c.size())], c.size()), -1)
            << Describe(c) << ", plane " << p;
      }
    }
  }

  // Every element of y is its plane's shift, to the bit.
  void ExpectShift(const Case &c) {
    const std::vector<float> y = Run(c);
    std::vector<float> wanted;
    for (int64_t p = 0; p < c.planes(); p++) wanted.insert(wanted.end(), static_cast<size_t>(c.size()), c.shift_of(p));
    ASSERT_EQ(y.size(), wanted.size());
    const int64_t at = FirstDifference(y.data(), wanted.data(), static_cast<int64_t>(y.size()));
    if (at >= 0) ADD_FAILURE() << Describe(c) << ", element " << at << ": " << y[static_cast<size_t>(at)];
  }
};

TEST_P(SpecialTest, NanAndInfinityStayInTheirPlane) {
  const float minus_nan = -kNan;
  float loud_nan;
  const uint32_t loud_bits = 0xffabcdef;
  std::memcpy(&loud_nan, &loud_bits, sizeof(loud_nan));
  for (const int64_t size : kSizes) {
    for (const float value : {kNan, kInf, -kInf, minus_nan, loud_nan}) {
      for (const int64_t at : {int64_t{0}, int64_t{1}, size / 2, size - 2, size - 1}) {
        for (const bool in_place : {false, true}) {
          Case c{"poisoned by " + std::to_string(Bits(value)) + " at " + std::to_string(at),
                 {2, 3, size},
                 Normals(6 * size, 1)};
          const int64_t plane = at % 2 ? 4 : 2;
          c.x[static_cast<size_t>(plane * size + at)] = value;
          c.scale = {1.f, -2.f, 0.f};
          c.in_place = in_place;
          CheckPoisoned(c, plane);
        }
      }
    }
  }
}

TEST_P(SpecialTest, BothInfinitiesAndNothingElse) {
  for (const int64_t size : kSizes) {
    Case c{"plus and minus infinity", {1, 4, size}, Normals(4 * size, 2)};
    c.x[0] = kInf;
    c.x[1] = -kInf;
    CheckPoisoned(c, 0);
    c.data = "all infinite";
    c.x = Normals(4 * size, 2);
    std::fill(c.x.begin() + size, c.x.begin() + 2 * size, -kInf);
    CheckPoisoned(c, 1);
  }
  CheckPoisoned({"one infinite element", {2, 2}, {1.f, 2.f, kInf, 4.f}}, 2);
  CheckPoisoned({"one NaN element", {2, 2}, {1.f, kNan, 3.f, 4.f}}, 1);
}

TEST_P(SpecialTest, ConstantPlanesGiveExactlyShift) {
  const float values[] = {0.f,        -0.f,    1.f,    0.1f,    -0.1f,    1e7f + 3.14159265f, 3.f * 0x1p-149f,
                          0x1p-149f,  1e-30f,  1e30f,  FLT_MAX, -FLT_MAX, 1.0e-39f,           1.f / 3,
                          16777217.f, -15.94f, FLT_MIN};
  for (const int64_t size : {1, 2, 3, 16, 63, 64, 65, 127, 511, 512, 513, 1000, 65537}) {
    for (const float value : values) {
      for (const double eps : {0.0, 1e-5, 1e-30, 1e30}) {
        Case c{"constant " + std::to_string(Bits(value)),
               {1, 3, size},
               std::vector<float>(static_cast<size_t>(3 * size), value)};
        c.scale = {1.f, 1e6f, 0.f};
        c.shift = {0.1f, -123.456f, FLT_MAX};
        c.eps = eps;
        c.in_place = size % 2 == 0;
        ExpectShift(c);
      }
    }
  }
}

TEST_P(SpecialTest, ScaleAndShiftThatAreNotFinite) {
  for (const int64_t size : kSizes) {
    for (const float bad : {kNan, -kNan}) {
      Case c{std::signbit(bad) ? "-NaN as scale" : "NaN as scale", {1, 4, size}, Normals(4 * size, 3)};
      c.scale = {1.f, bad, 2.f, 3.f};
      CheckPoisoned(c, 1);
      c.data = std::signbit(bad) ? "-NaN as shift" : "NaN as shift";
      c.shift.swap(c.scale);
      CheckPoisoned(c, 1);
    }
    for (const float bad : {kInf, -kInf}) {
      Case c{bad < 0 ? "-inf as scale" : "inf as scale", {1, 4, size}, Normals(4 * size, 3)};
      c.scale = {1.f, 2.f, bad, 3.f};
      Check(c);
      c.data = bad < 0 ? "-inf as shift" : "inf as shift";
      c.shift.swap(c.scale);
      Check(c);
      c.data = bad < 0 ? "-inf as shift, large scale" : "inf as shift, large scale";
      c.scale = {1.f, 2.f, 1e30f, 3.f};
      Check(c);
    }
  }
}

TEST_P(SpecialTest, ScaleOfZeroGivesShift) {
  for (const int64_t size : kSizes) {
    for (const float shift : {1.f, 1e4f, -1e-30f, FLT_MAX}) {
      Case c{"scale 0", {1, 2, size}, Normals(2 * size, 4, 3.f, 100.f)};
      c.scale = {0.f, -0.f};
      c.shift = {shift, -shift};
      ExpectShift(c);
    }
  }
}

HALINE_ON_EVERY_BACKEND(SpecialTest);

}  // namespace
}  // namespace haline::test

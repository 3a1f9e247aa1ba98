// `haline normalize` on .npy files of every type of number, byte order, order of elements and layout: the bytes are
// those of a direct call of the library on the same numbers, laid out as the file has them.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include "haline/haline.hpp"
#include "support/random.h"
#include "tool/child.h"
#include "tool/npy.h"

namespace haline::test {
namespace {

constexpr const char *kNumpyTypes[] = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"};

const char *Computed(const std::string &letters) {
  if (letters[0] == 'f') return letters == "f2" ? "f2" : letters == "f4" ? "f4" : "f8";
  return letters[1] <= '2' ? "f4" : "f8";
}

struct Array {
  Shape shape;                 // [N, C, *]
  std::vector<double> values;  // in C order
};

// Small numbers that every type has, or 0 and 1.
Array Small(const Shape &shape, bool binary = false) {
  Array array{shape, std::vector<double>(static_cast<size_t>(CountOf(shape)))};
  Random random(11);
  for (double &v : array.values) v = static_cast<double>(random.Below(binary ? 2 : 120));
  return array;
}

struct Arrangement {
  bool last = false, fortran = false;

  // Where the file has each element.
  std::vector<size_t> Places(const Shape &shape) const {
    const size_t rank = shape.size();
    std::vector<size_t> of_file(rank);  // dimensions of [N, C, *], the file's outermost first
    for (size_t i = 0; i < rank; i++) of_file[i] = !last || i == 0 ? i : i + 1 < rank ? i + 1 : 1;
    if (fortran) std::reverse(of_file.begin(), of_file.end());
    std::vector<int64_t> at(rank);
    std::vector<size_t> places;
    for (int64_t i = 0; i < CountOf(shape); i++) {
      int64_t rest = i, place = 0;
      for (size_t d = rank; d-- > 0; rest /= shape[d]) at[d] = rest % shape[d];
      for (const size_t d : of_file) place = place * shape[d] + at[d];
      places.push_back(static_cast<size_t>(place));
    }
    return places;
  }

  Shape Of(const Shape &shape) const {
    Shape of_file = shape;
    if (last) std::rotate(of_file.begin() + 1, of_file.begin() + 2, of_file.end());
    return of_file;
  }

  // A file of elements that come in C order of `shape`, each of `size` bytes.
  std::string File(const Shape &shape, const std::string &descr, const std::string &elements) const {
    const std::vector<size_t> places = Places(shape);
    std::string data(elements.size(), '\0');
    const size_t size = places.empty() ? 0 : elements.size() / places.size();
    for (size_t i = 0; i < places.size(); i++) data.replace(places[i] * size, size, elements, i * size, size);
    return RawNpy(NpyDict(Of(shape), descr, fortran), data);
  }
};

class ArraysTest : public ToolTest {
 protected:
  // That x.npy becomes what the library makes of `array` in the type `letters`, arranged as it was.
  void ExpectLibrarysBytes(const Array &array, const std::string &letters, const Arrangement &arrangement,
                           const std::vector<std::string> &more = {}, const Options &options = {}) {
    std::vector<std::string> arguments = {"normalize", "x.npy", "y.npy"};
    if (arrangement.last) arguments.insert(arguments.end(), {"--layout", "channels-last"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = Tool(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out + outcome.err, "");
    const std::string y = NormalizedBytes(letters, array.shape, Elements(array.values, letters), options);
    EXPECT_TRUE(ReadFile(Path("y.npy")) == arrangement.File(array.shape, "<" + letters, y));
  }
};

TEST_F(ArraysTest, EveryTypeByteOrderAndArrangement) {
  int cases = 0;
  for (const std::string letters : kNumpyTypes) {
    const Array array = Small({2, 3, 4, 5}, letters == "b1");
    for (const char order : {'<', '>'}) {
      for (int i = 0; i < 4; i++, cases++) {
        const Arrangement arrangement{i % 2 == 1, i >= 2};
        const std::string descr = (letters[1] == '1' ? '|' : order) + letters;
        SCOPED_TRACE(testing::Message() << descr << " channels last " << arrangement.last << " Fortran "
                                        << arrangement.fortran);
        WriteFile(Path("x.npy"), arrangement.File(array.shape, descr, Elements(array.values, letters, order == '>')));
        ExpectLibrarysBytes(array, Computed(letters), arrangement);
      }
    }
  }
  EXPECT_EQ(cases, 96);
}

TEST_F(ArraysTest, EveryTypeAsEveryOther) {
  const std::pair<const char *, const char *> types[] = {{"float16", "f2"}, {"float32", "f4"}, {"float64", "f8"}};
  for (const std::string letters : kNumpyTypes) {
    const Array array = Small({1, 2, 70}, letters == "b1");
    WriteFile(Path("x.npy"), Arrangement{}.File(array.shape, "<" + letters, Elements(array.values, letters)));
    for (const auto &[name, computed] : types) {
      SCOPED_TRACE(letters + " as " + name);
      ExpectLibrarysBytes(array, computed, {}, {"--dtype", name});
    }
  }
}

TEST_F(ArraysTest, EveryShapeInEveryArrangement) {
  for (const Shape &shape : {Shape{2, 3},
                             {3, 1, 1},
                             {2, 5, 7},
                             {1, 3, 40, 30},
                             {2, 2, 3, 4, 5},
                             {1, 2, 2, 3, 2, 3},
                             {0, 3, 4},
                             {2, 3, 0, 2},
                             {2, 0, 3},
                             {1, 2, 65537}}) {
    const Array array = Small(shape);
    for (int i = 0; i < 4; i++) {
      const Arrangement arrangement{i % 2 == 1, i >= 2};
      SCOPED_TRACE(testing::Message() << NpyDict(arrangement.Of(shape), "<f4", arrangement.fortran));
      WriteFile(Path("x.npy"), arrangement.File(shape, "<f4", Elements(array.values, "f4")));
      ExpectLibrarysBytes(array, "f4", arrangement);
    }
  }
}

// Rounded once, to nearest even: float64 to 16 bits too, not by way of float32.
TEST_F(ArraysTest, NumbersAreRoundedOnce) {
  const Array array{
      {1, 1, 9},
      {1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-11, 1 + 0x3p-11, -0x1p-25, 0x1p-25 + 0x1p-60, 65504, 65519.99, -0.1, 3}};
  WriteFile(Path("x.npy"), Arrangement{}.File(array.shape, "<f8", Elements(array.values, "f8")));
  ExpectLibrarysBytes(array, "f2", {}, {"--dtype", "float16"});
  ExpectLibrarysBytes(array, "f4", {}, {"--dtype", "float32"});
}

// float64 has every 32-bit integer, float32 has not.
TEST_F(ArraysTest, WideIntegersKeepTheirValues) {
  const Array signed_ones{{1, 1, 5}, {-0x1p31, 0x1p31 - 1, 0x1p24 + 1, -0x1p24 - 1, 0}};
  const Array unsigned_ones{{1, 1, 4}, {0x1p32 - 1, 0x1p32 - 2, 0x1p24 + 1, 0}};
  for (const std::string letters : {"i4", "i8"}) {
    WriteFile(Path("x.npy"),
              Arrangement{}.File(signed_ones.shape, ">" + letters, Elements(signed_ones.values, letters, true)));
    ExpectLibrarysBytes(signed_ones, "f8", {});
    ExpectLibrarysBytes(signed_ones, "f4", {}, {"--dtype", "float32"});
  }
  for (const std::string letters : {"u4", "u8"}) {
    WriteFile(Path("x.npy"),
              Arrangement{}.File(unsigned_ones.shape, "<" + letters, Elements(unsigned_ones.values, letters)));
    ExpectLibrarysBytes(unsigned_ones, "f8", {});
    ExpectLibrarysBytes(unsigned_ones, "f4", {}, {"--dtype", "float32"});
  }
  WriteFile(Path("x.npy"), RawNpy(NpyDict({1, 1, 2}, "<u8"), std::string(8, '\xff') + std::string(8, '\0')));
  ExpectLibrarysBytes({{1, 1, 2}, {0x1p64, 0}}, "f8", {});
}

TEST_F(ArraysTest, SpecialValuesAreTheLibrarys) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Array array{{1, 4, 3}, {1, inf, 2, 1, nan, 2, 3, 3, 3, -0.0, 0x1p-24, 65504}};
  for (const std::string letters : {"f2", "f4", "f8"}) {
    WriteFile(Path("x.npy"), Arrangement{}.File(array.shape, ">" + letters, Elements(array.values, letters, true)));
    ExpectLibrarysBytes(array, letters, {});
    for (const auto &[name, computed] : {std::pair("float16", "f2"), {"float64", "f8"}}) {
      ExpectLibrarysBytes(array, computed, {}, {"--dtype", name});
    }
  }
}

TEST_F(ArraysTest, NumbersTooLargeForTheTypeAreRefused) {
  const std::tuple<double, const char *, const char *, const char *> cases[] = {
      {65520, "f4", "float16", "float32 numbers beyond the largest float16"},
      {-1e5, "i4", "float16", "int32 numbers beyond the largest float16"},
      {65535, "u2", "float16", "uint16 numbers beyond the largest float16"},
      {1e39, "f8", "float32", "float64 numbers beyond the largest float32"}};
  for (const auto &[value, letters, dtype, message] : cases) {
    WriteFile(Path("x.npy"), RawNpy(NpyDict({1, 1, 2}, std::string("<") + letters), Elements({1, value}, letters)));
    ExpectRefused({"normalize", "x.npy", "y.npy", "--dtype", dtype}, 1, std::string("haline: x.npy: ") + message);
  }
}

TEST_F(ArraysTest, Activations) {
  const Array array = Small({2, 3, 50});
  WriteFile(Path("x.npy"), Arrangement{}.File(array.shape, "<f4", Elements(array.values, "f4")));
  const struct {
    const char *argument;
    haline_activation activation;
    double slope;
  } cases[] = {{"none", HALINE_NO_ACTIVATION, 0.01},         {"relu", HALINE_RELU, 0.01},
               {"leaky_relu", HALINE_LEAKY_RELU, 0.01},      {"leaky_relu:0.2", HALINE_LEAKY_RELU, 0.2},
               {"leaky_relu:-1.5", HALINE_LEAKY_RELU, -1.5}, {"leaky_relu:0", HALINE_LEAKY_RELU, 0}};
  std::vector<std::string> results;
  for (const auto &c : cases) {
    SCOPED_TRACE(c.argument);
    Options options;
    options.activation = c.activation;
    options.negative_slope = c.slope;
    ExpectLibrarysBytes(array, "f4", {}, {"--activation", c.argument}, options);
    results.push_back(ReadFile(Path("y.npy")));
  }
  EXPECT_EQ(std::set<std::string>(results.begin(), results.end()).size(), 5u) << "relu is leaky_relu:0";
}

TEST_F(ArraysTest, ScaleAndShiftAreAsPreciseAsTheType) {
  const Array array = Small({1, 2, 30});
  const std::vector<double> scale = {0.1, -3}, shift = {1e300, 0.3};
  WriteFile(Path("x.npy"), Arrangement{}.File(array.shape, "<f8", Elements(array.values, "f8")));
  WriteFile(Path("scale.npy"), RawNpy(NpyDict({2}, ">f8"), Elements(scale, "f8", true)));
  ASSERT_EQ(Tool({"normalize", "x.npy", "y.npy", "--scale", "@scale.npy", "--shift", "1e300,0.3"}).code, 0);
  std::string y = Elements(array.values, "f8");
  const TensorView view(y.data(), dtype_of<double>(), array.shape);
  instance_norm(view, view, ConstTensorView(scale.data(), Shape{2}), ConstTensorView(shift.data(), Shape{2}));
  EXPECT_TRUE(ReadFile(Path("y.npy")) == RawNpy(NpyDict(array.shape, "<f8"), y));

  WriteFile(Path("scale.npy"), RawNpy(NpyDict({2}, "|i1"), Elements({2, -3}, "i1")));
  ASSERT_EQ(Tool({"normalize", "x.npy", "y.npy", "--scale", "@scale.npy", "--dtype", "float32"}).code, 0);
  const std::vector<float> x(array.values.begin(), array.values.end());
  EXPECT_TRUE(ReadFile(Path("y.npy")) == Npy(array.shape, Normalized(array.shape, x, {2, -3})));
}

TEST_F(ArraysTest, WhatStridesCannotExpressIsRefusedByName) {
  const Shape shape = {1, 2, 2, 3, 2, 3, 2};
  WriteFile(Path("x.npy"), RawNpy(NpyDict(shape, "<f4", true), Elements(Small(shape).values, "f4")));
  ExpectRefused({"normalize", "x.npy", "y.npy"}, 1, "haline: x.npy: strides found");
}

TEST_F(ArraysTest, NothingMayHaveAnyExtents) {
  const Shape shape = {0, INT64_MAX, INT64_MAX, 2};
  for (const bool fortran : {false, true}) {
    const std::string file = RawNpy(NpyDict(shape, "<f2", fortran), "");
    WriteFile(Path("x.npy"), file);
    for (const char *layout : {"channels-first", "channels-last"}) {
      const Outcome outcome = Tool({"normalize", "x.npy", "y.npy", "--layout", layout});
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      EXPECT_EQ(ReadFile(Path("y.npy")), file);
    }
  }
}

}  // namespace
}  // namespace haline::test

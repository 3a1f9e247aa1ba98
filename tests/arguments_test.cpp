// Bad input in every argument of the forward pass's forms: a status, a message that names the argument, what was found
// and what was wanted, and nothing written.
//
// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstring>

#include "support/backends.h"
#include "support/status.h"
#include "support/typed.h"

namespace haline::test {

const int kLeastCases = 0;  // these tests are about calls that do not compute

namespace {

using Parts = std::vector<std::string>;

class ArgumentsTest : public testing::Test {
 protected:
  haline_status Call() { return haline_instance_norm(x_.t(), scale_.t(), shift_.t(), y_.t(), &options_); }

  std::string Everything() const {
    std::string bytes;
    for (const Typed *t : {&x_, &y_, &scale_, &shift_, &residual_, &mean_, &rstd_, &running_}) bytes += t->bytes();
    return bytes;
  }

  void ExpectRefused(haline_status status, const Parts &parts) {
    const std::string before = Everything();
    ExpectFailure(Call(), status, parts);
    EXPECT_EQ(Everything(), before) << "something was written";
    options_ = HALINE_OPTIONS_INIT;
  }

  void TearDown() override {
    options_ = HALINE_OPTIONS_INIT;
    options_.residual = residual_.t();
    options_.mean = mean_.t();
    options_.rstd = rstd_.t();
    options_.lengths = lengths_.t();
    options_.activation = HALINE_LEAKY_RELU;
    options_.running_mean = running_.t();
    EXPECT_EQ(Call(), HALINE_OK) << "the right call must work, or these tests mean nothing: " << haline_error_message();
  }

  Typed x_{Type::kF32, {2, 3, 4, 5}, 1}, y_{Type::kF32, {2, 3, 4, 5}, 2}, scale_{Type::kF32, {3}, 3},
      shift_{Type::kF32, {2, 3}, 4}, residual_{Type::kF32, {2, 3, 4, 5}, 5}, mean_{Type::kF32, {2, 3}, 6},
      rstd_{Type::kF64, {2, 3}, 7}, running_{Type::kF32, {3}, 8}, lengths_{Type::kI32, {2}};
  haline_options options_ = HALINE_OPTIONS_INIT;
};

TEST_F(ArgumentsTest, Lengths) {
  for (const double bad : {-1.0, 6.0, -2147483648.0, 2147483647.0}) {
    Typed lengths(Type::kI32, {2});
    lengths.Set(1, bad);
    options_.lengths = lengths.t();
    ExpectRefused(HALINE_INVALID_ARGUMENT,
                  {"lengths: " + std::to_string(static_cast<int64_t>(bad)) + " found at 1", "0 to 5", "wanted"});
  }
  Typed wide(Type::kI64, {2});
  wide.Set(0, 0x1p40);
  options_.lengths = wide.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"lengths: 1099511627776 found at 0", "0 to 5", "wanted"});
  const Typed floats(Type::kF32, {2});
  options_.lengths = floats.t();
  ExpectRefused(HALINE_UNSUPPORTED, {"lengths: ", "found", "int32 or int64 wanted"});
  for (const Shape &shape : std::vector<Shape>{{3}, {1}, {2, 1}, {}}) {
    const Typed lengths(Type::kI32, shape);
    options_.lengths = lengths.t();
    ExpectRefused(HALINE_INVALID_ARGUMENT, {"lengths: shape " + Text(shape) + " found", "[2]", "wanted"});
  }
  haline_tensor nowhere = *lengths_.t();
  nowhere.data = nullptr;
  options_.lengths = &nowhere;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"lengths: null data found"});
  const Typed x(Type::kF32, {2, 3});
  Typed y(Type::kF32, {2, 3}, 1);
  const std::string before = y.bytes();
  options_.lengths = lengths_.t();
  ExpectFailure(haline_instance_norm(x.t(), nullptr, nullptr, y.t(), &options_), HALINE_INVALID_ARGUMENT,
                {"lengths: x of rank 2 found", "3 and up wanted"});
  EXPECT_EQ(y.bytes(), before);
}

TEST_F(ArgumentsTest, Activation) {
  for (const double slope : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    options_.activation = HALINE_LEAKY_RELU;
    options_.negative_slope = slope;
    ExpectRefused(HALINE_INVALID_ARGUMENT, {"negative_slope: ", "found", "a finite number wanted"});
  }
  for (const int unknown : {3, -1, 1000}) {
    std::memcpy(&options_.activation, &unknown, sizeof(unknown));
    ExpectRefused(HALINE_INVALID_ARGUMENT, {"activation: " + std::to_string(unknown) + " found", "wanted"});
  }
}

TEST_F(ArgumentsTest, Residual) {
  for (const Shape &shape : std::vector<Shape>{{2, 3, 4}, {2, 3, 5, 4}, {1, 3, 4, 5}, {3}}) {
    const Typed residual(Type::kF32, shape);
    options_.residual = residual.t();
    ExpectRefused(HALINE_INVALID_ARGUMENT, {"residual: shape " + Text(shape) + " found", "[2, 3, 4, 5]", "wanted"});
  }
  for (const Type type : {Type::kF16, Type::kBF16, Type::kF64}) {
    const Typed residual(type, x_.shape());
    options_.residual = residual.t();
    ExpectRefused(HALINE_INVALID_ARGUMENT,
                  {std::string("residual: ") + Name(type) + " elements found", "float32", "wanted"});
  }
  haline_tensor apart = *y_.t();  // y, one element on
  apart.byte_offset = 4;
  options_.residual = &apart;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"y: memory that overlaps residual in part found", "wanted"});
}

TEST_F(ArgumentsTest, TypesThatMakeNoSense) {
  const struct {
    Type x, other;
  } pairs[] = {{Type::kF32, Type::kF16}, {Type::kF32, Type::kF64},  {Type::kF16, Type::kBF16},
               {Type::kF16, Type::kF64}, {Type::kBF16, Type::kF16}, {Type::kF64, Type::kF32},
               {Type::kF64, Type::kF16}, {Type::kF32, Type::kI32}};
  for (const auto &pair : pairs) {
    x_ = Typed(pair.x, x_.shape(), 1);
    y_ = Typed(pair.other, x_.shape());
    const bool integer = pair.other == Type::kI32;
    ExpectRefused(integer ? HALINE_UNSUPPORTED : HALINE_INVALID_ARGUMENT,
                  {std::string("y: ") + Name(pair.other) + " elements found", Name(pair.x), "wanted"});
    y_ = Typed(pair.x, x_.shape(), 2);
    scale_ = Typed(pair.other, {3}, 3);
    shift_ = Typed(pair.x, {2, 3}, 3);
    ExpectRefused(HALINE_UNSUPPORTED,
                  {std::string("scale: ") + Name(pair.other) + " elements found", Name(pair.x), "wanted"});
    scale_ = Typed(pair.x, {3}, 3);
    shift_ = Typed(pair.other, {2, 3}, 3);
    ExpectRefused(HALINE_UNSUPPORTED,
                  {std::string("shift: ") + Name(pair.other) + " elements found", Name(pair.x), "wanted"});
    shift_ = Typed(pair.x, {2, 3}, 3);
    mean_ = Typed(Type::kF16, {2, 3}, 4);
    options_.mean = mean_.t();
    ExpectRefused(HALINE_UNSUPPORTED, {"mean: float16 elements found", "float32 or float64 wanted"});
    mean_ = Typed(Type::kF32, {2, 3}, 4);
  }
  x_ = Typed(Type::kF32, x_.shape(), 1);
  y_ = Typed(Type::kF32, x_.shape(), 1);
  for (haline_dtype odd : {haline_dtype{HALINE_UINT, 16, 1}, haline_dtype{HALINE_BFLOAT, 32, 1},
                           haline_dtype{HALINE_FLOAT, 8, 1}, haline_dtype{HALINE_FLOAT, 16, 2}}) {
    x_.t()->dtype = odd;
    ExpectRefused(HALINE_UNSUPPORTED, {"x: ", "found", "float32, float16, bfloat16 or float64 wanted"});
  }
  x_ = Typed(Type::kF32, x_.shape(), 1);
  scale_ = Typed(Type::kF32, {3}, 3);
  shift_ = Typed(Type::kF32, {2, 3}, 3);
}

TEST_F(ArgumentsTest, ShapesOfStatistics) {
  const struct {
    const char *name;
    haline_tensor *haline_options::*member;
    Shape bad;
    const char *wanted;
  } cases[] = {{"mean", &haline_options::mean, {3}, "[2, 3]"},
               {"mean", &haline_options::mean, {3, 2}, "[2, 3]"},
               {"rstd", &haline_options::rstd, {2, 3, 1}, "[2, 3]"},
               {"rstd", &haline_options::rstd, {}, "[2, 3]"},
               {"running_mean", &haline_options::running_mean, {2, 3}, "[3]"},
               {"running_mean", &haline_options::running_mean, {2}, "[3]"},
               {"running_variance", &haline_options::running_variance, {6}, "[3]"}};
  for (const auto &c : cases) {
    Typed bad(Type::kF32, c.bad, 1);
    const std::string before = bad.bytes();
    options_.*c.member = bad.t();
    ExpectRefused(HALINE_INVALID_ARGUMENT,
                  {std::string(c.name) + ": shape " + Text(c.bad) + " found", c.wanted, "wanted"});
    EXPECT_EQ(bad.bytes(), before);
    Typed half(Type::kBF16, c.bad, 1);
    options_.*c.member = half.t();
    ExpectRefused(HALINE_UNSUPPORTED, {std::string(c.name) + ": bfloat16 elements found", "float32 or float64 wanted"});
  }
}

TEST_F(ArgumentsTest, GivenStatistics) {
  const Typed given(Type::kF32, {3}, 1), bad(Type::kF32, {2}, 1);
  options_.given_count = 5;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_count: 5 found without given_variance", "wanted"});
  options_.given_mean = options_.given_rstd = given.t();
  options_.given_count = 5;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_count: 5 found without given_variance", "wanted"});
  options_.given_mean = options_.given_variance = given.t();
  options_.given_count = -1;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_count: -1 found with given_variance", "0 and up", "wanted"});
  options_.given_mean = given.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_mean: a tensor found with neither other", "given_rstd", "wanted"});
  options_.given_rstd = given.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_mean: null found", "wanted"});
  options_.given_variance = given.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_mean: null found", "wanted"});
  options_.given_mean = options_.given_rstd = options_.given_variance = given.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_mean: a tensor found with both others", "wanted"});
  for (haline_tensor *haline_options::*own : {&haline_options::mean, &haline_options::rstd}) {
    options_.given_mean = options_.given_variance = given.t();
    options_.*own = mean_.t();
    ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_mean: statistics given and asked for found", "one of them wanted"});
  }
  options_.given_mean = options_.given_variance = given.t();
  options_.running_variance = running_.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_mean: statistics given and asked for found", "one of them wanted"});
  options_.given_mean = bad.t();
  options_.given_rstd = given.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_mean: shape [2] found", "[3] or [2, 3]", "wanted"});
  options_.given_mean = given.t();
  options_.given_variance = bad.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"given_variance: shape [2] found", "[3] or [2, 3]", "wanted"});
}

TEST_F(ArgumentsTest, Momentum) {
  for (const double momentum : {-0.1, 1.0001, std::nan(""), HUGE_VAL}) {
    options_.running_mean = running_.t();
    options_.momentum = momentum;
    ExpectRefused(HALINE_INVALID_ARGUMENT, {"momentum: ", "found", "0 to 1 wanted"});
  }
}

TEST_F(ArgumentsTest, ResultsThatShareMemory) {
  haline_tensor part = *y_.t();
  int64_t shape[] = {2, 3};
  part.ndim = 2;
  part.shape = shape;
  for (haline_tensor *haline_options::*member : {&haline_options::mean, &haline_options::rstd}) {
    for (const Typed *other : {static_cast<const Typed *>(&x_), static_cast<const Typed *>(&y_)}) {
      part.data = other->t()->data;
      options_.*member = &part;
      ExpectRefused(HALINE_INVALID_ARGUMENT, {member == &haline_options::mean ? "mean" : "rstd",
                                              "memory that overlaps ", other == &x_ ? "x found" : "y found", "wanted"});
    }
  }
  options_.mean = options_.rstd = mean_.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"rstd: memory that overlaps mean found", "memory of its own wanted"});
  options_.running_mean = options_.running_variance = running_.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"running_variance: memory that overlaps running_mean found"});
  options_.running_mean = scale_.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"running_mean: memory that overlaps scale found"});
}

TEST_F(ArgumentsTest, ResultsThatRepeatThemselves) {
  Typed y(Type::kF32, x_.shape(), 1, 0, 1, {0, 20, 5, 1}), mean(Type::kF32, {2, 3}, 1, 0, 1, {3, 0});
  const std::string before = y.bytes() + mean.bytes();
  ExpectFailure(haline_instance_norm(x_.t(), nullptr, nullptr, y.t(), nullptr), HALINE_INVALID_ARGUMENT,
                {"y: a stride of 0 found", "wanted"});
  options_.mean = mean.t();
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"mean: a stride of 0 found", "wanted"});
  EXPECT_EQ(y.bytes() + mean.bytes(), before);
}

// In place means the same strides, too.
TEST_F(ArgumentsTest, OverXWithOtherStrides) {
  Typed square(Type::kF32, {1, 1, 6, 6}, 1);
  haline_tensor transposed = *square.t();
  int64_t strides[] = {36, 36, 1, 6};
  transposed.strides = strides;
  const std::string before = square.bytes();
  ExpectFailure(haline_instance_norm(square.t(), nullptr, nullptr, &transposed, nullptr), HALINE_INVALID_ARGUMENT,
                {"y: memory that overlaps x in part found", "x itself or none of it wanted"});
  EXPECT_EQ(square.bytes(), before);
}

}  // namespace
}  // namespace haline::test

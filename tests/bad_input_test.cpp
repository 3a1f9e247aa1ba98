// Whatever is wrong with a call is told by a status and by a message that names the argument, what was found and what
// was wanted; and nothing is written.
//
// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>

#include "support/status.h"

namespace haline::test {
namespace {

constexpr float kUntouched = -77.25f;
constexpr int64_t kHuge = int64_t{1} << 40;

class BadInputTest : public testing::Test {
 protected:
  haline_status Call() { return haline_instance_norm(&x_.t, &scale_.t, &shift_.t, &y_.t, &options_); }

  void ExpectRefused(haline_status status, const std::vector<std::string> &parts) {
    const std::vector<float> x = x_.values;
    ExpectFailure(Call(), status, parts);
    for (const float v : y_.values) EXPECT_EQ(v, kUntouched);
    EXPECT_EQ(x_.values, x);
  }

  void TearDown() override {
    EXPECT_EQ(calls_that_work_, 1) << "the unchanged call must work, or these tests mean nothing";
  }

  void SetUp() override {
    OwnedTensor x({2, 3, 4, 5}, 1.f), y({2, 3, 4, 5}, kUntouched), scale({3}, 2.f), shift({3}, 0.5f);
    calls_that_work_ +=
        haline_instance_norm(&x.t, &scale.t, &shift.t, &y.t, &options_) == HALINE_OK && y.values[0] == 0.5f;
  }

  OwnedTensor x_{{2, 3, 4, 5}, 1.f}, y_{{2, 3, 4, 5}, kUntouched}, scale_{{3}, 2.f}, shift_{{3}, 0.5f};
  haline_options options_ = HALINE_OPTIONS_INIT;
  int calls_that_work_ = 0;
};

TEST_F(BadInputTest, NullTensors) {
  ExpectFailure(haline_instance_norm(nullptr, nullptr, nullptr, &y_.t, nullptr), HALINE_INVALID_ARGUMENT,
                {"x", "null found", "a tensor wanted"});
  ExpectFailure(haline_instance_norm(&x_.t, nullptr, nullptr, nullptr, nullptr), HALINE_INVALID_ARGUMENT,
                {"y", "null found", "a tensor wanted"});
  for (const float v : y_.values) EXPECT_EQ(v, kUntouched);
}

TEST_F(BadInputTest, Rank) {
  x_.t.ndim = y_.t.ndim = 1;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"x: rank 1 found", "2 and up wanted"});
  x_.t.ndim = y_.t.ndim = 0;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"x: rank 0 found", "2 and up wanted"});
  x_.t.ndim = -1;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"x: -1 dimensions"});
}

TEST_F(BadInputTest, NullShape) {
  x_.t.shape = nullptr;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"x: 4 dimensions", "null shape found"});
}

TEST_F(BadInputTest, ShapesOfXAndY) {
  y_.t.ndim = 3;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"y: shape [2, 3, 4] found", "[2, 3, 4, 5]", "wanted"});
  y_.t.ndim = 4;
  y_.shape[3] = 4;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"y: shape [2, 3, 4, 4] found", "[2, 3, 4, 5]", "wanted"});
}

TEST_F(BadInputTest, NegativeExtent) {
  x_.shape[2] = y_.shape[2] = -4;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"x: shape [2, 3, -4, 5] found", "0 and up wanted"});
}

TEST_F(BadInputTest, ExtentsThatOverflow) {
  x_.shape[0] = y_.shape[0] = kHuge;
  x_.shape[3] = y_.shape[3] = kHuge;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"x: shape [1099511627776, 3, 4, 1099511627776] found", "no memory"});
}

TEST_F(BadInputTest, PlaneTooLarge) {
  x_.shape[2] = y_.shape[2] = int64_t{1} << 31;
  x_.shape[3] = y_.shape[3] = 1;
  ExpectRefused(HALINE_UNSUPPORTED, {"x: planes of shape [2147483648, 1] found", "at most 2147483647 elements wanted"});
}

TEST_F(BadInputTest, ChannelsOfScaleAndShift) {
  scale_.shape[0] = 2;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"scale: shape [2] found", "[3]", "wanted"});
  scale_.shape[0] = 3;
  shift_.shape[0] = 1;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"shift: shape [1] found", "[3]", "wanted"});
  shift_.t.ndim = 0;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"shift: shape [] found", "[3]", "wanted"});
}

TEST_F(BadInputTest, DataTypes) {
  for (OwnedTensor *tensor : {&x_, &scale_, &shift_, &y_}) {
    const std::string name = tensor == &x_ ? "x" : tensor == &y_ ? "y" : tensor == &scale_ ? "scale" : "shift";
    const std::string wanted = "float32, float16, bfloat16 or float64 wanted";
    tensor->t.dtype = {HALINE_INT, 32, 1};
    ExpectRefused(HALINE_UNSUPPORTED, {name + ": int32 elements found", wanted});
    tensor->t.dtype = {HALINE_UINT, 8, 1};
    ExpectRefused(HALINE_UNSUPPORTED, {name + ": uint8 elements found", wanted});
    tensor->t.dtype = {HALINE_FLOAT, 32, 4};
    ExpectRefused(HALINE_UNSUPPORTED, {name + ": float32x4 elements found", wanted});
    tensor->t.dtype = {5, 64, 1};  // kDLComplex
    ExpectRefused(HALINE_UNSUPPORTED, {name + ": type code 5 with 64 bits elements found", wanted});
    tensor->t.dtype = {HALINE_FLOAT, 32, 1};
  }
  y_.t.dtype = {HALINE_FLOAT, 16, 1};
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"y: float16 elements found", "float32 (the type of x) wanted"});
  y_.t.dtype = {HALINE_FLOAT, 32, 1};
  scale_.t.dtype = {HALINE_BFLOAT, 16, 1};
  ExpectRefused(HALINE_UNSUPPORTED, {"scale: bfloat16 elements found", "float32 wanted, as x has float32"});
}

TEST_F(BadInputTest, Devices) {
  for (OwnedTensor *tensor : {&x_, &scale_, &shift_, &y_}) {
    tensor->t.device.type = 3;  // kDLCUDAHost
    ExpectRefused(HALINE_UNSUPPORTED, {"device type 3 found", "1 (CPU)", "wanted"});
    tensor->t.device.type = HALINE_CPU;
  }
}

TEST_F(BadInputTest, NullData) {
  for (OwnedTensor *tensor : {&x_, &scale_, &shift_, &y_}) {
    void *const data = tensor->t.data;
    tensor->t.data = nullptr;
    ExpectRefused(HALINE_INVALID_ARGUMENT,
                  {"null data found", std::to_string(tensor->values.size()) + " elements wanted"});
    tensor->t.data = data;
  }
}

TEST_F(BadInputTest, Alignment) {
  x_.t.byte_offset = 2;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"x: data that is not aligned to 4 bytes found", "wanted"});
  x_.t.byte_offset = 0;
  y_.t.data = reinterpret_cast<char *>(y_.values.data()) + 1;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"y: data that is not aligned to 4 bytes found", "wanted"});
}

TEST_F(BadInputTest, Eps) {
  for (const double eps : {-1e-5, -1e300, std::nan(""), std::numeric_limits<double>::infinity()}) {
    options_.eps = eps;
    ExpectRefused(HALINE_INVALID_ARGUMENT, {"eps: ", " found", "0 and up wanted"});
  }
}

TEST_F(BadInputTest, Strides) {
  y_.set_strides({60, 20, 0, 1});
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"y: a stride of 0 found", "a place for each element wanted"});
}

TEST_F(BadInputTest, OverlapInPart) {
  std::vector<float> memory(400, kUntouched);
  x_.t.data = memory.data() + 100;
  for (const int first : {0, 99, 101, 219}) {
    y_.t.data = memory.data() + first;
    ExpectRefused(HALINE_INVALID_ARGUMENT,
                  {"y: memory that overlaps x in part found", "x itself or none of it wanted"});
  }
  y_.t.data = memory.data() + 200;
  x_.t.data = x_.values.data();
  scale_.t.data = memory.data() + 198;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"y: memory that overlaps scale found"});
  scale_.t.data = scale_.values.data();
  shift_.t.data = memory.data() + 319;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"y: memory that overlaps shift found"});
  for (const float v : memory) EXPECT_EQ(v, kUntouched);
  shift_.t.data = memory.data() + 320;  // side by side is fine
  EXPECT_EQ(Call(), HALINE_OK) << haline_error_message();
}

TEST_F(BadInputTest, OptionsOfNoKnownSize) {
  options_.size = 0;
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"options: size 0 found", "HALINE_OPTIONS_INIT"});
  options_.size = offsetof(haline_options, activation) - 1;  // below version 0.1's
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"options: size", "at least", "wanted"});
  options_.size = sizeof(haline_options) + 64;  // a caller newer than the library
  EXPECT_EQ(Call(), HALINE_OK) << haline_error_message();
}

TEST_F(BadInputTest, Backend) {
  options_.backend = "x86-avx1024";
  ExpectRefused(HALINE_INVALID_ARGUMENT,
                {"backend: \"x86-avx1024\" found", "x86-avx512", "x86-64", "arm-neon, cuda, opencl wanted"});
  options_.backend = "";
  ExpectRefused(HALINE_INVALID_ARGUMENT, {"backend: \"\" found", "wanted"});
}

}  // namespace
}  // namespace haline::test

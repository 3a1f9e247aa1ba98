// Bad input to the backward pass, to the moments of tiles and to their merging: as arguments_test.cpp has it.
//
// SPDX-License-Identifier: MIT
#include "support/status.h"
#include "support/typed.h"

namespace haline::test {
namespace {

class BackwardArgumentsTest : public testing::Test {
 protected:
  haline_status Call() {
    return haline_instance_norm_backward(x_.t(), dy_.t(), scale_.t(), shift_.t(), mean_.t(), rstd_.t(), dx_.t(),
                                         dscale_.t(), dshift_.t(), &options_);
  }
  std::string Everything() const {
    std::string bytes;
    for (const Typed *t : {&x_, &dy_, &dx_, &dresidual_, &scale_, &mean_, &dscale_, &dshift_}) bytes += t->bytes();
    return bytes;
  }
  void ExpectRefused(haline_status status, const std::vector<std::string> &parts) {
    const std::string before = Everything();
    ExpectFailure(Call(), status, parts);
    EXPECT_EQ(Everything(), before) << "something was written";
  }
  void TearDown() override {
    BackwardArgumentsTest right;
    EXPECT_EQ(right.Call(), HALINE_OK) << "the right call must work: " << haline_error_message();
  }
  void TestBody() override {}

  Typed x_{Type::kF32, {2, 3, 4, 5}, 1}, dy_{Type::kF32, {2, 3, 4, 5}, 2}, dx_{Type::kF32, {2, 3, 4, 5}, 3},
      dresidual_{Type::kF32, {2, 3, 4, 5}, 4}, scale_{Type::kF32, {3}, 5}, shift_{Type::kF32, {3}, 6},
      mean_{Type::kF32, {2, 3}, 7}, rstd_{Type::kF64, {2, 3}, 8, 1, 0.1}, dscale_{Type::kF32, {3}, 9},
      dshift_{Type::kF32, {2, 3}, 10};
  haline_options options_ = HALINE_OPTIONS_INIT;
};

TEST_F(BackwardArgumentsTest, MissingOnes) {
  ExpectFailure(haline_instance_norm_backward(nullptr, dy_.t(), nullptr, nullptr, mean_.t(), rstd_.t(), dx_.t(),
                                              nullptr, nullptr, nullptr),
                HALINE_INVALID_ARGUMENT, {"x: null found", "a tensor wanted"});
  ExpectFailure(haline_instance_norm_backward(x_.t(), nullptr, nullptr, nullptr, mean_.t(), rstd_.t(), dx_.t(), nullptr,
                                              nullptr, nullptr),
                HALINE_INVALID_ARGUMENT, {"dy: null found", "a tensor wanted"});
  ExpectFailure(haline_instance_norm_backward(x_.t(), dy_.t(), nullptr, nullptr, nullptr, rstd_.t(), dx_.t(), nullptr,
                                              nullptr, nullptr),
                HALINE_INVALID_ARGUMENT, {"mean: null found", "a tensor wanted"});
  ExpectFailure(haline_instance_norm_backward(x_.t(), dy_.t(), nullptr, nullptr, mean_.t(), nullptr, dx_.t(), nullptr,
                                              nullptr, nullptr),
                HALINE_INVALID_ARGUMENT, {"rstd: null found", "a tensor wanted"});
}

TEST_F(BackwardArgumentsTest, ShapesAndTypes) {
  Typed other(Type::kF32, {2, 3, 5, 4}, 1), half(Type::kF16, {2, 3, 4, 5}, 1);
  const auto each = [&](const char *name, Typed *tensor) {
    const Typed kept = *tensor;
    *tensor = other;
    ExpectRefused(HALINE_INVALID_ARGUMENT,
                  {std::string(name) + ": shape [2, 3, 5, 4] found", "[2, 3, 4, 5]", "wanted"});
    *tensor = half;
    ExpectRefused(HALINE_INVALID_ARGUMENT, {std::string(name) + ": float16 elements found", "float32", "wanted"});
    *tensor = kept;
  };
  options_.dresidual = dresidual_.t();
  each("dy", &dy_);
  each("dx", &dx_);
  each("dresidual", &dresidual_);
  for (Typed *tensor : {&mean_, &rstd_}) {
    const Typed kept = *tensor;
    *tensor = Typed(Type::kF32, {3}, 1);  // one a channel: only what was given to the forward pass may be
    ExpectRefused(HALINE_INVALID_ARGUMENT,
                  {tensor == &mean_ ? "mean" : "rstd", ": shape [3] found", "[2, 3]", "wanted"});
    options_.frozen = 1;
    EXPECT_EQ(Call(), HALINE_OK) << haline_error_message();
    options_.frozen = 0;
    *tensor = kept;
  }
  for (Typed *tensor : {&dscale_, &dshift_}) {
    const std::string name = tensor == &dscale_ ? "dscale" : "dshift";
    const Typed kept = *tensor;
    *tensor = Typed(Type::kF32, {2}, 1);
    ExpectRefused(HALINE_INVALID_ARGUMENT, {name + ": shape [2] found", "[3] or [2, 3]", "wanted"});
    *tensor = Typed(Type::kF64, {3}, 1);
    ExpectRefused(HALINE_UNSUPPORTED, {name + ": float64 elements found", "float32 wanted"});
    *tensor = kept;
  }
}

TEST_F(BackwardArgumentsTest, DxOverOtherTensors) {
  haline_tensor part = *dy_.t();
  part.byte_offset = 4;
  const std::string before = Everything();
  const auto call = [&](haline_tensor *dx) {
    return haline_instance_norm_backward(x_.t(), dy_.t(), scale_.t(), shift_.t(), mean_.t(), rstd_.t(), dx, dscale_.t(),
                                         dshift_.t(), &options_);
  };
  ExpectFailure(call(&part), HALINE_INVALID_ARGUMENT, {"dx: memory that overlaps dy in part found", "dy itself"});
  part.data = x_.t()->data;
  ExpectFailure(call(&part), HALINE_INVALID_ARGUMENT, {"dx: memory that overlaps x in part found", "x itself"});
  options_.residual = dresidual_.t();
  ExpectFailure(call(dresidual_.t()), HALINE_INVALID_ARGUMENT,
                {"dx: memory that overlaps residual found", "of its own"});
  options_.residual = nullptr;
  Typed repeats(Type::kF32, dx_.shape(), 1, 0, 1, {0, 20, 5, 1});
  ExpectFailure(call(repeats.t()), HALINE_INVALID_ARGUMENT, {"dx: a stride of 0 found", "wanted"});
  EXPECT_EQ(Everything(), before);
}

TEST_F(BackwardArgumentsTest, OtherGradientsOverOtherTensors) {
  for (const Typed *other : {&x_, &dy_, &dx_}) {
    haline_tensor same = *other->t();
    options_.dresidual = &same;
    ExpectRefused(HALINE_INVALID_ARGUMENT, {"dresidual: memory that overlaps ",
                                            other == &x_    ? "x"
                                            : other == &dy_ ? "dy"
                                                            : "dx",
                                            "of its own wanted"});
  }
  options_.dresidual = nullptr;
  haline_tensor same = *dscale_.t();
  const std::string before = Everything();
  ExpectFailure(haline_instance_norm_backward(x_.t(), dy_.t(), scale_.t(), shift_.t(), mean_.t(), rstd_.t(), dx_.t(),
                                              dscale_.t(), &same, &options_),
                HALINE_INVALID_ARGUMENT, {"dshift: memory that overlaps dscale found", "of its own wanted"});
  EXPECT_EQ(Everything(), before);
}

TEST(MomentsArgumentsTest, AreChecked) {
  const Typed x(Type::kF32, {2, 3, 4}, 1);
  Typed mean(Type::kF64, {2, 3}, 2), m2(Type::kF64, {2, 3}, 3), single(Type::kF32, {2, 3}, 4),
      shape(Type::kF64, {3}, 5);
  const std::string before = mean.bytes() + m2.bytes();
  int64_t count = 77;
  const auto call = [&](const Typed *of, int64_t *n, Typed *m, Typed *s) {
    return haline_moments(of ? of->t() : nullptr, n, m ? m->t() : nullptr, s ? s->t() : nullptr, nullptr);
  };
  ExpectFailure(call(nullptr, &count, &mean, &m2), HALINE_INVALID_ARGUMENT, {"x: null found"});
  ExpectFailure(call(&x, nullptr, &mean, &m2), HALINE_INVALID_ARGUMENT, {"count: null found"});
  ExpectFailure(call(&x, &count, nullptr, &m2), HALINE_INVALID_ARGUMENT, {"mean: null found"});
  ExpectFailure(call(&x, &count, &mean, nullptr), HALINE_INVALID_ARGUMENT, {"m2: null found"});
  ExpectFailure(call(&x, &count, &single, &m2), HALINE_UNSUPPORTED, {"mean: float32 elements found", "float64 wanted"});
  ExpectFailure(call(&x, &count, &mean, &single), HALINE_UNSUPPORTED, {"m2: float32 elements found", "float64 wanted"});
  ExpectFailure(call(&x, &count, &mean, &shape), HALINE_INVALID_ARGUMENT, {"m2: shape [3] found", "[2, 3]", "wanted"});
  ExpectFailure(call(&x, &count, &mean, &mean), HALINE_INVALID_ARGUMENT, {"m2: memory that overlaps mean found"});
  EXPECT_EQ(mean.bytes() + m2.bytes(), before);
  EXPECT_EQ(count, 77);
  EXPECT_EQ(call(&x, &count, &mean, &m2), HALINE_OK);
}

TEST(MergeArgumentsTest, AreChecked) {
  const Typed a(Type::kF64, {2, 3}, 1), b(Type::kF64, {2, 3}, 2), other(Type::kF64, {3, 2}, 3),
      single(Type::kF32, {2, 3}, 4), apart(Type::kF64, {2, 3}, 5, 0, 1, {6, 2});
  Typed mean(Type::kF64, {2, 3}, 6), m2(Type::kF64, {2, 3}, 7);
  const std::string before = mean.bytes() + m2.bytes();
  int64_t count = 77;
  const auto call = [&](int32_t tiles, std::vector<int64_t> counts, const Typed &second) {
    const haline_tensor *const tensors[] = {a.t(), second.t()};
    return haline_merge_moments(tiles, counts.data(), tensors, tensors, &count, mean.t(), m2.t(), nullptr);
  };
  ExpectFailure(call(0, {4, 4}, b), HALINE_INVALID_ARGUMENT, {"tiles: 0 found", "1 and up wanted"});
  ExpectFailure(call(-1, {4, 4}, b), HALINE_INVALID_ARGUMENT, {"tiles: -1 found"});
  ExpectFailure(call(2, {4, -1}, b), HALINE_INVALID_ARGUMENT, {"counts: -1 found at 1", "0 and up", "wanted"});
  ExpectFailure(call(2, {0, 0}, b), HALINE_INVALID_ARGUMENT, {"counts: 0 found in all", "at least one", "wanted"});
  ExpectFailure(call(2, {INT64_MAX, 1}, b), HALINE_INVALID_ARGUMENT,
                {"counts: 1 found at 1", "less than 2^63 in all wanted"});
  ExpectFailure(call(2, {4, 4}, other), HALINE_INVALID_ARGUMENT,
                {"means: shape [3, 2] found", "[2, 3]", "wanted", "the same planes"});
  ExpectFailure(call(2, {4, 4}, single), HALINE_UNSUPPORTED, {"means: float32 elements found", "float64 wanted"});
  ExpectFailure(call(2, {4, 4}, apart), HALINE_UNSUPPORTED, {"means: strides found", "contiguous", "wanted"});
  const haline_tensor *const tensors[] = {a.t(), nullptr};
  const int64_t counts[] = {4, 4};
  ExpectFailure(haline_merge_moments(2, counts, tensors, tensors, &count, mean.t(), m2.t(), nullptr),
                HALINE_INVALID_ARGUMENT, {"means: null found"});
  ExpectFailure(haline_merge_moments(1, nullptr, tensors, tensors, &count, mean.t(), m2.t(), nullptr),
                HALINE_INVALID_ARGUMENT, {"counts: null found"});
  ExpectFailure(haline_merge_moments(1, counts, nullptr, tensors, &count, mean.t(), m2.t(), nullptr),
                HALINE_INVALID_ARGUMENT, {"means: null found"});
  ExpectFailure(haline_merge_moments(1, counts, tensors, nullptr, &count, mean.t(), m2.t(), nullptr),
                HALINE_INVALID_ARGUMENT, {"m2s: null found"});
  ExpectFailure(haline_merge_moments(1, counts, tensors, tensors, nullptr, mean.t(), m2.t(), nullptr),
                HALINE_INVALID_ARGUMENT, {"count: null found"});
  ExpectFailure(haline_merge_moments(1, counts, tensors, tensors, &count, nullptr, m2.t(), nullptr),
                HALINE_INVALID_ARGUMENT, {"mean: null found"});
  EXPECT_EQ(mean.bytes() + m2.bytes(), before);
  EXPECT_EQ(count, 77);
  EXPECT_EQ(call(2, {4, 4}, b), HALINE_OK);
}

}  // namespace
}  // namespace haline::test

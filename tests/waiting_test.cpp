// Results that stay in the caches and wait for the next part's sums, which the same kernel makes: they did, and their
// bytes are those of the plain path, which strides send a tensor on.
//
// SPDX-License-Identifier: MIT
#include <atomic>
#include <cstring>
#include <vector>

#include "haline/haline.hpp"
#include "support/gradient_test.h"
#include "support/random.h"
#include "support/wrap_flow.h"

namespace {
std::atomic<int64_t> forward_calls{0}, backward_calls{0};
std::atomic<int64_t> forward_turned{0}, backward_turned{0};  // that did not begin with a plane's first chunk
std::atomic<int64_t> backward_of_two{0};                     // that wrote both gradients
}  // namespace

// The linker sends the engines' calls here.
#define HALINE_COUNT_FORWARD(kernel) HALINE_WRAP_FLOW(kernel, (forward_calls++, forward_turned += turn > 0))
#define HALINE_COUNT(backend)                                                                                        \
  HALINE_COUNT_FORWARD(kernel_flow_plain_f32_##backend)                                                              \
  HALINE_COUNT_FORWARD(kernel_flow_plain_f16_##backend)                                                              \
  HALINE_COUNT_FORWARD(kernel_flow_plain_bf16_##backend)                                                             \
  extern "C" int __real_kernel_gradient_flow_plain_f32_##backend(                                                    \
      halide_buffer_t *, halide_buffer_t *, halide_buffer_t *, halide_buffer_t *, halide_buffer_t *,                 \
      halide_buffer_t *, halide_buffer_t *, halide_buffer_t *, halide_buffer_t *, halide_buffer_t *, bool, double,   \
      int32_t, halide_buffer_t *, halide_buffer_t *, int32_t, halide_buffer_t *, bool, int32_t, int32_t, int32_t,    \
      int32_t, halide_buffer_t *);                                                                                   \
  extern "C" int __wrap_kernel_gradient_flow_plain_f32_##backend(                                                    \
      halide_buffer_t *x, halide_buffer_t *dy, halide_buffer_t *residual, halide_buffer_t *mean,                     \
      halide_buffer_t *x_before, halide_buffer_t *dy_before, halide_buffer_t *residual_before,                       \
      halide_buffer_t *mean_before, halide_buffer_t *coefficients, halide_buffer_t *coefficients_before,             \
      bool has_residual, double slope, int32_t form, halide_buffer_t *gradient, halide_buffer_t *dx, int32_t lead,   \
      halide_buffer_t *dresidual, bool has_dresidual, int32_t dresidual_lead, int32_t turn, int32_t x_ahead,         \
      int32_t dy_ahead, halide_buffer_t *sums) {                                                                     \
    backward_calls++;                                                                                                \
    backward_turned += turn > 0;                                                                                     \
    backward_of_two += has_dresidual;                                                                                \
    return __real_kernel_gradient_flow_plain_f32_##backend(                                                          \
        x, dy, residual, mean, x_before, dy_before, residual_before, mean_before, coefficients, coefficients_before, \
        has_residual, slope, form, gradient, dx, lead, dresidual, has_dresidual, dresidual_lead, turn, x_ahead,      \
        dy_ahead, sums);                                                                                             \
  }
#if defined(__x86_64__)
HALINE_COUNT(x86_avx512)
HALINE_COUNT(x86_avx2)
#elif defined(__aarch64__)
HALINE_COUNT(arm_neon)
#endif

namespace haline::test {

const int kLeastCases = 100;

namespace {

class WaitingTest : public GradientTest {
 protected:
  // Contiguous, on one thread and on several, against a crop. Parts are planes here: all wait, but for a thread's last
  // one and for the `slow` ones, and before those.
  void CheckWaits(GradientCase c, int64_t slow = 0) {
    GradientCase crop = c;
    crop.crop = 3;
    haline_set_num_threads(1);
    forward_calls = backward_calls = 0;
    const GradientResult plain = Run(crop);
    EXPECT_EQ(forward_calls + backward_calls, 0) << Describe(c);
    const int64_t most = backend() == "x86-64" ? 0 : c.planes() - 1, least = most - 2 * slow;
    for (const int threads : {1, 3}) {
      haline_set_num_threads(threads);
      for (const Place place : {Place::kOwn, Place::kOverX, Place::kOverDy}) {
        c.place = place;
        forward_calls = backward_calls = 0;
        ExpectSame(Run(c), plain, "a crop");
        const auto check = [&](int64_t calls, int64_t at_most) {
          EXPECT_LE(calls, at_most) << Describe(c);
          if (threads == 1) EXPECT_GE(calls, std::min(at_most, least)) << Describe(c);
        };
        check(forward_calls, most - std::min(most, slow));
        // (dx over what both gradients are made from.)
        check(backward_calls, c.want_dresidual && place != Place::kOwn ? 0 : most);
        if (threads > 1) on_threads_ += forward_calls + backward_calls;
      }
    }
    if (most > 32) EXPECT_GT(on_threads_, 0);
  }

  static GradientCase Make(const Shape &shape, uint64_t seed) {
    GradientCase c;
    c.data = "waiting";
    c.shape = shape;
    c.x = NormalValues(c.type, Count(shape), seed, 0.5, 2);
    c.dy = NormalValues(c.type, Count(shape), seed + 1, 0.25);
    c.scale = NormalValues(c.type, shape[1], seed + 2, 1, 0.5);
    c.shift = NormalValues(c.type, shape[1], seed + 3);
    return c;
  }

 private:
  int64_t on_threads_ = 0;
};

TEST_P(WaitingTest, SameBytes) {
  uint64_t seed = 1;
  forward_turned = backward_turned = backward_of_two = 0;
  for (const Shape &shape : {Shape{1, 16, 16, 32}, Shape{2, 20, 23, 23}, Shape{4, 13, 25, 25}, Shape{2, 40, 31, 31},
                             Shape{5, 9, 40, 50}, Shape{1, 13, 101, 103}}) {
    for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_RELU, HALINE_LEAKY_RELU}) {
      for (const int residual : {0, 1, 2}) {
        for (const int misaligned : {0, 5}) {
          GradientCase c = Make(shape, seed++);
          c.activation = activation;
          c.misaligned = misaligned;
          if (residual > 0) c.residual = NormalValues(c.type, Count(shape), seed);
          c.want_dresidual = residual > 1;
          CheckWaits(c);
        }
      }
    }
  }
  if (backend() == "x86-64") return;
  EXPECT_GT(forward_turned, 0);
  EXPECT_GT(backward_turned, 0);
  EXPECT_GT(backward_of_two, 0);
}

// Planes in the middle that float can't do justice are done in double, those about them as ever.
TEST_P(WaitingTest, PlanesThatAreSentElsewhere) {
  for (const Shape &shape : {Shape{1, 60, 40, 40}, Shape{2, 6, 33, 65}}) {
    for (const double special : {1e30, HUGE_VAL}) {
      for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_LEAKY_RELU}) {
        GradientCase c = Make(shape, 7);
        c.data = "special " + std::to_string(special);
        c.activation = activation;
        for (const int64_t plane : {2, 3, 5}) c.x[static_cast<size_t>(plane * c.size() + 5)] = special;
        CheckWaits(c, 3);
      }
    }
  }
}

// Of 16 bits those alone that go over x and that no cache holds: as they go past the caches into memory of their own.
TEST_P(WaitingTest, HalvesInPlace) {
  haline_set_num_threads(1);
  const std::vector<float> normals = Normals(2 * 64 * 65536, 1);
  std::vector<uint16_t> x;  // as either type, of magnitudes from 2^-31 or 1/8 to 2
  for (const float value : normals) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    x.push_back(static_cast<uint16_t>((bits >> 31 << 15) + 0x3000 + (bits >> 8 & 0xfff)));
  }
  for (const haline_dtype dtype : {haline_dtype{HALINE_FLOAT, 16, 1}, haline_dtype{HALINE_BFLOAT, 16, 1}}) {
    const auto run = [&](const std::vector<uint16_t> &from, std::vector<uint16_t> *to) {
      haline_options options = HALINE_OPTIONS_INIT;
      options.activation = HALINE_LEAKY_RELU;
      options.backend = backend().c_str();
      const ConstTensorView in(from.data(), dtype, {2, 64, 256, 256});
      const TensorView out(to->data(), dtype, {2, 64, 256, 256});
      haline_tensor x_tensor = in.c_tensor(), y_tensor = out.c_tensor();
      forward_calls = 0;
      EXPECT_EQ(haline_instance_norm(&x_tensor, nullptr, nullptr, &y_tensor, &options), HALINE_OK)
          << haline_error_message();
    };
    std::vector<uint16_t> apart(x.size()), in_place = x;
    run(x, &apart);
    EXPECT_EQ(forward_calls, 0);
    run(in_place, &in_place);
    EXPECT_EQ(forward_calls, backend() == "x86-64" ? 0 : 2 * 64 - 1);
    EXPECT_TRUE(in_place == apart);
  }
}

// What the kernels have no way for takes the plain path.
TEST_P(WaitingTest, OthersDoNot) {
  const auto check = [&](const GradientCase &c) {
    forward_calls = backward_calls = 0;
    Check(c);
    EXPECT_EQ(forward_calls + backward_calls, 0) << Describe(c);
  };
  GradientCase small = Make({4, 8, 511}, 1), few = Make({1, 2, 513}, 2), half = Make({2, 8, 600}, 3),
               lengths = Make({3, 8, 1000}, 4), last = Make({2, 16, 1000}, 5);
  half.type = Type::kF16;
  for (Values *values : {&half.x, &half.dy}) *values = NormalValues(half.type, Count(half.shape), 3);
  lengths.lengths = {1000, 600, 700};
  last.channels_last = true;
  for (const GradientCase &c : {small, few, half, lengths, last}) check(c);
}

}  // namespace

HALINE_ON_EVERY_PROCESSOR(WaitingTest);

}  // namespace haline::test

// Planes of fewer than 64 elements, of every size: all in double, in the order of the elements, each operation rounded
// as the formulas of wide_generator.cpp and wide_gradient_generator.cpp say, whichever way a kernel goes: the same bits
// as a loop that divides.
//
// SPDX-License-Identifier: MIT
#include <cmath>

#include "support/form.h"
#include "support/random.h"

namespace haline::test {

const int kLeastCases = 3012;

namespace {

constexpr double kEps = 1e-5, kSlope = 0.01;

// Its planes' magnitudes differ.
Typed Numbers(Type type, const Shape &shape, uint64_t seed, const Shape &strides) {
  const int most = type == Type::kF16 ? 6 : 40;
  const int64_t planes = shape[0] * shape[1], size = shape[2];
  Typed x(type, shape, seed, 0.25, 1, strides);
  Random random(seed);
  for (int64_t p = 0; p < planes; p++) {
    const double unit = std::ldexp(1.0, static_cast<int>(random.Below(2 * most + 1)) - most);
    for (int64_t i = p * size; i < (p + 1) * size; i++) x.Set(i, x.Get(i) * unit);
  }
  return x;
}

struct Plane {
  const Typed &x;
  const int64_t first, size;
  const double count = static_cast<double>(size);

  template <typename F>
  double Sum(const F &f) const {
    double sum = 0;
    for (int64_t i = 0; i < size; i++) sum += f(x.Get(first + i), i);
    return sum;
  }
};

// The bits of y's elements, then mean and rstd.
std::vector<uint64_t> Forward(const Plane &p, double scale, double shift, double slope) {
  const double x0 = p.x.Get(p.first);
  const double mean = x0 + p.Sum([&](double x, int64_t) { return x - x0; }) / p.count;
  const double rest = p.Sum([&](double x, int64_t) { return x - mean; }) / p.count;
  const double squares = p.Sum([&](double x, int64_t) { return (x - mean) * (x - mean); }) / p.count;
  const double difference = squares - rest * rest, var = difference < 0 ? 0 : difference;
  const double rstd = 1 / std::sqrt(var + kEps), a = scale * rstd;
  std::vector<uint64_t> bits;
  for (int64_t i = 0; i < p.size; i++) {
    const double z = (p.x.Get(p.first + i) - mean - rest) * a + shift;
    bits.push_back(ToBits(p.x.type(), z > 0 ? z : z * slope));
  }
  bits.push_back(ToBits(Type::kF64, mean + rest));
  bits.push_back(ToBits(Type::kF64, rstd));
  return bits;
}

// Of dx's elements.
std::vector<uint64_t> Backward(const Plane &p, const Typed &dy, double given, double rstd, double scale, double shift,
                               double slope) {
  const double offset = p.Sum([&](double x, int64_t) { return x - given; }) / p.count;
  const auto xhat = [&](double x) { return (x - given - offset) * rstd; };
  const auto g = [&](double x, int64_t i) {
    return xhat(x) * scale + shift > 0 ? dy.Get(p.first + i) : dy.Get(p.first + i) * slope;
  };
  const double mean_g = p.Sum(g) / p.count;
  const double mean_gx = p.Sum([&](double x, int64_t i) { return g(x, i) * xhat(x); }) / p.count;
  std::vector<uint64_t> bits;
  for (int64_t i = 0; i < p.size; i++) {
    const double x = p.x.Get(p.first + i);
    bits.push_back(ToBits(p.x.type(), scale * rstd * ((g(x, i) - mean_g) - xhat(x) * mean_gx)));
  }
  return bits;
}

class TinyTest : public FormTest {
 protected:
  // Calls test(x, strides, scale, shift, activation, what) for all that there is to be tried.
  template <typename F>
  void ForAll(const F &test) {
    for (const Type type : {Type::kF32, Type::kF16, Type::kBF16}) {
      for (int64_t size = 1; size < 64; size++) {
        const Shape shape = {2, 40, size};  // 16 and 16 and 8
        const Typed scale(Type::kF32, {40}, 2, 1, 0.5), shift(Type::kF32, {40}, 3);
        for (const Shape &strides : {Contiguous(shape), ChannelsLast(shape)}) {
          for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_LEAKY_RELU}) {
            const uint64_t seed = static_cast<uint64_t>(size) + 100 * static_cast<uint64_t>(type);
            test(Numbers(type, shape, seed, strides), strides, scale, shift, activation);
          }
        }
      }
    }
  }

  // What differs first of a plane's elements.
  static std::string Difference(const Typed &found, int64_t first, int64_t size, const std::vector<uint64_t> &wanted) {
    for (int64_t i = 0; i < size; i++) {
      const uint64_t bits = wanted[static_cast<size_t>(i)];
      if (found.Bits(first + i) == bits) continue;
      return "element " + std::to_string(first + i) + ": " + std::to_string(found.Get(first + i)) + " found, " +
             std::to_string(FromBits(found.type(), bits)) + " wanted";
    }
    return "";
  }
};

TEST_P(TinyTest, Forward) {
  ForAll(
      [&](const Typed &x, const Shape &strides, const Typed &scale, const Typed &shift, haline_activation activation) {
        const int64_t size = x.shape()[2];
        Typed mean(Type::kF64, {2, 40}), rstd = mean, in_place = x, y(x.type(), x.shape(), 0, 0, 1, strides);
        Form form;
        form.x = &x;
        form.scale = &scale;
        form.shift = &shift;
        form.activation = activation;
        form.negative_slope = kSlope;
        form.mean = &mean;
        form.rstd = &rstd;
        if (!Run(form, &y)) return;
        form.x = &in_place;
        form.mean = form.rstd = nullptr;
        if (!Run(form, &in_place)) return;
        for (int64_t p = 0; p < 80; p++) {
          const std::vector<uint64_t> wanted =
              test::Forward({x, p * size, size}, scale.Get(p % 40), shift.Get(p % 40), form.slope());
          form.x = &x;
          ASSERT_EQ(Difference(y, p * size, size, wanted), "") << Describe(form);
          ASSERT_EQ(Difference(in_place, p * size, size, wanted), "") << Describe(form) << " in place";
          ASSERT_EQ(mean.Bits(p), wanted[static_cast<size_t>(size)]) << Describe(form) << ", mean of plane " << p;
          ASSERT_EQ(rstd.Bits(p), wanted[static_cast<size_t>(size) + 1]) << Describe(form) << ", rstd of plane " << p;
        }
      });
}

TEST_P(TinyTest, Backward) {
  ForAll([&](const Typed &x, const Shape &strides, const Typed &scale, const Typed &shift,
             haline_activation activation) {
    const int64_t size = x.shape()[2];
    const Typed dy(x.type(), x.shape(), 7, 0.25, 1, strides);
    for (const Type type : {Type::kF32, Type::kF64}) {
      Typed mean(type, {2, 40}), rstd = mean, dx(x.type(), x.shape(), 0, 0, 1, strides);
      for (int64_t p = 0; p < 80; p++) {
        const Plane plane{x, p * size, size};
        mean.Set(p, plane.Sum([](double value, int64_t) { return value; }) / plane.count);
        rstd.Set(p, 1 / (std::abs(x.Get(p * size)) + 0x1p-20));
      }
      haline_options options = HALINE_OPTIONS_INIT;
      options.backend = backend().c_str();
      options.activation = activation;
      options.negative_slope = kSlope;
      const std::string what = Text(x.shape()) + " of " + Name(x.type()) + (strides[1] == 1 ? ", channels last" : "") +
                               ", activation " + std::to_string(activation) + ", statistics of " + Name(type);
      ASSERT_EQ(haline_instance_norm_backward(x.t(), dy.t(), scale.t(), shift.t(), mean.t(), rstd.t(), dx.t(), nullptr,
                                              nullptr, &options),
                HALINE_OK)
          << what << ": " << haline_error_message();
      Ran("backward of " + what);
      const double slope = activation == HALINE_NO_ACTIVATION ? 1 : kSlope;
      for (int64_t p = 0; p < 80; p++) {
        const std::vector<uint64_t> wanted = test::Backward({x, p * size, size}, dy, mean.Get(p), rstd.Get(p),
                                                            scale.Get(p % 40), shift.Get(p % 40), slope);
        ASSERT_EQ(Difference(dx, p * size, size, wanted), "") << what;
      }
    }
  });
}

HALINE_ON_EVERY_BACKEND(TinyTest);

}  // namespace
}  // namespace haline::test

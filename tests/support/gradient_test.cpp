// SPDX-License-Identifier: MIT
#include "support/gradient_test.h"

#include <exception>

#include "support/random.h"

namespace haline::test {

GradientResult GradientTest::Run(const GradientCase &c) {
  try {
    GradientResult result = test::Run(c, backend());
    if (IsTargetOf(haline_last_target(), backend())) {
      CountCase(backend(), Describe(c));
      return result;
    }
    ADD_FAILURE() << Describe(c) << ": ran on " << haline_last_target() << ", wanted " << backend();
  } catch (const std::exception &e) {
    ADD_FAILURE() << Describe(c) << ": " << e.what();
  }
  return {};
}

void GradientTest::Check(const GradientCase &c, double tolerance) {
  const GradientResult result = Run(c);
  if (!result.y.empty()) Check(c, result, tolerance);  // else it has failed
}

void GradientTest::Check(const GradientCase &c, const GradientResult &result, double tolerance) {
  const std::string wrong = Wrong(c, result, tolerance);
  if (!wrong.empty()) ADD_FAILURE() << Describe(c) << ": " << wrong;
}

void GradientTest::ExpectSame(const Bits &a, const Bits &b, const std::string &what) {
  if (a == b) return;
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); i++) {
    ASSERT_EQ(a[i], b[i]) << what << ": element " << i;
  }
}

void GradientTest::ExpectSame(const GradientResult &a, const GradientResult &b, const std::string &what) {
  ExpectSame(a.y, b.y, what + ": y");
  ExpectSame(a.dx, b.dx, what + ": dx");
  ExpectSame(a.dresidual, b.dresidual, what + ": dresidual");
  ExpectSame(a.dscale, b.dscale, what + ": dscale");
  ExpectSame(a.dshift, b.dshift, what + ": dshift");
}

Values NormalValues(Type type, int64_t count, uint64_t seed, double mean, double deviation) {
  Random random(seed);
  Values values(static_cast<size_t>(count));
  for (double &v : values) {
    const double more = type == Type::kF64 ? 1e-9 * random.Normal() : 0;
    v = FromBits(type, ToBits(type, (random.Normal() + more) * deviation + mean));
  }
  return values;
}

GradientCase MakeGradientCase(const Shape &shape, int64_t turn) {
  const int64_t count = Count(shape), planes = shape[0] * shape[1];
  const auto seed = static_cast<uint64_t>(count * 131 + turn * 7 + 1);
  // Digits of `turn` in mixed bases, so that options meet in every combination.
  auto digit = [rest = static_cast<uint64_t>(turn)](uint64_t base) mutable {
    const uint64_t d = rest % base;
    rest /= base;
    return d;
  };
  GradientCase c;
  c.shape = shape;
  switch (digit(3)) {
    case 1:
      c.activation = HALINE_RELU;
      break;
    case 2:
      c.activation = HALINE_LEAKY_RELU;
      c.negative_slope = turn % 2 ? 0.2 : -0.5;
  }
  const uint64_t parameters = digit(4), residual = digit(2), which = digit(5), place = digit(3);
  c.by_sample = digit(2) == 1;
  const bool frozen = digit(4) == 3;
  const double mean = std::vector<double>{0.5, 1e4, 0, 1e7}[digit(4)], deviation = 1 + static_cast<double>(digit(4));
  c.data = "normal " + std::to_string(mean);
  c.x = NormalValues(c.type, count, seed, mean, deviation);
  c.dy = NormalValues(c.type, count, seed + 1, turn % 3 ? 0 : 0.5);
  const int64_t values = c.by_sample ? planes : shape[1];
  if (parameters & 1) c.scale = NormalValues(c.parameters, values, seed + 2, 1, 0.5);
  if (parameters & 2) c.shift = NormalValues(c.parameters, values, seed + 3);
  if (residual) c.residual = NormalValues(c.type, count, seed + 4);
  c.want_dx = which != 0;
  c.want_dscale = which != 1;
  c.want_dshift = which != 2;
  c.want_dresidual = residual && which % 2;
  c.sums_by_sample = c.by_sample != (turn % 5 == 0);
  c.place = static_cast<Place>(place);
  c.misaligned = static_cast<int>(turn % 7);
  if (turn % 8 >= 5) c.statistics = Type::kF64;
  if (frozen) {
    const int64_t statistics = turn % 2 ? planes : shape[1];
    c.mean = NormalValues(c.statistics, statistics, seed + 5, mean, 0.5);
    c.rstd = NormalValues(c.statistics, statistics, seed + 6, 0.6, 0.05);
  }
  return c;
}

}  // namespace haline::test

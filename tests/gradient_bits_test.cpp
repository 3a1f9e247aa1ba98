// One gradient, whatever computes it: the same bits on every back end, with any number of threads, dx in memory of its
// own, over x or over dy, wherever in memory, in every layout, alone or in a batch.
//
// SPDX-License-Identifier: MIT
#include <limits>

#include "support/gradient_test.h"
#include "support/random.h"

namespace haline::test {
namespace {

// All results and options that change bits, of ordinary values.
GradientCase MakeCase(Type type, const Shape &shape, int64_t turn) {
  GradientCase c;
  c.data = "bits";
  c.type = type;
  c.parameters = turn % 2 ? type : MathType(type);
  c.shape = shape;
  const auto seed = static_cast<uint64_t>(turn * 10 + 1);
  c.x = NormalValues(type, Count(shape), seed, 0.25, 3);
  c.dy = NormalValues(type, Count(shape), seed + 1, 0.25);
  c.scale = NormalValues(c.parameters, shape[1], seed + 2, 1, 0.5);
  c.shift = NormalValues(c.parameters, shape[1], seed + 3, 0, 4);
  if (turn % 3) c.activation = turn % 3 == 1 ? HALINE_RELU : HALINE_LEAKY_RELU;
  if (turn % 4 >= 2) {
    c.residual = NormalValues(type, Count(shape), seed + 4);
    c.want_dresidual = true;
  }
  if (turn % 7 == 6) {
    c.mean = NormalValues(c.statistics, shape[1], seed + 5, 0.25, 0.5);
    c.rstd = NormalValues(c.statistics, shape[1], seed + 6, 0.3, 0.05);
  }
  return c;
}

// What may take a path of its own, each in some planes of a batch of ordinary ones.
void MakeSpecial(GradientCase *c) {
  c->data = "special bits";
  const double specials[] = {
      std::numeric_limits<double>::quiet_NaN(), HUGE_VAL, -HUGE_VAL, 1e38, 1e30, 1e6, 0x1p-149, 0.};
  Random random(static_cast<uint64_t>(c->size()));
  for (int64_t plane = 0; plane < c->planes(); plane += 2) {
    Values &values = plane % 3 ? c->x : c->dy;
    double *const first = &values[static_cast<size_t>(plane * c->size())];
    const double special = specials[plane / 2 % 8];
    if (plane % 4 == 0) {
      first[random.Below(c->size())] = special;
    } else {
      for (int64_t i = 0; i < c->size(); i++) first[i] *= special;
    }
  }
}

std::vector<GradientCase> Cases() {
  std::vector<GradientCase> cases;
  int64_t turn = 0;
  for (const int64_t size : {1, 2, 7, 16, 31, 49, 63, 64, 65, 127, 200, 511, 512, 513, 1000, 4099}) {
    for (const Shape &shape : std::vector<Shape>{{1, 1, size}, {3, 17, size}}) {
      for (const Type type : kFloatTypes) {
        if (type != Type::kF32 && Count(shape) > 60000) continue;
        cases.push_back(MakeCase(type, shape, turn++));
        if (turn % 2) MakeSpecial(&cases.back());
      }
    }
  }
  cases.push_back(MakeCase(Type::kF32, {1, 2, 150000}, 1));  // few planes: all threads on one
  cases.push_back(MakeCase(Type::kF32, {1, 1, (1 << 20) + 77}, 3));
  for (const int64_t size : {16383, 16384, 16385, 131073}) cases.push_back(MakeCase(Type::kF32, {3, 1, size}, size));
  cases.push_back(MakeCase(Type::kF32, {70, 130, 4}, 4));  // tasks of many planes
  cases.push_back(MakeCase(Type::kF32, {30, 272, 7}, 5));  // tasks of all samples of some channels
  MakeSpecial(&cases.back());
  cases.push_back(MakeCase(Type::kF32, {70, 112, 9}, 1));  // too few channels for that
  cases.push_back(MakeCase(Type::kF32, {5, 70, 150}, 5));
  MakeSpecial(&cases.back());
  return cases;
}

class GradientBitsTest : public GradientTest {};

TEST_P(GradientBitsTest, SameAsOnTheFirstBackEnd) {
  const std::string first = RunnableBackends().front();
  for (const GradientCase &c : Cases()) ExpectSame(Run(c), test::Run(c, first), Describe(c));
}

TEST_P(GradientBitsTest, SameWithAnyNumberOfThreads) {
  std::vector<GradientCase> cases = Cases();
  cases.push_back(MakeCase(Type::kF32, {30, 272, 7}, 2));
  for (int64_t n = 0; n < cases.back().batch(); n++) cases.back().lengths.push_back(n * 5 % 8);
  cases.back().channels_last = true;
  cases.push_back(MakeCase(Type::kF32, {30, 272, 7}, 2));
  cases.back().lengths = cases[cases.size() - 2].lengths;
  for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_LEAKY_RELU}) {
    for (const Type type : {Type::kF32, Type::kBF16}) {
      cases.push_back(MakeCase(type, {1, 3, 131372}, 3));  // planes that threads share; less than a chunk is left
      cases.back().activation = activation;
    }
  }
  for (const GradientCase &c : cases) {
    if (Count(c.shape) < 32768) continue;  // those run on the caller alone
    ASSERT_EQ(haline_set_num_threads(1), HALINE_OK);
    const GradientResult one = Run(c);
    for (const int threads : {2, 3, 7}) {
      ASSERT_EQ(haline_set_num_threads(threads), HALINE_OK);
      ExpectSame(Run(c), one, Describe(c) + ", " + std::to_string(threads) + " threads");
    }
  }
}

TEST_P(GradientBitsTest, SameInPlaceAtAnyAlignmentAndInEveryLayout) {
  for (const GradientCase &plain : Cases()) {
    const GradientResult wanted = Run(plain);
    for (const Place place : {Place::kOwn, Place::kOverX, Place::kOverDy}) {
      for (const bool channels_last : {false, true}) {
        if (place == Place::kOwn && !channels_last) continue;  // that is `plain`
        GradientCase c = plain;
        c.place = place;
        c.channels_last = channels_last;
        c.misaligned = static_cast<int>(place) * 5 + channels_last;
        ExpectSame(Run(c), wanted, Describe(c));
      }
    }
  }
}

// Rows with something between them, of planes of every kind, copied whole and block by block.
TEST_P(GradientBitsTest, SameOfCrops) {
  int64_t turn = 0;
  for (const Shape &shape : std::vector<Shape>{{3, 4, 1, 3},
                                               {3, 18, 2, 2},
                                               {2, 33, 5, 6},
                                               {2, 17, 9, 8},
                                               {2, 35, 13, 12},
                                               {1, 3, 40, 41},
                                               {1, 17, 129, 130},
                                               {1, 1, 515, 513}}) {
    for (int i = 0; i < (Count(shape) < 10000 ? 12 : 3); i++) {
      const GradientCase plain = MakeGradientCase(shape, turn++);
      const GradientResult wanted = Run(plain);
      for (const Place place : {Place::kOwn, Place::kOverX, Place::kOverDy}) {
        for (const bool channels_last : {false, true}) {
          GradientCase c = plain;
          c.place = place;
          c.channels_last = channels_last;
          c.crop = 3;
          c.misaligned = static_cast<int>(place) * 5 + channels_last;
          ExpectSame(Run(c), wanted, Describe(c));
        }
      }
    }
  }
}

// dx of each plane, and its shares of dscale and dshift, which are the same sums whoever adds them up.
TEST_P(GradientBitsTest, SameAloneAndInABatch) {
  for (GradientCase &c : Cases()) {
    c.sums_by_sample = true;
    const GradientResult wanted = Run(c);
    const int64_t size = c.size();
    if (wanted.dx.empty()) continue;
    for (int64_t plane = 0; plane < c.planes(); plane += 1 + c.planes() / 11) {
      const auto part = [&](const auto &values) {
        auto copy = values;
        if (!values.empty()) copy.assign(values.begin() + plane * size, values.begin() + (plane + 1) * size);
        return copy;
      };
      const auto only = [&](const auto &values, size_t i) {
        auto copy = values;
        if (!values.empty()) copy.assign(1, values[i]);
        return copy;
      };
      const auto channel = static_cast<size_t>(plane % c.channels());
      GradientCase one = c;
      one.shape = {1, 1, size};
      one.data += " alone";
      for (Values GradientCase::*values : {&GradientCase::x, &GradientCase::dy, &GradientCase::residual}) {
        one.*values = part(c.*values);
      }
      for (Values GradientCase::*values :
           {&GradientCase::scale, &GradientCase::shift, &GradientCase::mean, &GradientCase::rstd}) {
        one.*values = only(c.*values, channel);
      }
      const auto at = static_cast<size_t>(plane);
      ExpectSame(
          Run(one),
          {part(wanted.dx), part(wanted.dresidual), only(wanted.dscale, at), only(wanted.dshift, at), part(wanted.y)},
          Describe(c) + ", plane " + std::to_string(plane) + " alone");
    }
  }
}

// Channels' sums are those of the samples' planes, added in order in double.
TEST_P(GradientBitsTest, SumsByChannelAreSumsOverSamples) {
  for (GradientCase &c : Cases()) {
    if (c.type != Type::kF64) continue;  // whose shares come out unrounded
    c.parameters = Type::kF64;
    c.sums_by_sample = false;
    const GradientResult sums = Run(c);
    c.sums_by_sample = true;
    const GradientResult shares = Run(c);
    if (sums.dscale.empty() || shares.dscale.empty()) continue;
    for (int64_t channel = 0; channel < c.channels(); channel++) {
      for (const Bits GradientResult::*bits : {&GradientResult::dscale, &GradientResult::dshift}) {
        double sum = 0;
        for (int64_t n = 0; n < c.batch(); n++) {
          sum += FromBits(c.type, (shares.*bits)[static_cast<size_t>(n * c.channels() + channel)]);
        }
        EXPECT_EQ((sums.*bits)[static_cast<size_t>(channel)], ToBits(c.type, sum)) << Describe(c);
      }
    }
  }
}

HALINE_ON_EVERY_BACKEND(GradientBitsTest);

}  // namespace
}  // namespace haline::test

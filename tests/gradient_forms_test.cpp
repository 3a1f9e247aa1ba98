// Gradients of every form that the sizes' suite leaves at its default: element types, layouts, lengths, statistics and
// parameters of every kind, against the oracle.
//
// SPDX-License-Identifier: MIT
#include "support/gradient_test.h"
#include "support/random.h"

namespace haline::test {

const int kLeastCases = 5500;

namespace {

// Tiny, small and large chunks, whole and not, and more than a block.
const int64_t kSizes[] = {1, 2, 9, 63, 64, 90, 100, 511, 512, 1300};

class GradientFormsTest : public GradientTest {
 protected:
  // Values of the case's shape and types, with all of the parameters.
  void Fill(GradientCase *c, uint64_t seed, double mean = 0.25, double deviation = 2) {
    const int64_t count = Count(c->shape), parameters = c->by_sample ? c->planes() : c->channels();
    c->data = "normal " + std::to_string(mean);
    c->x = NormalValues(c->type, count, seed, mean, deviation);
    c->dy = NormalValues(c->type, count, seed + 1, 0.25);
    c->scale = NormalValues(c->parameters, parameters, seed + 2, 1, 0.5);
    c->shift = NormalValues(c->parameters, parameters, seed + 3);
  }
};

TEST_P(GradientFormsTest, EveryTypeOfElementsParametersAndStatistics) {
  for (const Type type : kFloatTypes) {
    for (const Type parameters : {type, MathType(type)}) {
      for (const Type statistics : {Type::kF32, Type::kF64}) {
        for (const int64_t size : kSizes) {
          for (int64_t turn = 0; turn < 6; turn++) {
            GradientCase c;
            c.type = type;
            c.parameters = parameters;
            c.statistics = statistics;
            c.shape = {2, 3, size};
            c.by_sample = turn % 2;
            c.sums_by_sample = turn % 4 >= 2;
            Fill(&c, static_cast<uint64_t>(size + turn), turn % 3 == 1 ? 500 : 0.25);
            if (turn % 3) c.activation = HALINE_LEAKY_RELU;
            c.negative_slope = 0.2;
            c.want_dresidual = turn % 3 == 2;
            if (c.want_dresidual) c.residual = NormalValues(type, Count(c.shape), 77);
            c.place = static_cast<Place>(turn % 3);
            Settle(&c);
            Check(c);
          }
        }
      }
    }
  }
}

TEST_P(GradientFormsTest, FloatsFarFromZero) {
  for (const double mean : {-1e4, 1e7}) {
    for (const double deviation : {1., 2., 4.}) {
      for (const Type statistics : {Type::kF32, Type::kF64}) {
        for (const int64_t size : kSizes) {
          for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_RELU}) {
            GradientCase c;
            c.shape = {3, 2, size};
            c.statistics = statistics;
            c.activation = activation;
            Fill(&c, static_cast<uint64_t>(size), mean, deviation);
            Settle(&c);
            Check(c);
          }
        }
      }
    }
  }
}

// A frozen mean that the type of x does not hold.
TEST_P(GradientFormsTest, FrozenStatisticsFarFromZero) {
  for (const double mean : {0.3, 1e4 + 0.3, 1e7 + 0.3}) {
    for (const Type type : {Type::kF32, Type::kF64}) {
      for (const Type statistics : {Type::kF32, Type::kF64}) {
        for (const int64_t size : kSizes) {
          for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_LEAKY_RELU}) {
            for (const int64_t count : {2, 6}) {
              GradientCase c;
              c.type = type;
              c.parameters = MathType(type);
              c.statistics = statistics;
              c.shape = {3, 2, size};
              c.activation = activation;
              Fill(&c, static_cast<uint64_t>(size), mean);
              c.mean = NormalValues(statistics, count, 5, mean, 0.25);
              c.rstd = NormalValues(statistics, count, 6, 0.5, 0.05);
              Settle(&c);
              Check(c);
            }
          }
        }
      }
    }
  }
}

TEST_P(GradientFormsTest, LayoutsRanksAndAlignments) {
  const std::vector<Shape> shapes = {{2, 5},          {2, 5, 7},     {3, 4, 8, 9},  {2, 17, 6, 11},  {2, 3, 20, 30},
                                     {2, 8, 2, 5, 9}, {1, 3, 1, 70}, {2, 9, 9, 70}, {1, 2, 130, 127}};
  int64_t turn = 0;
  for (const Shape &shape : shapes) {
    for (const Type type : kFloatTypes) {
      for (const bool channels_last : {false, true}) {
        for (int misaligned = 0; misaligned < 16; misaligned += 5) {
          GradientCase c;
          c.type = type;
          c.parameters = MathType(type);
          c.shape = shape;
          c.channels_last = channels_last;
          c.misaligned = misaligned;
          Fill(&c, static_cast<uint64_t>(Count(shape)));
          c.place = static_cast<Place>(turn++ % 3);
          if (turn % 2) c.activation = HALINE_RELU;
          c.residual = NormalValues(type, Count(shape), 77);
          c.want_dresidual = true;
          Settle(&c);
          Check(c);
        }
      }
    }
  }
}

TEST_P(GradientFormsTest, Lengths) {
  const std::vector<Shape> shapes = {{4, 3, 1}, {4, 3, 50}, {5, 2, 130}, {4, 3, 700}, {3, 2, 5, 30}, {4, 2, 3, 300}};
  for (const Shape &shape : shapes) {
    for (int64_t turn = 0; turn < 24; turn++) {
      GradientCase c;
      c.type = kFloatTypes[turn % 4];
      c.parameters = MathType(c.type);
      c.shape = shape;
      c.channels_last = turn % 3 == 2;
      c.sums_by_sample = turn % 5 == 1;
      Fill(&c, static_cast<uint64_t>(turn + Count(shape)));
      Random random(static_cast<uint64_t>(turn + 1));
      for (int64_t n = 0; n < c.batch(); n++) c.lengths.push_back(random.Below(shape.back() + 1));
      c.lengths.front() = shape.back();
      c.lengths.back() = 0;
      // What lies beyond must not matter.
      for (int64_t plane = 0; plane < c.planes(); plane++) {
        for (int64_t s = 0; s < c.size(); s++) {
          if (!c.valid(plane, s)) c.x[static_cast<size_t>(plane * c.size() + s)] = turn % 2 ? HUGE_VAL : std::nan("");
        }
      }
      if (turn % 7 == 3) c.x.swap(c.dy);
      if (turn % 8 >= 4) c.activation = HALINE_LEAKY_RELU;
      if (turn % 16 >= 8) {
        c.residual = NormalValues(c.type, Count(shape), 77);
        c.want_dresidual = true;
      }
      if (turn % 6 == 5) {
        c.mean = NormalValues(c.statistics, c.channels(), 5, 0.25, 0.25);
        c.rstd = NormalValues(c.statistics, c.channels(), 6, 0.5, 0.05);
      }
      c.place = static_cast<Place>(turn / 3 % 3);
      Settle(&c);
      Check(c);
    }
  }
}

// Gradients asked for alone have the bits that they have together.
TEST_P(GradientFormsTest, EachResultIsOptional) {
  for (const int64_t size : kSizes) {
    for (const bool by_sample : {false, true}) {
      GradientCase all;
      all.shape = {2, 9, size};
      Fill(&all, static_cast<uint64_t>(size));
      all.activation = HALINE_RELU;
      all.residual = NormalValues(all.type, Count(all.shape), 77);
      all.want_dresidual = true;
      all.sums_by_sample = by_sample;
      Settle(&all);
      const GradientResult whole = Run(all);
      Check(all, whole, Tolerance(all));
      for (int wanted = 0; wanted < 15; wanted++) {
        GradientCase c = all;
        c.want_dx = wanted & 1;
        c.want_dscale = wanted & 2;
        c.want_dshift = wanted & 4;
        c.want_dresidual = wanted & 8;
        GradientResult part = whole;
        if (!c.want_dx) part.dx.clear();
        if (!c.want_dscale) part.dscale.clear();
        if (!c.want_dshift) part.dshift.clear();
        if (!c.want_dresidual) part.dresidual.clear();
        ExpectSame(Run(c), part, Describe(c));
      }
    }
  }
}

// The activation's gradient takes z's sign from where the forward pass had it, at every element.
TEST_P(GradientFormsTest, TheActivationSwitchesWhereItDidForward) {
  for (const int64_t size : kSizes) {
    for (const double mean : {0., 1e4}) {
      for (const bool residual : {false, true}) {
        GradientCase c;
        c.shape = {1, 4, size};
        c.data = "near the kink, mean " + std::to_string(mean);
        c.x = NormalValues(c.type, 4 * size, static_cast<uint64_t>(size), mean, 1e-3);
        for (double &x : c.x) x = FromBits(c.type, ToBits(c.type, std::round((x - mean) * 2000) / 512 + mean));
        c.dy.assign(c.x.size(), 1);
        c.shift = {0, 0.5, -1, 1e-7};
        c.scale = {1, 1, -3, 1e-6};
        if (residual) c.residual = NormalValues(c.type, 4 * size, 9, 0, 1e-6);
        c.want_dresidual = true;
        c.activation = HALINE_RELU;
        const GradientResult result = Run(c);
        for (size_t i = 0; i < result.dresidual.size(); i++) {
          const double y = FromBits(c.type, result.y[i]);
          ASSERT_EQ(FromBits(c.type, result.dresidual[i]), y > 0 ? 1 : 0)
              << Describe(c) << ", element " << i << ": y " << y;
        }
      }
    }
  }
}

HALINE_ON_EVERY_BACKEND(GradientFormsTest);

}  // namespace
}  // namespace haline::test

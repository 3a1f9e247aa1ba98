// Split statistics: the moments of tiles, merged and applied, give what the whole gives.
//
// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstring>
#include <limits>

#include "support/form.h"

namespace haline::test {

const int kLeastCases = 245;

namespace {

struct Tile {
  int64_t count = -1;
  Typed mean, m2;
  explicit Tile(const Shape &planes, uint64_t seed = 0)
      : mean(Type::kF64, planes, seed, 1, 2), m2(Type::kF64, planes, seed ? seed + 1 : 0, 50, 1) {}
  std::string bytes() const { return std::to_string(count) + mean.bytes() + m2.bytes(); }
};

Tile Merge(const std::vector<Tile> &tiles) {
  std::vector<int64_t> counts;
  std::vector<const haline_tensor *> means, m2s;
  for (const Tile &tile : tiles) {
    counts.push_back(tile.count);
    means.push_back(tile.mean.t());
    m2s.push_back(tile.m2.t());
  }
  Tile merged(tiles[0].mean.shape());
  EXPECT_EQ(haline_merge_moments(static_cast<int32_t>(tiles.size()), counts.data(), means.data(), m2s.data(),
                                 &merged.count, merged.mean.t(), merged.m2.t(), nullptr),
            HALINE_OK)
      << haline_error_message();
  return merged;
}

Tile Given(int64_t count, uint64_t seed) {
  Tile tile({2, 3}, seed);
  tile.count = count;
  return tile;
}

class MomentsTest : public FormTest {
 protected:
  Tile MomentsOf(const Typed &x) {
    Tile tile({x.shape()[0], x.shape()[1]}, 77);
    haline_options options = HALINE_OPTIONS_INIT;
    options.backend = backend().c_str();
    EXPECT_EQ(haline_moments(x.t(), &tile.count, tile.mean.t(), tile.m2.t(), &options), HALINE_OK)
        << haline_error_message();
    Form form;
    form.x = &x;
    if (x.count() > 0) Ran("moments of" + Describe(form));
    return tile;
  }
};

TEST_P(MomentsTest, AreThoseOfThePlanes) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape :
         std::vector<Shape>{{2, 3}, {2, 3, 5}, {3, 2, 64}, {2, 17, 11, 11}, {2, 2, 600}, {1, 2, 70000}}) {
      for (const double offset : {0.0, 100.0}) {
        for (const bool last : {false, true}) {
          const Typed x(type, shape, 1, offset, 2, last ? ChannelsLast(shape) : Shape{});
          const Tile tile = MomentsOf(x);
          Form form;
          form.x = &x;
          EXPECT_EQ(tile.count, form.size());
          for (int64_t p = 0; p < form.planes(); p++) {
            const auto exact = Exactly<oracle::Widest>(form, p);
            const double m2 = static_cast<double>(exact.variance * form.size());
            const double mean = static_cast<double>(exact.mean), precision = type == Type::kF64 ? 1e-14 : 1e-6;
            const double deviation = std::sqrt(static_cast<double>(exact.variance));
            EXPECT_LE(std::fabs(tile.mean.Get(p) - mean), 0.3 * precision * deviation + 1e-14 * std::fabs(mean))
                << Describe(form);
            EXPECT_LE(std::fabs(tile.m2.Get(p) - m2), precision * m2) << Describe(form);
          }
          EXPECT_TRUE(tile.mean.RestUntouched() && tile.m2.RestUntouched());
        }
      }
    }
  }
}

TEST_P(MomentsTest, OfNothingAreNone) {
  for (const Shape &shape : std::vector<Shape>{{2, 3, 0}, {2, 3, 4, 0}}) {
    const Tile tile = MomentsOf(Typed(Type::kF32, shape));
    EXPECT_EQ(tile.count, 0);
    for (int64_t p = 0; p < 6; p++) EXPECT_TRUE(tile.mean.Get(p) == 0 && tile.m2.Get(p) == 0);
  }
  EXPECT_EQ(MomentsOf(Typed(Type::kF32, {0, 3, 5})).mean.count(), 0);
  Typed x(Type::kF32, {1, 2, 30}, 1);
  x.Set(3, std::numeric_limits<double>::quiet_NaN());
  const Tile tile = MomentsOf(x);
  EXPECT_TRUE(std::isnan(tile.mean.Get(0)) && std::isnan(tile.m2.Get(0)) && std::isfinite(tile.mean.Get(1)));
}

// Each tile is a crop of the image, where it lies.
TEST_P(MomentsTest, OfTilesMergedAndAppliedAreTheWhole) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : std::vector<Shape>{{2, 3, 24, 30}, {1, 2, 90, 100}, {1, 1, 300, 310}, {2, 5, 6, 7}}) {
      for (const double offset : {0.5, 200.0}) {
        const Typed x(type, shape, 1, offset, 2), scale(MathType(type), {shape[1]}, 2, 1, 0.5),
            shift(MathType(type), {shape[1]}, 3);
        Form form;
        form.data = "tiles, offset " + std::to_string(offset);
        form.x = &x;
        form.scale = &scale;
        form.shift = &shift;
        Typed y(type, shape);
        // The tiles' tensors look into x and y.
        const int64_t height = shape[2] / 3, width = shape[3] / 2;
        const Shape strides = Contiguous(shape);
        std::vector<haline_tensor> in, out;
        std::vector<Shape> shapes;
        for (int64_t i = 0; i < 6; i++) {
          const int64_t row = i / 2 * height, column = i % 2 * width;
          shapes.push_back(
              {shape[0], shape[1], i / 2 == 2 ? shape[2] - row : height, i % 2 ? shape[3] - column : width});
          for (std::vector<haline_tensor> *tensors : {&in, &out}) {
            haline_tensor t = tensors == &in ? *x.t() : *y.t();
            t.strides = const_cast<int64_t *>(strides.data());
            t.byte_offset = static_cast<uint64_t>((row * shape[3] + column) * Size(type));
            tensors->push_back(t);
          }
        }
        haline_options options = Options(form);
        options.backend = backend().c_str();
        std::vector<Tile> tiles;
        for (size_t i = 0; i < 6; i++) {
          in[i].shape = out[i].shape = shapes[i].data();
          tiles.emplace_back(Shape{shape[0], shape[1]});
          ASSERT_EQ(haline_moments(&in[i], &tiles[i].count, tiles[i].mean.t(), tiles[i].m2.t(), &options), HALINE_OK)
              << haline_error_message();
        }
        const Tile whole = Merge(tiles);
        EXPECT_EQ(whole.count, form.size());
        Typed variance = whole.m2;
        for (int64_t p = 0; p < variance.count(); p++)
          variance.Set(p, whole.m2.Get(p) / static_cast<double>(whole.count));
        options.given_mean = whole.mean.t();
        options.given_variance = variance.t();
        for (size_t i = 0; i < 6; i++) {
          ASSERT_EQ(haline_instance_norm(&in[i], scale.t(), shift.t(), &out[i], &options), HALINE_OK)
              << haline_error_message();
          Ran(Describe(form) + " tile " + std::to_string(i));
        }
        EXPECT_TRUE(y.RestUntouched());
        if (type == Type::kF64) {
          // Merged moments are as good as sums in double, no better.
          const Typed wanted = Run(form);
          for (int64_t i = 0; i < y.count(); i++)
            ASSERT_LE(std::fabs(y.Get(i) - wanted.Get(i)), 1e-12) << Describe(form);
        } else {
          Check(form, y);
        }
      }
    }
  }
}

// given_count: M2 as it is, instead of the variance that it is of.
TEST_P(MomentsTest, ManyElementsAreTheirVariances) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : std::vector<Shape>{{2, 3, 5}, {2, 17, 11, 11}, {2, 20, 600}}) {
      const Typed x(type, shape, 1, 3, 2);
      Tile tile = MomentsOf(x);
      Typed variance = tile.m2, y[2] = {x, x};
      for (int64_t p = 0; p < variance.count(); p++) {
        variance.Set(p, variance.Get(p) / static_cast<double>(tile.count));
      }
      for (const bool m2 : {false, true}) {
        haline_options options = HALINE_OPTIONS_INIT;
        options.backend = backend().c_str();
        options.given_mean = tile.mean.t();
        options.given_variance = m2 ? tile.m2.t() : variance.t();
        options.given_count = m2 ? tile.count : 0;
        ASSERT_EQ(haline_instance_norm(x.t(), nullptr, nullptr, y[m2].t(), &options), HALINE_OK)
            << haline_error_message();
      }
      EXPECT_TRUE(y[0].bytes() == y[1].bytes()) << Text(shape);
    }
  }
}

TEST(MergeTest, IsSymmetric) {
  for (uint64_t seed = 1; seed < 50; seed++) {
    const Tile a = Given(static_cast<int64_t>(seed % 7 + 1), seed),
               b = Given(static_cast<int64_t>(seed % 5 + 1), seed + 100);
    EXPECT_EQ(Merge({a, b}).bytes(), Merge({b, a}).bytes());
  }
}

// By index: whichever pair is merged first, the pairs are the same.
TEST(MergeTest, IsATreeOverTheIndices) {
  std::vector<Tile> t;
  for (uint64_t i = 0; i < 8; i++) t.push_back(Given(static_cast<int64_t>(10 + 7 * i), 10 * i + 1));
  const auto left = Merge({t[0], t[1]}), right = Merge({t[2], t[3]}), four = Merge({left, right});
  EXPECT_EQ(Merge({t[0]}).bytes(), t[0].bytes());
  EXPECT_EQ(Merge({t[0], t[1], t[2]}).bytes(), Merge({left, t[2]}).bytes());
  EXPECT_EQ(Merge({t[0], t[1], t[2], t[3]}).bytes(), four.bytes());
  EXPECT_EQ(Merge({t[0], t[1], t[2], t[3], t[4]}).bytes(), Merge({four, t[4]}).bytes());
  EXPECT_EQ(Merge({t[0], t[1], t[2], t[3], t[4], t[5], t[6]}).bytes(),
            Merge({four, Merge({t[4], t[5], t[6]})}).bytes());
  EXPECT_EQ(Merge(t).bytes(), Merge({four, Merge({t[4], t[5], t[6], t[7]})}).bytes());
  EXPECT_EQ(Merge({t[1], t[0], t[3], t[2]}).bytes(), four.bytes()) << "partners may be swapped";
  EXPECT_EQ(Merge({t[2], t[3], t[0], t[1]}).bytes(), four.bytes()) << "and pairs";
}

TEST(MergeTest, ATileOfNothingAddsNothing) {
  const Tile a = Given(9, 1), b = Given(5, 2);
  Tile none = Given(0, 3);
  none.mean.Fill(std::numeric_limits<double>::quiet_NaN());
  none.m2.Fill(std::numeric_limits<double>::infinity());
  EXPECT_EQ(Merge({a, none}).bytes(), a.bytes());
  EXPECT_EQ(Merge({none, a}).bytes(), a.bytes());
  EXPECT_EQ(Merge({none, a, none, b, none}).bytes(), Merge({a, b}).bytes());
}

TEST(MergeTest, MayGoIntoOneOfTheTiles) {
  const Tile a = Given(9, 1), b = Given(5, 2);
  Tile c = a;
  const int64_t counts[] = {9, 5};
  const haline_tensor *const means[] = {c.mean.t(), b.mean.t()}, *const m2s[] = {c.m2.t(), b.m2.t()};
  ASSERT_EQ(haline_merge_moments(2, counts, means, m2s, &c.count, c.mean.t(), c.m2.t(), nullptr), HALINE_OK);
  EXPECT_EQ(c.bytes(), Merge({a, b}).bytes());
}

TEST(MergeTest, WritesTheOneNan) {
  Tile a = Given(3, 1), b = Given(3, 2);
  a.mean.Fill(std::numeric_limits<double>::infinity());
  b.mean.SetBits(0, 0xfff8000000000123u);
  const Tile merged = Merge({a, b});
  for (int64_t p = 0; p < merged.m2.count(); p++) {
    EXPECT_EQ(merged.mean.Bits(p), OneNan(Type::kF64));
    EXPECT_EQ(merged.m2.Bits(p), p == 0 ? OneNan(Type::kF64) : ToBits(Type::kF64, HUGE_VAL));
  }
}

// Of one element each: the mean and M2 of all of them, against the oracle.
TEST(MergeTest, IsAccurateOverManyTiles) {
  const Typed x(Type::kF64, {1, 1, 1001}, 1, 1e6, 3);
  std::vector<Tile> tiles;
  for (int64_t i = 0; i < x.count(); i++) {
    tiles.emplace_back(Shape{1, 1});
    tiles.back().count = 1;
    tiles.back().mean.Set(0, x.Get(i));
  }
  const Tile merged = Merge(tiles);
  Form form;
  form.x = &x;
  const auto exact = Exactly<oracle::Widest>(form, 0);
  EXPECT_EQ(merged.count, 1001);
  EXPECT_LE(std::fabs(merged.mean.Get(0) - exact.mean), 1e-9);
  EXPECT_LE(std::fabs(merged.m2.Get(0) - exact.variance * 1001), 1e-8 * exact.variance * 1001);
}

HALINE_ON_EVERY_BACKEND(MomentsTest);

}  // namespace
}  // namespace haline::test

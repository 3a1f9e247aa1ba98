// Gradients of planes of every size and shape that could take another path, with options that go round, against the
// oracle; and what must vanish.
//
// SPDX-License-Identifier: MIT
#include "support/gradient_test.h"

#include <set>

#include "support/random.h"

namespace haline::test {

const int kLeastCases = 3700;

namespace {

using oracle::Wide;

// `planes` as N x C, by the `choice`-th of its divisors, of `size` elements in one to three dimensions.
Shape MakeShape(int64_t planes, int64_t size, int64_t choice) {
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d <= planes; d++) {
    if (planes % d == 0) divisors.push_back(d);
  }
  const int64_t batch = divisors[static_cast<size_t>(choice) % divisors.size()];
  Shape shape = {batch, planes / batch};
  if (size == 1 && choice % 5 == 0) return shape;
  for (const int64_t factor : {2, 3}) {
    if (choice % factor == 0 && size % factor == 0) {
      shape.push_back(factor);
      size /= factor;
    }
  }
  shape.push_back(size);
  return shape;
}

class GradientSizesTest : public GradientTest {
 protected:
  using GradientTest::Check;

  // Each case gets the next combination of options.
  void Check(int64_t planes, int64_t size) {
    turn_ += 41;
    CheckSettled(MakeGradientCase(MakeShape(planes, size, turn_), turn_));
  }
  void CheckSettled(GradientCase c) {
    Settle(&c);
    Check(c);
  }

 private:
  int64_t turn_ = 0;
};

TEST_P(GradientSizesTest, EverySizeTo300WithOneTo17Planes) {
  for (int64_t size = 1; size <= 300; size++) {
    for (int64_t planes = 1 + size % 2; planes <= 17; planes += 2) Check(planes, size);
  }
}

TEST_P(GradientSizesTest, BordersOfVectorsLanesAndChunksAndPrimes) {
  std::set<int64_t> sizes;
  for (int64_t size = 304; size <= 1408; size += 16) sizes.insert({size - 1, size, size + 1});
  for (int64_t size = 512; size <= 4096; size += 512) sizes.insert({size - 64, size - 1, size, size + 1, size + 64});
  for (int64_t size = 301; size <= 1400; size += 2) {
    int64_t factor = 3;
    while (factor * factor <= size && size % factor != 0) factor += 2;
    if (factor * factor > size) sizes.insert(size);
  }
  EXPECT_GE(sizes.size(), 360u);
  for (const int64_t size : sizes) {
    for (const int64_t planes : {1, 3, 8}) Check(size > 1100 ? (planes + 1) / 2 : planes, size);
  }
}

TEST_P(GradientSizesTest, BordersOfBlocks) {
  for (const int64_t blocks : {1, 2, 4}) {
    for (const int64_t more : {-129, -128, -127, -1, 0, 1, 64, 127, 128, 129, 8192}) {
      Check(more % 2 ? 1 : 2, 16384 * blocks + more);
    }
  }
}

TEST_P(GradientSizesTest, PlanesThatAllThreadsShare) {
  Check(1, (1 << 20) + 1);
  Check(2, (1 << 20) + 129);
  Check(3, 150001);
}

TEST_P(GradientSizesTest, TasksOfManyPlanes) {
  for (const int64_t size : {1, 2, 7, 16, 49, 63, 64, 100, 600}) {
    for (const Shape &planes : std::vector<Shape>{{1, 1025}, {3, 131}, {131, 3}, {67, 17}, {5, 37}}) {
      Shape shape = planes;
      shape.push_back(size);
      CheckSettled(MakeGradientCase(shape, 29 * size + shape[0]));
    }
  }
}

// What dx can't contain, as y does not depend on it: a constant, and x itself.
TEST_P(GradientSizesTest, WhatDependsOnNeitherMeanNorScaleVanishes) {
  for (const int64_t size : {2, 3, 16, 63, 64, 65, 300, 511, 512, 1000, 4099, 70000}) {
    for (const double mean : {0.5, 1e4}) {
      for (const int activation : {0, 1}) {
        GradientCase c;
        c.data = "vanishing, mean " + std::to_string(mean);
        c.shape = {2, 3, size};
        c.x = NormalValues(c.type, 6 * size, 5, mean, 2);
        c.dy = NormalValues(c.type, 6 * size, 6, 1);
        c.scale = NormalValues(c.type, 3, 7, 1, 0.5);
        c.eps = 0;
        if (activation) c.activation = HALINE_RELU;
        Settle(&c);
        const GradientResult result = Run(c);
        if (result.dx.empty()) continue;
        Check(c, result, Tolerance(c));
        for (int64_t plane = 0; plane < c.planes(); plane++) {
          std::vector<Wide> x(c.x.begin() + plane * size, c.x.begin() + (plane + 1) * size);
          const oracle::Moments moments = oracle::PlaneMoments(x.data(), size);
          const Wide rstd = oracle::Rstd(moments.variance, c.eps);
          Wide sum = 0, product = 0, largest = 1;
          for (int64_t i = 0; i < size; i++) {
            const Wide dx = FromBits(c.type, result.dx[static_cast<size_t>(plane * size + i)]);
            sum += dx;
            product += dx * (x[static_cast<size_t>(i)] - moments.mean) * rstd;
            largest = std::max(largest, std::fabs(dx));
          }
          // A rounding unit for each element: 84 times less than what each may be off by.
          const double tolerance = std::max(oracle::kBackward, static_cast<double>(size) * 0x1p-24);
          EXPECT_LE(static_cast<double>(std::fabs(sum) / largest), tolerance) << Describe(c) << ", plane " << plane;
          EXPECT_LE(static_cast<double>(std::fabs(product) / largest), tolerance) << Describe(c) << ", plane " << plane;
        }
      }
    }
  }
}

HALINE_ON_EVERY_BACKEND(GradientSizesTest);

}  // namespace
}  // namespace haline::test

// Every size and shape of planes that could take another path: vectors, lanes, chunks, blocks and their borders, on
// ordinary values, against the oracle.
//
// SPDX-License-Identifier: MIT
#include <set>

#include "support/backends.h"
#include "support/random.h"

namespace haline::test {

const int kLeastCases = 6800;

namespace {

// `planes` as N x C, by the `choice`-th of its divisors.
Shape BatchAndChannels(int64_t planes, int64_t choice) {
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d <= planes; d++) {
    if (planes % d == 0) divisors.push_back(d);
  }
  const int64_t batch = divisors[static_cast<size_t>(choice) % divisors.size()];
  return {batch, planes / batch};
}

// `size` as `dims` further extents, ones among them where it has too few factors.
Shape WithPlane(Shape shape, int64_t size, int64_t dims) {
  for (int64_t i = 1; i < dims; i++) {
    int64_t factor = 2;
    while (factor * factor <= size && size % factor != 0) factor++;
    if (size % factor != 0) factor = 1;
    shape.push_back(factor);
    size /= factor;
  }
  shape.push_back(size);
  return shape;
}

// A case whose rank, factors, options and alignment go round with `turn`.
Case MakeCase(int64_t planes, int64_t size, int64_t turn) {
  Shape shape = BatchAndChannels(planes, turn / 3);
  const int64_t channels = shape[1];
  if (size != 1 || turn % 5 != 0) shape = WithPlane(shape, size, 1 + turn % 4);
  Case c;
  c.data = "normal";
  c.x = Normals(planes * size, static_cast<uint64_t>(planes * 100003 + size), 0.5f, 2.f);
  c.shape = shape;
  if (turn % 4 & 1) c.scale = Normals(channels, 7, 1.f, 0.5f);
  if (turn % 4 & 2) c.shift = Normals(channels, 8);
  c.misaligned = static_cast<int>(turn % 7);
  c.in_place = turn % 3 == 0;
  return c;
}

class ForwardTest : public BackendTest {};

TEST_P(ForwardTest, EverySizeTo300WithOneTo17Planes) {
  for (int64_t size = 1; size <= 300; size++) {
    for (int64_t planes = 1; planes <= 17; planes++) Check(MakeCase(planes, size, size + 5 * planes));
  }
}

TEST_P(ForwardTest, BordersOfVectorsLanesAndChunksAndPrimes) {
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
    for (const int64_t planes : {1, 3, 8, 17}) Check(MakeCase(planes, size, size + 3 * planes));
  }
}

TEST_P(ForwardTest, BordersOfBlocks) {
  int64_t turn = 0;
  for (const int64_t blocks : {1, 2, 3}) {
    for (const int64_t more : {-129, -128, -127, -1, 0, 1, 64, 127, 128, 129, 32768}) {
      Check(MakeCase(1 + turn % 2, 65536 * blocks + more, turn));
      turn++;
    }
  }
}

TEST_P(ForwardTest, PlanesThatAllThreadsShare) {
  for (const int64_t more : {0, 1, 70000}) Check(MakeCase(1, (1 << 20) + more, more + 1));
  Check(MakeCase(2, (1 << 20) + 129, 2));
}

TEST_P(ForwardTest, ManySmallPlanes) {
  int64_t turn = 0;
  for (const int64_t size : {1, 2, 3, 4, 7, 16, 49, 63, 64, 65}) {
    for (const Shape &shape : std::vector<Shape>{{1, 1023}, {1, 1025}, {1, 2049}, {3, 1031}, {1031, 3}, {129, 17}}) {
      Case c = MakeCase(shape[0] * shape[1], size, turn);
      c.shape = WithPlane(shape, size, 1 + turn % 3);
      if (!c.scale.empty()) c.scale = Normals(shape[1], 9, 1.f, 0.5f);
      if (!c.shift.empty()) c.shift = Normals(shape[1], 10);
      Check(c);
      turn++;
    }
  }
}

// Tasks of several samples, of a part of the channels, and a last one that is smaller than the others.
TEST_P(ForwardTest, ShapesThatTasksDoNotDivide) {
  int64_t turn = 0;
  for (const int64_t size : {64, 100, 256, 1000}) {
    for (const Shape &shape : std::vector<Shape>{{5, 37}, {37, 5}, {2, 131}, {67, 2}, {7, 29}}) {
      Case c = MakeCase(shape[0] * shape[1], size, turn);
      c.shape = WithPlane(shape, size, 2);
      if (!c.scale.empty()) c.scale = Normals(shape[1], 9, 1.f, 0.5f);
      if (!c.shift.empty()) c.shift = Normals(shape[1], 10);
      Check(c);
      turn++;
    }
  }
}

TEST_P(ForwardTest, EveryRankAndAlignment) {
  for (int64_t dims = 1; dims <= 4; dims++) {
    for (int misaligned = 0; misaligned < 16; misaligned++) {
      for (const int64_t size : {36, 360, 2520}) {
        Case c = MakeCase(6, size, 3);
        c.shape = WithPlane({2, 3}, size, dims);
        c.scale = Normals(3, 7, 1.f, 0.5f);
        c.shift = Normals(3, 8);
        c.misaligned = misaligned;
        c.in_place = misaligned % 2 == 0;
        Check(c);
      }
    }
  }
}

HALINE_ON_EVERY_BACKEND(ForwardTest);

}  // namespace
}  // namespace haline::test

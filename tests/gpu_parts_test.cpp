// How problems are cut for GPUs, also those that no memory here could hold: every part within a launch's limits and
// 32-bit indices, and as large as these allow.
//
// SPDX-License-Identifier: MIT
#include "runtime/gpu_parts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace haline {
namespace {

// A tensor's planes: contiguous, or channels-last.
Array Planes(const Problem &problem, bool last) {
  static char somewhere;
  Array array;
  array.data = &somewhere;
  array.loops[0] = {problem.size(), last ? problem.channels : 1};
  array.c_stride = last ? 1 : problem.size();
  array.n_stride = problem.channels * problem.size();
  return array;
}

Problem Of(int64_t batch, int64_t channels, int64_t size, bool last = false) {
  Problem problem;
  problem.batch = batch;
  problem.channels = channels;
  problem.extent = size;
  problem.x = problem.y = Planes(problem, last);
  return problem;
}

// Every plane in one part, and no part too large.
void ExpectSound(const Problem &problem) {
  SCOPED_TRACE(testing::Message() << problem.batch << " x " << problem.channels << " x " << problem.size());
  const PartExtents part = GpuParts(problem);
  ASSERT_GE(part.channels, 1);
  ASSERT_GE(part.batch, 1);
  EXPECT_LE(part.channels, kMostGpuBlocks);
  EXPECT_LE(part.batch, kMostGpuBlocks);
  EXPECT_LE(part.channels * part.batch, kMostGpuPlanes);
  EXPECT_LE(part.channels * part.batch * problem.size(), kMostIndex);
  EXPECT_TRUE(part.batch == 1 || part.channels == problem.channels);
  for (const Array *array : {&problem.x, &problem.y}) {
    if (!Direct(*array) || Indexable(*array, {problem.channels, problem.batch})) continue;
    // The last element's index, and the length of each dimension, which Halide checks.
    const int64_t last = (problem.size() - 1) * array->loops[0].stride + (part.channels - 1) * array->c_stride +
                         (part.batch - 1) * array->n_stride;
    EXPECT_LE(last, kMostIndex);
    EXPECT_LE(problem.size() * array->loops[0].stride, kMostIndex);
    EXPECT_TRUE(part.channels == 1 || part.channels * array->c_stride <= kMostIndex);
    EXPECT_TRUE(part.batch == 1 || part.batch * array->n_stride <= kMostIndex);
  }
}

TEST(GpuPartsTest, WholeWhereItFits) {
  for (const bool last : {false, true}) {
    const PartExtents part = GpuParts(Of(8, 64, 1024, last));
    EXPECT_EQ(part.channels, 64);
    EXPECT_EQ(part.batch, 8);
  }
}

TEST(GpuPartsTest, WithinAllLimits) {
  const std::vector<int64_t> extents = {
      1, 2, 3, 63, 64, 1000, 65535, 65536, 70000, 300000, int64_t{1} << 24, (int64_t{1} << 30) + 1, kMostIndex};
  int problems = 0;
  for (const int64_t batch : extents) {
    for (const int64_t channels : extents) {
      for (const int64_t size : extents) {
        if (static_cast<double>(batch) * static_cast<double>(channels) * static_cast<double>(size) > 1e18) continue;
        ExpectSound(Of(batch, channels, size));
        ExpectSound(Of(batch, channels, size, true));
        problems++;
      }
    }
  }
  EXPECT_GT(problems, 1000);
}

TEST(GpuPartsTest, OfNothing) {
  for (const Problem &problem : {Of(0, 3, 8), Of(2, 0, 8), Of(2, 3, 0)}) {
    const PartExtents part = GpuParts(problem);
    EXPECT_LE(part.channels, problem.channels);
    EXPECT_GE(part.batch, 0);
  }
}

// One sample at a time, as each has a length of its own; but no more parts than that.
TEST(GpuPartsTest, Lengths) {
  Problem problem = Of(8, 64, 1024);
  const int64_t lengths[8] = {};
  problem.lengths = reinterpret_cast<const char *>(lengths);
  EXPECT_EQ(GpuParts(problem).channels, 64);
  EXPECT_EQ(GpuParts(problem).batch, 1);
}

TEST(GpuPartsTest, Strides) {
  // Planes that lie far apart: one at a time, at an address of its own.
  Problem far = Of(4, 4, 100);
  far.x.c_stride = int64_t{1} << 31;
  far.x.n_stride = int64_t{1} << 40;
  ExpectSound(far);
  EXPECT_EQ(GpuParts(far).channels, 1);
  // All of them the same plane: no more than there are.
  Problem same = Of(70000, 70000, 1 << 20);
  same.x.c_stride = same.x.n_stride = 0;
  ExpectSound(same);
  // Channels-last, of planes that reach too far for 32 bits: copied.
  const Problem last = Of(1, 256, int64_t{1} << 24, true);
  EXPECT_FALSE(Direct(last.x));
  EXPECT_TRUE(Copyable(last.x));
  EXPECT_EQ(GpuParts(last).channels, kMostIndex >> 24);
  Array worst = last.x;
  worst.loops[0].stride = int64_t{1} << 31;
  EXPECT_FALSE(Copyable(worst));
}

}  // namespace
}  // namespace haline

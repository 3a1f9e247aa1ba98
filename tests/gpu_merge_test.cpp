// Moments of tiles on a device, put together there, on OpenCL.
//
// SPDX-License-Identifier: MIT
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "support/gpu_test.h"

namespace haline::test {
namespace {

// Tiles on the device, and nothing on the host but their counts: the bytes of the processor's.
class GpuMergeTest : public GpuTest {
 protected:
  struct Tile {
    Typed mean, m2;
    OpenClTensor there_mean, there_m2;
    Tile(const OpenClQueue &queue, Typed means, Typed m2s)
        : mean(std::move(means)), m2(std::move(m2s)), there_mean(queue, mean), there_m2(queue, m2) {}
  };

  std::unique_ptr<Tile> MakeTile(const Shape &planes, uint64_t seed, double special = 0) {
    Typed mean(Type::kF64, planes, seed, 1, 2);
    if (special != 0) mean.Set(mean.count() - 1, special);
    return std::make_unique<Tile>(queue_, mean, Typed(Type::kF64, planes, seed + 1, 50, 1));
  }

  // Both merges into the tile at `into`, or, of none, into a tile of their own.
  void Compare(std::vector<std::unique_ptr<Tile>> *tiles, const std::vector<int64_t> &counts, int into) {
    SCOPED_TRACE(testing::Message() << counts.size() << " tiles into " << into);
    const Shape planes = (*tiles)[0]->mean.shape();
    const std::unique_ptr<Tile> own = MakeTile(planes, 7);
    Tile &result = into < 0 ? *own : *(*tiles)[static_cast<size_t>(into)];
    for (const bool there : {true, false}) {
      std::vector<const haline_tensor *> means, m2s;
      for (size_t i = 0; i < counts.size(); i++) {
        Tile &tile = *(*tiles)[i];
        means.push_back(there ? tile.there_mean.t() : tile.mean.t());
        m2s.push_back(there ? tile.there_m2.t() : tile.m2.t());
      }
      int64_t count = -1;
      ASSERT_EQ(haline_merge_moments(static_cast<int32_t>(counts.size()), counts.data(), means.data(), m2s.data(),
                                     &count, there ? result.there_mean.t() : result.mean.t(),
                                     there ? result.there_m2.t() : result.m2.t(), there ? &options_ : nullptr),
                HALINE_OK)
          << haline_error_message();
      EXPECT_EQ(count, std::accumulate(counts.begin(), counts.end(), int64_t{0}));
    }
    EXPECT_TRUE(result.mean.bytes() == result.there_mean.bytes());
    EXPECT_TRUE(result.m2.bytes() == result.there_m2.bytes());
  }
};

TEST_F(GpuMergeTest, TheProcessorsBytes) {
  // Tiles without elements, as many elements, more and fewer; more tensors than haline's scratch memory has room for.
  const std::vector<std::vector<int64_t>> all = {
      {5}, {3, 3}, {0, 4, 4, 0, 4}, {1, 1000000007, 3, 3, 16, 0, 2}, std::vector<int64_t>(100, 12)};
  for (const Shape &planes : {Shape{1, 1}, Shape{2, 3}, Shape{5, 70}, Shape{70000, 2}}) {
    for (const std::vector<int64_t> &counts : all) {
      if (planes[0] == 70000 && counts.size() > 10) continue;
      for (const int into : {-1, 0, static_cast<int>(counts.size()) - 1}) {
        std::vector<std::unique_ptr<Tile>> tiles;
        for (size_t i = 0; i < counts.size(); i++) {
          // Equal ones, a NaN, and what overflows to one; else others.
          const double special = i == 1 ? 1e300 : i == 3 ? -1e300 : i == 4 ? std::nan("") : 0;
          tiles.push_back(MakeTile(planes, i / 2 + 1, special));
        }
        Compare(&tiles, counts, into);
        if (HasFailure()) return;
      }
    }
  }
}

// Moments of tiles, merged, and the tiles normalised by them: whole on the device, M2 and count as they are.
TEST_F(GpuMergeTest, SplitStatistics) {
  const Shape shape = {2, 3, 40, 9};
  for (const Type type : kFloatTypes) {
    std::vector<std::unique_ptr<OpenClTensor>> x, y, mean, m2;
    std::vector<const haline_tensor *> means, m2s, host_means, host_m2s;
    std::vector<Typed> tiles, host_mean, host_m2;
    int64_t counts[2], count = 0, host_count = 0;
    haline_options host = HALINE_OPTIONS_INIT;
    const Typed numbers(Type::kF64, {2, 3});
    for (const size_t i : {0, 1}) {
      tiles.emplace_back(type, shape, 91 + i, 3);
      host_mean.push_back(numbers);
      host_m2.push_back(numbers);
    }
    for (const size_t i : {0, 1}) {
      x.push_back(std::make_unique<OpenClTensor>(queue_, tiles[i]));
      mean.push_back(std::make_unique<OpenClTensor>(queue_, numbers));
      m2.push_back(std::make_unique<OpenClTensor>(queue_, numbers));
      ASSERT_EQ(haline_moments(x[i]->t(), &counts[i], mean[i]->t(), m2[i]->t(), &options_), HALINE_OK);
      ASSERT_EQ(haline_moments(tiles[i].t(), &counts[i], host_mean[i].t(), host_m2[i].t(), nullptr), HALINE_OK);
      means.push_back(mean[i]->t());
      m2s.push_back(m2[i]->t());
      host_means.push_back(host_mean[i].t());
      host_m2s.push_back(host_m2[i].t());
    }
    ASSERT_EQ(haline_merge_moments(2, counts, means.data(), m2s.data(), &count, mean[0]->t(), m2[0]->t(), &options_),
              HALINE_OK)
        << haline_error_message();
    ASSERT_EQ(haline_merge_moments(2, counts, host_means.data(), host_m2s.data(), &host_count, host_mean[0].t(),
                                   host_m2[0].t(), nullptr),
              HALINE_OK);
    EXPECT_EQ(count, 720);
    options_.given_mean = mean[0]->t();
    options_.given_variance = m2[0]->t();
    options_.given_count = count;
    for (int64_t p = 0; p < 6; p++) host_m2[0].Set(p, host_m2[0].Get(p) / static_cast<double>(count));
    host.given_mean = host_mean[0].t();
    host.given_variance = host_m2[0].t();
    for (const size_t i : {0, 1}) {
      Typed y = tiles[i];
      ASSERT_EQ(haline_instance_norm(x[i]->t(), nullptr, nullptr, x[i]->t(), &options_), HALINE_OK)
          << haline_error_message();
      ASSERT_EQ(haline_instance_norm(tiles[i].t(), nullptr, nullptr, y.t(), &host), HALINE_OK);
      EXPECT_TRUE(x[i]->bytes() == y.bytes()) << Name(type);
    }
  }
}

}  // namespace
}  // namespace haline::test

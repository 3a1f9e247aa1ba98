// Tensors of more than 2^31 elements. Slow, so only with HALINE_TEST_SLOW=1 (ctest -L slow). No machine needs 17 GB for
// it: both tensors are one window of memory that is mapped again and again, but for the pieces that are looked at.
//
// SPDX-License-Identifier: MIT
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "support/backends.h"
#include "support/random.h"

namespace haline::test {

const int kLeastCases = 0;  // looks at parts of a result, and so does not use the fixture's counting

namespace {

constexpr int64_t kWindow = int64_t{1} << 24;  // elements
constexpr int64_t kBytes = kWindow * static_cast<int64_t>(sizeof(float));

// `windows` windows of address space, all showing the same memory, but the last, which has memory of its own where
// `own_last` says so.
class Repeated {
 public:
  Repeated(int64_t windows, bool own_last) : bytes_(static_cast<size_t>(windows * kBytes)) {
    const int file = memfd_create("haline_large_test", 0);
    void *all = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (file < 0 || all == MAP_FAILED || ftruncate(file, 2 * kBytes) != 0) throw std::runtime_error("no memory to map");
    data_ = static_cast<float *>(all);
    for (int64_t i = 0; i < windows; i++) {
      const off_t offset = own_last && i == windows - 1 ? kBytes : 0;
      if (mmap(data_ + i * kWindow, static_cast<size_t>(kBytes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
               offset) == MAP_FAILED) {
        throw std::runtime_error("no memory to map");
      }
    }
    close(file);
  }
  ~Repeated() { munmap(data_, bytes_); }
  Repeated(const Repeated &) = delete;
  Repeated &operator=(const Repeated &) = delete;
  float *data() const { return data_; }

 private:
  size_t bytes_;
  float *data_;
};

class LargeTest : public BackendTest {
 protected:
  void SetUp() override {
    const char *slow = std::getenv("HALINE_TEST_SLOW");
    if (!slow || std::strcmp(slow, "1") != 0) GTEST_SKIP() << "slow: set HALINE_TEST_SLOW=1 to run it";
  }

  void Normalize(const float *x, float *y, const Shape &shape) {
    const haline_tensor tx = Tensor(x, shape);
    haline_tensor ty = Tensor(y, shape);
    haline_options options = HALINE_OPTIONS_INIT;
    options.backend = backend().c_str();
    ASSERT_EQ(haline_instance_norm(&tx, nullptr, nullptr, &ty, &options), HALINE_OK) << haline_error_message();
    EXPECT_TRUE(IsTargetOf(haline_last_target(), backend()));
  }
};

// Many planes: the last ones lie beyond 2^31 elements.
TEST_P(LargeTest, ManyPlanes) {
  constexpr int64_t kSize = 1 << 14, kChannels = 1 << 10, kBatch = 129;  // 2^24 elements a sample
  const Repeated x(kBatch, true), y(kBatch, true);
  const std::vector<float> first = Normals(kWindow, 1), last = Normals(kWindow, 2, 5.f);
  std::memcpy(x.data(), first.data(), kBytes);
  float *const x_last = x.data() + (kBatch - 1) * kWindow, *const y_last = y.data() + (kBatch - 1) * kWindow;
  std::memcpy(x_last, last.data(), kBytes);
  Normalize(x.data(), y.data(), {kBatch, kChannels, kSize});
  const Case first_case{"first sample", {1, kChannels, kSize}, first},
      last_case{"last sample", {1, kChannels, kSize}, last};
  EXPECT_LE(WorstError(first_case, {y.data(), y.data() + kWindow}, 0, 3).error, oracle::kForward);
  EXPECT_LE(WorstError(last_case, {y_last, y_last + kWindow}, 0, 3).error, oracle::kForward);
  EXPECT_LE(WorstError(last_case, {y_last, y_last + kWindow}, kChannels - 3, kChannels).error, oracle::kForward);
}

// One plane of 2^31 - 1 elements, the most there may be: 127 times one window, and another but for its last element.
TEST_P(LargeTest, OnePlane) {
  constexpr int64_t kWindows = 128, kSize = kWindows * kWindow - 1;
  static_assert(kSize == INT32_MAX);
  const Repeated x(kWindows, true), y(kWindows, true);
  const std::vector<float> first = Normals(kWindow, 3, 1.f), last = Normals(kWindow, 4, -2.f, 3.f);
  float *const x_last = x.data() + (kWindows - 1) * kWindow, *const y_last = y.data() + (kWindows - 1) * kWindow;
  std::memcpy(x.data(), first.data(), kBytes);
  std::memcpy(x_last, last.data(), kBytes);
  Normalize(x.data(), y.data(), {1, 1, kSize});

  const oracle::Moments a = oracle::PlaneMoments(first.data(), kWindow);
  const oracle::Moments b = oracle::PlaneMoments(last.data(), kWindow - 1);
  const oracle::Wide weight = oracle::Wide(kWindow - 1) / kSize, apart = b.mean - a.mean;
  const oracle::Moments all = {a.mean + weight * apart,
                               a.variance * (1 - weight) + b.variance * weight + weight * (1 - weight) * apart * apart};
  int64_t wrong = 0;
  const auto look = [&](float y_value, float x_value) {
    wrong += !(oracle::ForwardError(y_value, oracle::Normalize(x_value, all, 1e-5, 1, 0), 1) <= oracle::kForward);
  };
  for (int64_t i = 0; i < kWindow; i++) look(y.data()[i], first[static_cast<size_t>(i)]);
  for (int64_t i = 0; i < kWindow - 1; i++) look(y_last[i], last[static_cast<size_t>(i)]);
  EXPECT_EQ(wrong, 0);
}

HALINE_ON_EVERY_PROCESSOR(LargeTest);

}  // namespace
}  // namespace haline::test

// One result, whatever computes it: the same bytes on every back end, with any number of threads, in place or not,
// wherever in memory, alone or in a batch.
//
// SPDX-License-Identifier: MIT
#include <cfloat>
#include <limits>

#include "support/backends.h"
#include "support/random.h"

namespace haline::test {

const int kLeastCases = 3500;

namespace {

Case MakeCase(const Shape &shape, uint64_t seed) {
  Case c{"normal", shape, Normals(Count(shape), seed, 0.25f, 3.f)};
  c.scale = Normals(shape[1], seed + 1, 1.f, 0.5f);
  c.shift = Normals(shape[1], seed + 2, 0.f, 4.f);  // some larger than 2: the other form of y
  return c;
}

// What may take a path of its own, each in some planes of a batch of ordinary ones.
Case MakeSpecialCase(const Shape &shape, uint64_t seed) {
  Case c = MakeCase(shape, seed);
  c.data = "special";
  const float specials[] = {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            FLT_MAX,
                            1e30f,
                            1e20f,
                            1e6f,
                            0x1p-149f,
                            0.f};
  const int64_t size = c.size();
  Random random(seed);
  for (int64_t p = 0; p < c.planes(); p += 2) {
    float *plane = &c.x[static_cast<size_t>(p * size)];
    const float special = specials[(p / 2) % 9];
    if (p % 4 == 0) {
      plane[random.Below(size)] = special;
    } else {
      for (int64_t i = 0; i < size; i++) plane[i] *= special;
    }
  }
  return c;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  uint64_t seed = 100;
  for (const int64_t size :
       {1, 2, 3, 8, 15, 16, 17, 31, 49, 63, 64, 65, 80, 127, 200, 511, 512, 513, 575, 1000, 1024, 4099, 65536, 65537}) {
    for (const Shape &shape :
         std::vector<Shape>{{1, 1, size}, {1, 3, size}, {2, 9, size}, {5, 4, size}, {3, 37, size}}) {
      if (Count(shape) > 400000) continue;
      cases.push_back(MakeCase(shape, seed += 3));
      cases.push_back(MakeSpecialCase(shape, seed += 3));
    }
  }
  cases.push_back(MakeSpecialCase({70, 1025, 4}, 1));
  cases.push_back(MakeCase({1, 2, 200000}, 2));          // few planes: all threads on one
  cases.push_back(MakeSpecialCase({1, 3, 131072}, 3));   // the same, just
  cases.push_back(MakeCase({1, 1, (1 << 20) + 77}, 4));  // more than 2^20 elements
  cases.push_back(MakeSpecialCase({1, 2, (1 << 20) + 1}, 5));
  return cases;
}

class BitsTest : public BackendTest {
 protected:
  void TearDown() override { haline_set_num_threads(0); }

  void ExpectSame(const float *a, const float *b, int64_t count, const std::string &what) {
    const int64_t at = FirstDifference(a, b, count);
    if (at >= 0) ADD_FAILURE() << what << ": element " << at << " is " << a[at] << " and " << b[at];
  }

  void ExpectSame(const std::vector<float> &a, const std::vector<float> &b, const std::string &what) {
    ASSERT_EQ(a.size(), b.size()) << what;
    ExpectSame(a.data(), b.data(), static_cast<int64_t>(a.size()), what);
  }
};

TEST_P(BitsTest, SameAsOnTheFirstBackEnd) {
  const std::string first = RunnableBackends().front();
  for (const Case &c : Cases()) ExpectSame(Run(c), test::Run(c, first), Describe(c));
}

TEST_P(BitsTest, SameWithAnyNumberOfThreads) {
  for (const Case &c : Cases()) {
    ASSERT_EQ(haline_set_num_threads(1), HALINE_OK);
    const std::vector<float> one = Run(c);
    for (const int threads : {2, 3, 7}) {
      if (Count(c.shape) < 32768 && threads != 3) continue;  // those run on the caller alone
      ASSERT_EQ(haline_set_num_threads(threads), HALINE_OK);
      ExpectSame(Run(c), one, Describe(c) + ", " + std::to_string(threads) + " threads");
    }
  }
}

TEST_P(BitsTest, SameInPlaceAndAtAnyAlignment) {
  for (Case c : Cases()) {
    const std::vector<float> y = Run(c);
    for (const int misaligned : {0, 1, 2, 5, 15}) {
      c.misaligned = misaligned;
      c.in_place = misaligned % 2 == 0;
      ExpectSame(Run(c), y, Describe(c));
    }
  }
}

TEST_P(BitsTest, SameAloneAndInABatch) {
  for (const Case &c : Cases()) {
    const std::vector<float> y = Run(c);
    const int64_t size = c.size(), step = std::max<int64_t>(1, c.planes() / 23);
    if (y.empty()) continue;
    for (int64_t p = 0; p < c.planes(); p += step) {
      const std::vector<float> alone = Run(Alone(c, p));
      ASSERT_EQ(static_cast<int64_t>(alone.size()), size);
      ExpectSame(alone.data(), &y[static_cast<size_t>(p * size)], size,
                 Describe(c) + ", plane " + std::to_string(p) + " alone");
    }
  }
}

// The same planes with their channels turned round, so that each sits at another place of a vector and of a task.
TEST_P(BitsTest, SameAtAnotherChannel) {
  for (const Case &c : Cases()) {
    const std::vector<float> y = Run(c);
    const int64_t size = c.size(), channels = c.shape[1], turn = channels / 2 + 1;
    if (y.empty()) continue;
    Case turned = c;
    turned.data += " turned";
    const auto other = [&](int64_t p) { return p / channels * channels + (p + turn) % channels; };
    for (int64_t p = 0; p < c.planes(); p++) {
      std::copy_n(c.x.begin() + p * size, size, turned.x.begin() + other(p) * size);
      turned.scale[static_cast<size_t>(other(p) % channels)] = c.scale_of(p);
      turned.shift[static_cast<size_t>(other(p) % channels)] = c.shift_of(p);
    }
    const std::vector<float> z = Run(turned);
    ASSERT_EQ(y.size(), z.size());
    for (int64_t p = 0; p < c.planes(); p++) {
      ExpectSame(&z[static_cast<size_t>(other(p) * size)], &y[static_cast<size_t>(p * size)], size,
                 Describe(c) + ", plane " + std::to_string(p) + " at another channel");
    }
  }
}

HALINE_ON_EVERY_BACKEND(BitsTest);

}  // namespace
}  // namespace haline::test

// Random numbers that are the same on every machine: integers, and floats made from them by exact or single-rounded
// operations. (std::normal_distribution goes through libm, whose last bits differ.)
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_RANDOM_H_
#define HALINE_TESTS_SUPPORT_RANDOM_H_

#include <cstdint>
#include <vector>

namespace haline::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {  // splitmix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  int64_t Below(int64_t count) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(count)); }

  // [0, 1), 24 bits.
  float Uniform() { return static_cast<float>(Next() >> 40) * 0x1p-24f; }

  // Mean 0, standard deviation 1, bell-shaped: the sum of four uniform numbers.
  float Normal() {
    const uint64_t z = Next();
    const auto sum = static_cast<int64_t>((z & 0xffff) + ((z >> 16) & 0xffff) + ((z >> 32) & 0xffff) + (z >> 48));
    return static_cast<float>(sum - 131070) * (1.f / 37837.f);
  }

 private:
  uint64_t state_;
};

inline std::vector<float> Normals(int64_t count, uint64_t seed, float mean = 0, float deviation = 1) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float &v : values) v = random.Normal() * deviation + mean;
  return values;
}

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_RANDOM_H_

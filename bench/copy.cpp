// Stores that go past the caches save a large copy the read of what it overwrites; a small one is better off with
// memcpy, whose result stays in cache.
//
// SPDX-License-Identifier: MIT
#include "bench/copy.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace haline::bench {
namespace {

void Memcpy(float *to, const float *from, size_t count) { std::memcpy(to, from, count * sizeof(float)); }

#if defined(__x86_64__)

constexpr size_t kLine = 64;  // bytes

// The floats before the first whole line of `to`.
size_t Head(const float *to, size_t count) {
  return std::min(count, (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine / sizeof(float));
}

void StreamSse2(float *to, const float *from, size_t count) {
  size_t i = Head(to, count);
  Memcpy(to, from, i);
  for (; i + 16 <= count; i += 16) {
    const __m128 a = _mm_loadu_ps(from + i), b = _mm_loadu_ps(from + i + 4);
    const __m128 c = _mm_loadu_ps(from + i + 8), d = _mm_loadu_ps(from + i + 12);
    _mm_stream_ps(to + i, a);
    _mm_stream_ps(to + i + 4, b);
    _mm_stream_ps(to + i + 8, c);
    _mm_stream_ps(to + i + 12, d);
  }
  Memcpy(to + i, from + i, count - i);
  _mm_sfence();
}

// The same with one store a line.
__attribute__((target("avx512f"))) void StreamAvx512(float *to, const float *from, size_t count) {
  size_t i = Head(to, count);
  Memcpy(to, from, i);
  for (; i + 16 <= count; i += 16) _mm512_stream_ps(to + i, _mm512_loadu_ps(from + i));
  Memcpy(to + i, from + i, count - i);
  _mm_sfence();
}

#endif

}  // namespace

const std::vector<Copy> &Copies() {
  static const std::vector<Copy> copies = [] {
    std::vector<Copy> all = {{"memcpy", Memcpy}};
#if defined(__x86_64__)
    all.push_back({"non-temporal, SSE2", StreamSse2});
    if (__builtin_cpu_supports("avx512f")) all.push_back({"non-temporal, AVX-512", StreamAvx512});
#endif
    return all;
  }();
  return copies;
}

const Copy &FasterCopy(float *to, const float *from, size_t count) {
  using Clock = std::chrono::steady_clock;
  const std::vector<Copy> &candidates = Copies();
  // Rounds of about a millisecond, in turns; the best round of each, as a busy machine only ever slows one down. The
  // first copy of a round is not timed: the caches are as the other candidate left them.
  const size_t repeats = std::max<size_t>(1, (size_t{1} << 24) / std::max<size_t>(1, count));
  std::vector<double> best(candidates.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round < 5; round++) {
    for (size_t k = 0; k < candidates.size(); k++) {
      candidates[k].run(to, from, count);
      const Clock::time_point start = Clock::now();
      for (size_t i = 0; i < repeats; i++) candidates[k].run(to, from, count);
      best[k] = std::min(best[k], std::chrono::duration<double>(Clock::now() - start).count());
    }
  }
  return candidates[std::min_element(best.begin(), best.end()) - best.begin()];
}

}  // namespace haline::bench

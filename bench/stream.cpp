// Sums of two arrays: the arithmetic hides behind the memory, at every level of the caches. (Elements of 16 bits are
// added in pairs, as the floats they are not: what an addition takes does not depend on what it adds, but for
// denormals, which the caller keeps away.)
//
// SPDX-License-Identifier: MIT
#include "bench/stream.h"

#include <algorithm>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace haline::bench {
namespace {

void Plain(float *to, const float *a, const float *b, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = a[i] + b[i];
}

#if defined(__x86_64__)

// The floats before the first whole line of `to`.
size_t Head(const float *to, size_t count) {
  constexpr size_t kLine = 64;  // bytes
  return std::min(count, (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine / sizeof(float));
}

__attribute__((target("avx2"))) void Avx2(float *to, const float *a, const float *b, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    _mm256_storeu_ps(to + i, _mm256_add_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)));
  }
  Plain(to + i, a + i, b + i, count - i);
}

__attribute__((target("avx512f"))) void Avx512(float *to, const float *a, const float *b, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    _mm512_storeu_ps(to + i, _mm512_add_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
  }
  Plain(to + i, a + i, b + i, count - i);
}

void StreamSse2(float *to, const float *a, const float *b, size_t count) {
  size_t i = Head(to, count);
  Plain(to, a, b, i);
  for (; i + 16 <= count; i += 16) {
    const __m128 s = _mm_add_ps(_mm_loadu_ps(a + i), _mm_loadu_ps(b + i));
    const __m128 t = _mm_add_ps(_mm_loadu_ps(a + i + 4), _mm_loadu_ps(b + i + 4));
    const __m128 u = _mm_add_ps(_mm_loadu_ps(a + i + 8), _mm_loadu_ps(b + i + 8));
    const __m128 v = _mm_add_ps(_mm_loadu_ps(a + i + 12), _mm_loadu_ps(b + i + 12));
    _mm_stream_ps(to + i, s);
    _mm_stream_ps(to + i + 4, t);
    _mm_stream_ps(to + i + 8, u);
    _mm_stream_ps(to + i + 12, v);
  }
  Plain(to + i, a + i, b + i, count - i);
  _mm_sfence();
}

__attribute__((target("avx512f"))) void StreamAvx512(float *to, const float *a, const float *b, size_t count) {
  size_t i = Head(to, count);
  Plain(to, a, b, i);
  for (; i + 16 <= count; i += 16) {
    _mm512_stream_ps(to + i, _mm512_add_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
  }
  Plain(to + i, a + i, b + i, count - i);
  _mm_sfence();
}

#endif

}  // namespace

const std::vector<Stream> &Streams() {
  static const std::vector<Stream> streams = [] {
    std::vector<Stream> all = {{"plain", Plain}};
#if defined(__x86_64__)
    all.push_back({"non-temporal, SSE2", StreamSse2});
    if (__builtin_cpu_supports("avx2")) all.push_back({"AVX2", Avx2});
    if (__builtin_cpu_supports("avx512f")) {
      all.push_back({"AVX-512", Avx512});
      all.push_back({"non-temporal, AVX-512", StreamAvx512});
    }
#endif
    return all;
  }();
  return streams;
}

}  // namespace haline::bench

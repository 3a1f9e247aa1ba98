#include "stream.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace haline {
namespace {

#if defined(__x86_64__)

// Less than a line: its other part is written before or after, and meets this one in the same write-combining buffer.
void StoreEdge(char *to, const char *from, int64_t bytes) {
  const auto at = [&](int64_t i, int64_t size) {
    return bytes - i >= size && reinterpret_cast<uintptr_t>(to + i) % static_cast<uintptr_t>(size) == 0;
  };
  for (int64_t i = 0; i < bytes;) {
    if (at(i, 16)) {
      _mm_stream_si128(reinterpret_cast<__m128i *>(to + i),
                       _mm_loadu_si128(reinterpret_cast<const __m128i *>(from + i)));
      i += 16;
    } else if (at(i, 4)) {
      int32_t word;
      std::memcpy(&word, from + i, sizeof(word));
      _mm_stream_si32(reinterpret_cast<int *>(to + i), word);
      i += 4;
    } else {
      to[i] = from[i];
      i++;
    }
  }
}

void StoreSse2(char *to, const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i *>(to + i), _mm_loadu_si128(reinterpret_cast<const __m128i *>(from + i)));
  }
}

// A line at a time: four times as many of them fit into the store buffer.
__attribute__((target("avx512f"))) void StoreAvx512(char *to, const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += kLine) {
    _mm512_stream_si512(reinterpret_cast<__m512i *>(to + i), _mm512_loadu_si512(from + i));
  }
}

using StoreLines = void (*)(char *, const char *, int64_t);
const StoreLines store_lines = __builtin_cpu_supports("avx512f") ? StoreAvx512 : StoreSse2;

void Store(char *to, const char *from, int64_t bytes) {
  const int64_t head =
      std::min(bytes, static_cast<int64_t>(-reinterpret_cast<uintptr_t>(to) % static_cast<uintptr_t>(kLine)));
  const int64_t lines = (bytes - head) / kLine * kLine, tail = bytes - head - lines;
  if (head > 0) StoreEdge(to, from, head);
  store_lines(to + head, from + head, lines);
  if (tail > 0) StoreEdge(to + head + lines, from + head + lines, tail);
}

void Fence() { _mm_sfence(); }

#else

void Store(char *to, const char *from, int64_t bytes) { std::memcpy(to, from, static_cast<size_t>(bytes)); }

void Fence() {}

#endif

}  // namespace

void StreamOut(char *to, const char *from, int64_t bytes, Fetches *fetches) {
  constexpr int64_t kStep = 4 * kLine;
  for (int64_t i = 0; i < bytes;) {
    // Steps end with lines.
    const int64_t step = std::min(bytes - i, kStep - static_cast<int64_t>(reinterpret_cast<uintptr_t>(to + i) % kLine));
    Store(to + i, from + i, step);
    fetches->Fetch(step);
    i += step;
  }
}

void StreamFence() { Fence(); }

}  // namespace haline

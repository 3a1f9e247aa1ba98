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

namespace {

// See generators/stream.h. `ahead` is a distance in bytes; 0 and kOnlyFetch: kNear.
inline __attribute__((always_inline)) const char *WhatToFetch(const char *next, int64_t bytes, int32_t ahead) {
  using namespace haline;
  if (ahead == 0 || ahead == kOnlyFetch) return next + kNear;
  next += ahead;
  // Farther away, a page may be new: see Touch. Nearer, `next` may lie past the end of the tensor.
  const int64_t page = static_cast<int64_t>(-reinterpret_cast<uintptr_t>(next) % uintptr_t{kPage});
  if (page < bytes && (ahead < 0 || ahead > kNear)) Touch(next + page);
  return next;
}

inline __attribute__((always_inline)) void Prefetch(const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += haline::kLine) __builtin_prefetch(from + i, 0, 3);
}

int32_t StreamAny(char *to, int32_t to_index, const char *from, int32_t from_index, const char *next,
                  int32_t next_index, int32_t count, int32_t size, int32_t ahead) {
  const int64_t bytes = int64_t{count} * size;
  Prefetch(WhatToFetch(next + int64_t{next_index} * size, bytes, ahead), bytes);
  if (ahead == haline::kOnlyFetch) return 0;
  haline::Store(to + int64_t{to_index} * size, from + int64_t{from_index} * size, bytes);
  return 0;
}

#if defined(__x86_64__)

// The same in one piece: memory leaves some 80 cycles for a chunk.
__attribute__((target("avx512f"))) int32_t StreamAvx512(char *to, int32_t to_index, const char *from,
                                                        int32_t from_index, const char *next, int32_t next_index,
                                                        int32_t count, int32_t size, int32_t ahead) {
  const int64_t bytes = int64_t{count} * size;
  char *const out = to + int64_t{to_index} * size;
  if (ahead == haline::kOnlyFetch || reinterpret_cast<uintptr_t>(out) % uintptr_t{haline::kLine} != 0) {
    return StreamAny(to, to_index, from, from_index, next, next_index, count, size, ahead);
  }
  const char *const in = from + int64_t{from_index} * size;
  const char *const fetched = WhatToFetch(next + int64_t{next_index} * size, bytes, ahead);
  for (int64_t i = 0; i < bytes; i += haline::kLine) {  // a chunk is whole lines
    __builtin_prefetch(fetched + i, 0, 3);
    _mm512_stream_si512(reinterpret_cast<__m512i *>(out + i), _mm512_loadu_si512(in + i));
  }
  return 0;
}

const auto stream = __builtin_cpu_supports("avx512f") ? StreamAvx512 : StreamAny;

#else

constexpr auto stream = StreamAny;

#endif

}  // namespace

// What the generators' Fetch and Stream call.
extern "C" int32_t kernel_fetch(const char *next, int32_t index, int32_t count, int32_t size, int32_t ahead) {
  const int64_t bytes = int64_t{count} * size;
  Prefetch(WhatToFetch(next + int64_t{index} * size, bytes, ahead), bytes);
  return 0;
}

extern "C" int32_t kernel_stream(char *to, int32_t to_index, const char *from, int32_t from_index, const char *next,
                                 int32_t next_index, int32_t count, int32_t size, int32_t ahead) {
  return stream(to, to_index, from, from_index, next, next_index, count, size, ahead);
}

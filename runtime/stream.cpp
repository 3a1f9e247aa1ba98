#include "stream.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace haline {
namespace {

constexpr int64_t kStep = 4 * kLine;  // between two looks at what is fetched

#if defined(__x86_64__)

void StoreSse2(char *to, const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i *>(to + i), _mm_loadu_si128(reinterpret_cast<const __m128i *>(from + i)));
  }
}

// A line at a time: four times as many of them fit into the store buffer.
__attribute__((target("avx512f"))) void StoreAvx512(char *to, const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += kLine)
    _mm512_stream_si512(reinterpret_cast<__m512i *>(to + i), _mm512_loadu_si512(from + i));
}

using StoreLines = void (*)(char *, const char *, int64_t);

StoreLines BestStore() {
  static const StoreLines best = __builtin_cpu_supports("avx512f") ? StoreAvx512 : StoreSse2;
  return best;
}

#endif

}  // namespace

#if defined(__x86_64__)

void StreamOut(char *to, const char *from, int64_t bytes, Fetches *fetches) {
  const StoreLines store = BestStore();
  // Whole lines go past the caches; what is left before and after them shares its lines with something else.
  const int64_t head = std::min<int64_t>(bytes, -reinterpret_cast<uintptr_t>(to) % kLine);
  std::memcpy(to, from, static_cast<size_t>(head));
  const int64_t lines_end = head + (bytes - head) / kLine * kLine;
  for (int64_t i = head; i < lines_end; i += kStep) {
    store(to + i, from + i, std::min(kStep, lines_end - i));
    fetches->Fetch(kStep);
  }
  std::memcpy(to + lines_end, from + lines_end, static_cast<size_t>(bytes - lines_end));
}

void StreamFence() { _mm_sfence(); }

#else

void StreamOut(char *to, const char *from, int64_t bytes, Fetches *fetches) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
  fetches->Fetch(bytes);
}

void StreamFence() {}

#endif

}  // namespace haline

// Tensors that no cache holds: results that go past the caches, and inputs that are fetched while others are written.
//
// A processor that only reads or only writes leaves half of the memory's speed unused, as it can wait for a few dozen
// lines at a time; its own prefetching stops at the end of each page of 4 KiB.
#ifndef HALINE_RUNTIME_STREAM_H_
#define HALINE_RUNTIME_STREAM_H_

#include <cstdint>

namespace haline {

// Whether StreamOut is more than a copy here.
#if defined(__x86_64__)
constexpr bool kStreams = true;
#else
constexpr bool kStreams = false;
#endif

constexpr int64_t kLine = 64, kPage = 4096;  // bytes

// A prefetch whose page is not in the TLB may be dropped; a load is not.
inline void Touch(const char *p) { (void)*static_cast<const volatile char *>(p); }

// Bytes that will be read next, fetched into the innermost cache a little at a time.
class Ahead {
 public:
  Ahead() = default;
  Ahead(const char *begin, int64_t bytes) : at_(begin), end_(begin + bytes) {
    if (bytes > 0) Touch(begin);
  }

  int64_t bytes() const { return end_ - at_; }

  void Fetch(int64_t bytes) {
    const char *const stop = end_ - at_ > bytes ? at_ + bytes : end_;
    for (; at_ < stop; at_ += kLine) {
      if (reinterpret_cast<uintptr_t>(at_) % kPage < kLine && end_ - at_ > kPage) Touch(at_ + kPage);
      __builtin_prefetch(at_, 0, 3);
    }
  }

 private:
  const char *at_ = nullptr, *end_ = nullptr;
};

// How far ahead flow fetches x, and gradient_flow x and dy, in bytes, by the bytes of a plane: the farther, the less
// waits for memory, and the more of what is needed again leaves the caches. Fractions of a copy and of a stream: one
// Zen 4 thread forward, into L2, planes of 4 KiB 4 KiB 0.57, 6 KiB 0.70, 12 KiB 0.71, 20 KiB 0.72; of 1 MiB 1.5 KiB
// 0.61, 2 KiB 0.64, 3 KiB 0.56, 4 KiB 0.55; of 4 MiB 0.63, 0.72, 0.63, 0.58. One Zen 5 thread backward, planes of 4 KiB
// 1 KiB 0.54, 2 KiB 0.60, 3 KiB 0.66, 4 KiB 0.64, 6 KiB 0.57; of 8 MiB 1 KiB 0.54, 3 KiB 0.48. One thread of a Xeon
// with 2 MiB of L2, forward, the four planes whose pivots are made together: time by that of 12 KiB, planes of 4 KiB 20
// KiB 1.04; of 8 KiB 40 KiB 0.99, of 16 KiB 0.93, of 32 KiB 0.96.
constexpr int32_t Near(int64_t plane) {
  return plane > (1 << 19) ? 2048 : plane > 4096 && plane <= 32768 ? 40960 : 12288;
}
constexpr int32_t NearOfTwo(int64_t plane) { return plane > (1 << 20) ? 1024 : 3072; }

// How far ahead sums that nothing is written beside fetch x, in bytes. One Xeon with 2 MiB of L2, time by that without,
// planes of 64 MiB, forward, one thread and two: 1 KiB 0.97 and 0.96, 4 KiB 0.96 and 0.88, 8 KiB 0.95 and 0.87, 16 KiB
// 0.96 and 0.87, bfloat16, two threads, 0.93, 0.81, 0.82, 0.84; of tensors of up to 64 MiB 1.00.
constexpr int64_t kSumsAhead = 8192;

// What is fetched while a tile is written: some of what the next part reads, and all that the next tile does.
struct Fetches {
  static constexpr int kMost = 3;  // x, dy, residual
  Ahead part[kMost], tile[kMost];
  int parts = 0, tiles = 0;

  void Fetch(int64_t bytes) {
    for (int i = 0; i < parts; i++) part[i].Fetch(bytes);
    for (int i = 0; i < tiles; i++) tile[i].Fetch(bytes);
  }
};

// Copies bytes that are in cache to memory that is better not, fetching as many of each input meanwhile. Other threads
// see them after StreamFence.
void StreamOut(char *to, const char *from, int64_t bytes, Fetches *fetches);
void StreamFence();

}  // namespace haline

#endif  // HALINE_RUNTIME_STREAM_H_

// The copies and the streams, and haline's C interface in a loop, for other languages: libhaline_baseline.so, which
// bench/report calls through ctypes. It is not linked with haline: the caller says which one to measure.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "bench/copy.h"
#include "bench/stream.h"
#include "haline/haline.h"

using haline::bench::Copies;
using haline::bench::Streams;

namespace {

using Clock = std::chrono::steady_clock;

// Calls run(begin, end), a share of `count` floats, `repeats` times on each of `threads` threads, which begin together.
// The seconds until the last is done. Starting the threads is not counted: a pool would have them.
template <typename Run>
double Time(size_t count, int threads, int64_t repeats, const Run &run) {
  constexpr size_t kLine = 16;  // floats
  std::atomic<int> waiting{threads};
  std::vector<Clock::time_point> begun(threads), done(threads);
  const auto work = [&](int thread) {
    const size_t lines = (count + kLine - 1) / kLine;
    const size_t begin = std::min(count, lines * thread / threads * kLine);
    const size_t end = std::min(count, lines * (thread + 1) / threads * kLine);
    waiting--;
    while (waiting > 0) std::this_thread::yield();
    begun[thread] = Clock::now();
    for (int64_t i = 0; i < repeats; i++) {
      run(begin, end);
      asm volatile("" ::: "memory");
    }
    done[thread] = Clock::now();
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; thread++) others.emplace_back(work, thread);
  work(0);
  for (std::thread &other : others) other.join();
  const auto first = *std::min_element(begun.begin(), begun.end());
  return std::chrono::duration<double>(*std::max_element(done.begin(), done.end()) - first).count();
}

}  // namespace

#define HALINE_BASELINE extern "C" __attribute__((visibility("default")))

// The name of copy or stream `kind`, 0 and up; null past the last.
HALINE_BASELINE const char *haline_baseline_copy_name(int kind) {
  return kind >= 0 && static_cast<size_t>(kind) < Copies().size() ? Copies()[kind].name : nullptr;
}
HALINE_BASELINE const char *haline_baseline_stream_name(int kind) {
  return kind >= 0 && static_cast<size_t>(kind) < Streams().size() ? Streams()[kind].name : nullptr;
}

// The seconds that `repeats` copies, or sums of a and b, of `count` floats take.
HALINE_BASELINE double haline_baseline_copy(int kind, float *to, const float *from, size_t count, int threads,
                                            int64_t repeats) {
  const auto &run = Copies()[kind].run;
  return Time(count, threads, repeats, [&](size_t begin, size_t end) { run(to + begin, from + begin, end - begin); });
}
HALINE_BASELINE double haline_baseline_stream(int kind, float *to, const float *a, const float *b, size_t count,
                                              int threads, int64_t repeats) {
  const auto &run = Streams()[kind].run;
  return Time(count, threads, repeats,
              [&](size_t begin, size_t end) { run(to + begin, a + begin, b + begin, end - begin); });
}

// The seconds that `times` calls of haline's C interface take, without what Python adds to each. `forward` and
// `backward` are haline_instance_norm and haline_instance_norm_backward, their arguments in their order. Negative where
// one fails.
HALINE_BASELINE double haline_baseline_forward(decltype(haline_instance_norm) *forward, const haline_tensor *x,
                                               const haline_tensor *scale, const haline_tensor *shift, haline_tensor *y,
                                               const haline_options *options, int64_t times) {
  const Clock::time_point start = Clock::now();
  for (int64_t i = 0; i < times; i++) {
    if (forward(x, scale, shift, y, options) != HALINE_OK) return -1;
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}
HALINE_BASELINE double haline_baseline_backward(decltype(haline_instance_norm_backward) *backward,
                                                const haline_tensor *x, const haline_tensor *dy,
                                                const haline_tensor *scale, const haline_tensor *shift,
                                                const haline_tensor *mean, const haline_tensor *rstd, haline_tensor *dx,
                                                haline_tensor *dscale, haline_tensor *dshift,
                                                const haline_options *options, int64_t times) {
  const Clock::time_point start = Clock::now();
  for (int64_t i = 0; i < times; i++) {
    if (backward(x, dy, scale, shift, mean, rstd, dx, dscale, dshift, options) != HALINE_OK) return -1;
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

#include "threads.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "away.h"
#include "error.h"
#include "haline/haline.h"

namespace haline {
namespace {

constexpr int kMostThreads = 1024;

// That this process may run on.
int Processors() {
  cpu_set_t set;
  const int available = sched_getaffinity(0, sizeof(set), &set) == 0
                            ? CPU_COUNT(&set)
                            : static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(available, 1, kMostThreads);
}

int Default() {
  if (const char *text = std::getenv("HALINE_NUM_THREADS")) {
    char *end;
    const long wanted = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && wanted >= 1 && wanted <= kMostThreads) return static_cast<int>(wanted);
  }
  return Processors();
}

std::atomic<int> wanted_threads{0};  // 0: the default

// How long a thread that has nothing to do looks out for more before it sleeps: calls, and the passes of one call,
// often follow each other within microseconds, while to wake a sleeping thread takes 5 to 50, and in a virtual machine
// 110 to 140. (Zen 5, 2 threads, calls one after the other, against one thread: 8x64x32x32 from 0.8 of its time,
// without, to 0.51; 1x64x128x128 0.74 to 0.51. From Python, whose own part takes 40 after a call that has filled the
// caches, backward on two Xeon threads, time by that with 30: 8x64x32x32 with 60 0.80 and with 100 0.77, 32x256x8x8
// 0.81 and 0.82.)
constexpr std::chrono::microseconds kSpin{100};
// While others are still at the job's tasks it looks out for longer: who slept through the end of a call whose tasks
// take longer than kSpin was late for the next, had no share of it, and slept again. (Two Xeon threads, blocks of 3 ms
// of calls after pauses of 3 ms, time by that without: 1x32x256x256 backward 0.72, 8x64x32x32 backward 0.93;
// 1x64x128x128, of which half the blocks ran on one thread, 0.57. On 3 to 64 threads of two processors 0.98 to 1.01.)
constexpr std::chrono::microseconds kLongSpin{1000};
using Clock = std::chrono::steady_clock;

void Relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// False where `done` did not become true in kSpin since `busy` was last true, or in kLongSpin.
template <typename F, typename G>
bool SpinUntil(const F &done, const G &busy) {
  auto now = Clock::now();
  const auto latest = now + kLongSpin;
  for (auto end = now + kSpin; now < end; now = Clock::now()) {
    for (int i = 0; i < 16; i++) {
      if (done()) return true;
      Relax();
    }
    if (busy()) end = std::min(Clock::now() + kSpin, latest);
  }
  return false;
}

// A job at a time: `count` tasks, cut into one run of neighbours for each thread. A thread starts with a run of its own
// and then helps with the others'.
class Pool {
 public:
  // False where another caller holds the pool.
  bool TryRun(int64_t count, void (*task)(void *, int64_t), void *context, bool brief, int threads) {
    const std::unique_lock<std::mutex> owner(owner_, std::try_to_lock);
    if (!owner.owns_lock()) return false;
    // What is brief is done before a sleeper has come. It is woken for that only where calls follow each other so
    // closely that, once awake, it will find the next.
    const bool alone = brief && alert_.load() <= 0 && Clock::now() - last_ > kSpin;
    if (!alone) Grow(threads - 1);
    const int runs = std::min({threads, static_cast<int>(workers_.size()) + 1, room_size_});
    if (alone || runs < 2) {
      for (int64_t i = 0; i < count; i++) task(context, i);
    } else {
      task_ = task;
      context_ = context;
      Share(count, runs);
    }
    last_ = Clock::now();
    return true;
  }

  ~Pool() {
    stop_.store(true);
    while (Take(&sleeping_)) {
      wakes_.fetch_add(1);
      wakes_.notify_one();
    }
    for (std::thread &worker : workers_) worker.join();
  }

 private:
  // Tasks [next, end), on a cache line of their own.
  struct alignas(64) Run {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  // A thread that can't be had is not an error: there are fewer, then.
  void Grow(int workers) {
    try {
      if (workers >= room_size_) {
        room_ = std::make_unique<Run[]>(workers + 1);
        room_size_ = workers + 1;
      }
      while (static_cast<int>(workers_.size()) < workers) {
        workers_.emplace_back([this, index = static_cast<int>(workers_.size()) + 1] { Serve(index); });
        alert_.fetch_add(1);
      }
    } catch (const std::exception &) {
    }
  }

  void Share(int64_t count, int runs) {
    runs_ = runs;
    for (int i = 0; i < runs; i++) {
      room_[i].next.store(count * i / runs, std::memory_order_relaxed);
      room_[i].end = count * (i + 1) / runs;
    }
    working_.store(true, std::memory_order_relaxed);
    state_.store(static_cast<uint32_t>(runs - 1) * kSeat);
    Wake();
    if (const int64_t at = room_[0].next.fetch_add(1, std::memory_order_relaxed); at < room_[0].end) {
      task_(context_, at);
      const uint32_t state = state_.load();
      if (state >= kSeat && (state & kActive) == 0) away_.Send(&workers_);  // no one has come
    }
    Work(0);
    state_.fetch_and(kActive);  // those who have not come by now need not
    const auto alone = [this] { return (state_.load() & kActive) == 0; };
    working_.store(false, std::memory_order_relaxed);
    if (runs > processors_ || !SpinUntil(alone, [] { return true; })) {
      for (uint32_t state; (state = state_.load()) != 0;) state_.wait(state);
    }
  }

  // All tasks that are left, those of run `first` at first.
  void Work(int first) {
    for (int i = 0; i < runs_; i++) {
      Run &run = room_[(first + i) % runs_];
      if (run.next.load(std::memory_order_relaxed) >= run.end) continue;
      for (int64_t at; (at = run.next.fetch_add(1, std::memory_order_relaxed)) < run.end;) task_(context_, at);
    }
  }

  // What a worker does all its life.
  void Serve(int index) {
    while (!stop_.load()) {
      away_.Return(index - 1);
      const auto called = [this] { return state_.load() >= kSeat || stop_.load(); };
      // No more look out than there are processors for: the others would only be in the way.
      const auto busy = [this] { return working_.load(std::memory_order_relaxed); };
      if (index >= processors_ || !SpinUntil(called, busy)) Sleep(called);
      uint32_t state = state_.load();
      while (state >= kSeat && !state_.compare_exchange_weak(state, state - kSeat + 1)) {
      }
      if (state < kSeat) continue;
      alert_.fetch_sub(1);
      Wake();
      away_.Return(index - 1);
      Work(1 + (index - 1) % (runs_ - 1));
      alert_.fetch_add(1);
      // There are no tasks left, so that no one else need come.
      state = state_.load();
      while (!state_.compare_exchange_weak(state, (state & kActive) - 1)) {
      }
      if ((state & kActive) == 1) state_.notify_one();
    }
  }

  // Until woken, or until `called`, which is asked once more when wakers can see that this thread is about to sleep.
  template <typename F>
  void Sleep(const F &called) {
    alert_.fetch_sub(1);
    sleeping_.fetch_add(1);
    if (called() && Take(&sleeping_)) {
      alert_.fetch_add(1);
      return;
    }
    while (!Take(&wakes_)) wakes_.wait(0);
  }

  // Wakes up to two sleepers, who will wake others, if there are more free seats than threads that look out for them.
  void Wake() {
    int wanted = std::min(2, static_cast<int>(state_.load() / kSeat) - alert_.load());
    for (; wanted > 0 && Take(&sleeping_); wanted--) {
      alert_.fetch_add(1);
      wakes_.fetch_add(1);
      wakes_.notify_one();
    }
  }

  static bool Take(std::atomic<int> *of) {
    int number = of->load();
    while (number > 0 && !of->compare_exchange_weak(number, number - 1)) {
    }
    return number > 0;
  }

  // Workers at the job, and seats: how many may still join it. A job's other members are written while there is
  // neither, and read by those who hold a seat.
  static constexpr uint32_t kSeat = 1 << 16, kActive = kSeat - 1;
  static_assert(kMostThreads < kSeat);
  alignas(64) std::atomic<uint32_t> state_{0};
  // Workers that will look for a seat before they sleep, and those asleep whom no one has woken; wake-ups on their way.
  alignas(64) std::atomic<int> alert_{0}, sleeping_{0}, wakes_{0};
  std::atomic<bool> stop_{false}, working_{false};  // working_: the caller is, at its job's tasks

  alignas(64) void (*task_)(void *, int64_t) = nullptr;
  void *context_ = nullptr;
  int runs_ = 0;
  std::unique_ptr<Run[]> room_;
  int room_size_ = 0;

  std::mutex owner_;        // held by the one caller whose job runs
  Clock::time_point last_;  // when the last job ended
  std::vector<std::thread> workers_;
  Away away_;
  const int processors_ = Processors();
};

// Only threads survive no fork: a child of a process that had a pool goes on without one.
std::atomic<bool> forked{false};

Pool *GetPool() {
  static const std::unique_ptr<Pool, void (*)(Pool *)> pool = [] {
    pthread_atfork(nullptr, nullptr, [] { forked.store(true, std::memory_order_relaxed); });
    return std::unique_ptr<Pool, void (*)(Pool *)>(new Pool, [](Pool *p) {
      if (!forked.load(std::memory_order_relaxed)) delete p;
    });
  }();
  return pool.get();
}

}  // namespace

int NumThreads() {
  const int wanted = wanted_threads.load(std::memory_order_relaxed);
  if (wanted > 0) return wanted;
  static const int automatic = Default();
  return automatic;
}

void ParallelFor(int64_t count, void (*task)(void *, int64_t), void *context, bool brief) {
  const int threads = static_cast<int>(count < NumThreads() ? count : NumThreads());
  if (threads > 1 && !forked.load(std::memory_order_relaxed)) {
    if (GetPool()->TryRun(count, task, context, brief, threads)) return;
  }
  for (int64_t i = 0; i < count; i++) task(context, i);
}

}  // namespace haline

haline_status haline_set_num_threads(int32_t threads) {
  if (threads < 0 || threads > haline::kMostThreads) {
    return haline::Fail(HALINE_INVALID_ARGUMENT, "threads: %d found, 0 (the default) to %d wanted", threads,
                        haline::kMostThreads);
  }
  haline::wanted_threads.store(threads, std::memory_order_relaxed);
  return HALINE_OK;
}

int32_t haline_num_threads(void) { return haline::NumThreads(); }

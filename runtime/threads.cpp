#include "threads.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "error.h"
#include "haline/haline.h"

namespace haline {
namespace {

constexpr int kMostThreads = 1024;

int Default() {
  if (const char *text = std::getenv("HALINE_NUM_THREADS")) {
    char *end;
    const long wanted = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && wanted >= 1 && wanted <= kMostThreads) return static_cast<int>(wanted);
  }
  cpu_set_t set;
  const int available = sched_getaffinity(0, sizeof(set), &set) == 0
                            ? CPU_COUNT(&set)
                            : static_cast<int>(std::thread::hardware_concurrency());
  return available < 1 ? 1 : available < kMostThreads ? available : kMostThreads;
}

std::atomic<int> wanted_threads{0};  // 0: the default

struct Job {
  void (*task)(void *, int64_t);
  void *context;
  int64_t count;
  std::atomic<int64_t> next{0};
};

class Pool {
 public:
  // False where another caller holds the pool.
  bool TryRun(Job &job, int threads) {
    std::unique_lock<std::mutex> owner(owner_, std::try_to_lock);
    if (!owner.owns_lock()) return false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      // A thread that can't be had is not an error: there are fewer, then.
      while (static_cast<int>(workers_.size()) < threads - 1) {
        try {
          workers_.emplace_back([this] { Work(); });
        } catch (const std::exception &) {
          break;
        }
      }
      job_ = &job;
      seats_ = std::min(threads - 1, static_cast<int>(workers_.size()));
      generation_++;
    }
    wake_.notify_all();
    Drain(job);
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = nullptr;  // those who have not woken by now need not
    done_.wait(lock, [this] { return active_ == 0; });
    return true;
  }

  ~Pool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread &worker : workers_) worker.join();
  }

 private:
  static void Drain(Job &job) {
    for (int64_t i; (i = job.next.fetch_add(1, std::memory_order_relaxed)) < job.count;) job.task(job.context, i);
  }

  void Work() {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stop_ || (job_ && generation_ != seen); });
      if (stop_) return;
      seen = generation_;
      if (seats_ == 0) continue;
      seats_--;
      active_++;
      Job &job = *job_;
      lock.unlock();
      Drain(job);
      lock.lock();
      if (--active_ == 0) done_.notify_one();
    }
  }

  std::mutex owner_;  // held by the one caller whose job runs
  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  Job *job_ = nullptr;
  int seats_ = 0;   // workers that may still join the job
  int active_ = 0;  // workers at the job
  uint64_t generation_ = 0;
  bool stop_ = false;
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

void ParallelFor(int64_t count, void (*task)(void *, int64_t), void *context) {
  const int threads = static_cast<int>(count < NumThreads() ? count : NumThreads());
  if (threads > 1 && !forked.load(std::memory_order_relaxed)) {
    Job job{task, context, count};
    if (GetPool()->TryRun(job, threads)) return;
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

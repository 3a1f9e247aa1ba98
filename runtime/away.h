// Threads that were woken and wait for the processor of the one who woke them. In a virtual machine, Linux takes a
// processor that has been idle for a millisecond for one that the host has taken away, and lets a thread that it wakes
// wait behind its waker, until that one's slice of time is over, beside idle processors. (Two processors of a Xeon: 2.7
// to 3.7 ms after a pause of 1 to 12 ms, and 0.11 to 0.14 ms where it is sent away. Calls of 8x64x32x32 in blocks of a
// millisecond, two threads, 1 ms and 12 ms between blocks: 0.42 of the time.)
#ifndef HALINE_RUNTIME_AWAY_H_
#define HALINE_RUNTIME_AWAY_H_

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <thread>
#include <vector>

namespace haline {

class Away {
 public:
  Away() {
    for (std::atomic<int> &from : from_) from.store(kNowhere);
  }

  // The threads may not run on the caller's processor until they have called Return. Does nothing for many of them, of
  // which it matters little when one is late. Never at the same time as another Send.
  void Send(std::vector<std::thread> *threads) {
    const int here = sched_getcpu();
    if (here < 0 || threads->size() > kMost) return;
    for (size_t i = 0; i < threads->size(); i++) {
      const int before = from_[i].load();
      const pthread_t thread = (*threads)[i].native_handle();
      cpu_set_t set;
      if (before == here || pthread_getaffinity_np(thread, sizeof(set), &set) != 0) continue;
      if (before != kNowhere) CPU_SET(before, &set);
      if (!CPU_ISSET(here, &set) || CPU_COUNT(&set) == 1) continue;
      CPU_CLR(here, &set);
      if (pthread_setaffinity_np(thread, sizeof(set), &set) == 0) from_[i].store(here);
    }
  }

  // For thread `i`, which runs: it may run again where it was sent away from.
  void Return(size_t i) {
    if (i >= kMost) return;
    for (int from; (from = from_[i].load()) != kNowhere; from_[i].compare_exchange_strong(from, kNowhere)) {
      cpu_set_t set;
      if (pthread_getaffinity_np(pthread_self(), sizeof(set), &set) != 0) return;
      CPU_SET(from, &set);
      if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0) return;
    }
  }

 private:
  static constexpr size_t kMost = 8;
  static constexpr int kNowhere = -1;
  std::atomic<int> from_[kMost];  // the processor that a thread was sent away from
};

}  // namespace haline

#endif  // HALINE_RUNTIME_AWAY_H_

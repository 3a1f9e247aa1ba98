// A plan's tasks, and loops over what a task consists of.
#ifndef HALINE_RUNTIME_TASKS_H_
#define HALINE_RUNTIME_TASKS_H_

#include <algorithm>

#include "copies.h"
#include "plan.h"
#include "problem.h"
#include "stream.h"
#include "threads.h"
#include "window.h"

namespace haline {

class alignas(64) Tasks {
 public:
  Tasks(const Problem &problem, const Plan &plan) : problem_(problem), plan_(plan) {}
  virtual ~Tasks() = default;

 protected:
  // Results that wait to be written until the sums of the next part are made: a processor that does both at a time
  // reads and writes at a time.
  struct Waiting {
    Part part{};
    bool waits = false;
    Scratch scratch;
  };
  // Writes what still waits, with no sums to be made meanwhile.
  virtual void Finish(Waiting *waiting) = 0;

  // Calls task(part, parallel, &now, &before) for parts that make up the whole problem. Where `parallel` is true, one
  // part after the other, and the task may use For itself. The task may leave its results to be written in `now`, and
  // has to finish those that were left in `before`, its thread's part before.
  template <typename Late, typename F>
  void ForParts(const F &task) {
    if (plan_.split) return ForSplit<Late>(task);
    For(plan_.threads > 1, (plan_.parts + plan_.run - 1) / plan_.run, [&](int64_t run) {
      Late late[2];
      const int64_t end = std::min(plan_.parts, (run + 1) * plan_.run);
      for (int64_t i = run * plan_.run; i < end && !outcome_.failed(); i++) {
        const int64_t now = plan_.waits ? i % 2 : 0;
        task(PartAt(i), false, &late[now], &late[1 - now]);
      }
      Finish(&late[1 - end % 2]);
      if (plan_.stream) StreamFence();
    });
  }

  template <typename Late, typename F>
  void ForSplit(const F &task) {
    Late late[2];
    int now = 0;
    for (int64_t n = 0; n < problem_.batch; n++) {
      for (int64_t c = 0; c < problem_.channels && !outcome_.failed(); c += plan_.part_channels, now = 1 - now) {
        task(Part{n, 1, c, std::min(plan_.part_channels, problem_.channels - c), problem_.rows * problem_.length(n)},
             true, &late[now], &late[1 - now]);
      }
    }
    Finish(&late[1 - now]);
  }

  // Calls fast(planes, n, c) for the longest runs of a sample's planes that pass the test, and wide(plane, n, c) for
  // all others; n and c count from the part's first.
  template <typename Test, typename Fast, typename Wide>
  static void ForRuns(const Part &part, const Test &test, const Fast &fast, const Wide &wide) {
    for (int64_t n = 0; n < part.batch; n++) {
      for (int64_t c = 0, end; c < part.channels; c = end) {
        const bool good = test(n, c);
        for (end = c + 1; good && end < part.channels && test(n, end);) end++;
        const Part run{part.n + n, 1, part.c + c, end - c, part.size};
        good ? fast(run, n, c) : wide(run, n, c);
      }
    }
  }

  Part PartAt(int64_t i) const {
    const int64_t nth = plan_.by_channel ? i % plan_.run : i / plan_.channel_parts;
    const int64_t n = nth * plan_.part_batch;
    const int64_t c = (plan_.by_channel ? i / plan_.run : i % plan_.channel_parts) * plan_.part_channels;
    return {n, std::min(plan_.part_batch, problem_.batch - n), c, std::min(plan_.part_channels, problem_.channels - c),
            problem_.rows * problem_.length(n)};
  }

  template <typename F>
  void For(bool parallel, int64_t count, const F &f) {
    alignas(64) const auto step = [&](int64_t i) {
      if (!outcome_.failed()) f(i);
    };
    if (parallel) {
      ParallelFor(count, problem_.planes() * problem_.size() <= kBriefElements, step);
    } else {
      for (int64_t i = 0; i < count; i++) step(i);
    }
  }

  // Calls f(block, blocks, first element, elements) for the blocks of a part's planes: all at once, or, where
  // `together` is false, one by one.
  template <typename F>
  void ForBlocks(const Part &part, bool parallel, bool together, const F &f) {
    const int64_t blocks = Blocks(part.size);
    if (!parallel && together) return f(0, blocks, 0, part.size);
    For(parallel, blocks, [&](int64_t b) { f(b, 1, b * kBlock, b == blocks - 1 ? part.size - b * kBlock : kBlock); });
  }

  // Calls f(first element, elements) for what makes up a part's planes, whose elements are worked on each for itself:
  // all, or blocks, or, where they are copied, pieces that L2 holds; from the end backwards, as the end is what the
  // caches hold.
  template <typename F>
  void ForPieces(const Part &part, bool parallel, bool direct, const F &f) {
    if (!parallel && direct) return f(0, part.size);
    const int64_t copied = std::max(kCopiedElements / part.planes(), kLanes) / kLanes * kLanes;
    // Blocks of a piece: many, but eight pieces for each thread.
    const int64_t several =
        parallel ? std::clamp<int64_t>(Blocks(part.size) / (8 * plan_.threads), 1, kMostTogether) : 1;
    const int64_t most = direct ? several * kBlock : copied;
    const int64_t last = (direct ? CeilDiv(Blocks(part.size), several) : CeilDiv(part.size, most)) - 1;
    For(parallel, last + 1, [&](int64_t i) {
      const int64_t first = (last - i) * most;
      f(first, i == 0 ? part.size - first : most);
    });
  }

  const Problem &problem_;
  const Plan &plan_;
  Outcome outcome_;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_TASKS_H_

// The threads of the library: a pool of its own, so that no host program's pool is touched.
#ifndef HALINE_RUNTIME_THREADS_H_
#define HALINE_RUNTIME_THREADS_H_

#include <cstdint>

namespace haline {

// Calls task(context, i) once for every 0 <= i < count and returns when all are done. Up to haline_num_threads()
// threads take part, the caller among them; on the caller alone where that is 1, where the pool is busy with another
// caller's tasks, in a process forked from one that had started the pool, or where the tasks are brief, all together,
// beside waking a thread and none is awake.
void ParallelFor(int64_t count, void (*task)(void *context, int64_t i), void *context, bool brief);

template <typename F>
void ParallelFor(int64_t count, bool brief, const F &f) {
  ParallelFor(
      count, [](void *context, int64_t i) { (*static_cast<const F *>(context))(i); }, const_cast<F *>(&f), brief);
}

int NumThreads();

}  // namespace haline

#endif  // HALINE_RUNTIME_THREADS_H_

// What the forward and the backward pass share: running a plan's tasks, handing memory to kernels, bringing back the
// first failure.
#ifndef HALINE_RUNTIME_ENGINE_H_
#define HALINE_RUNTIME_ENGINE_H_

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <utility>

#include "error.h"
#include "kernels.h"
#include "plan.h"
#include "problem.h"
#include "threads.h"
#include "view.h"

namespace haline {

// The first failure of all tasks, brought back to the caller's thread.
class Outcome {
 public:
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  void Keep(haline_status status);  // whose message is in the calling thread
  haline_status Tell() const { return failed() ? Fail(status_, "%s", message_) : HALINE_OK; }

 private:
  std::atomic<bool> failed_{false};
  haline_status status_ = HALINE_OK;
  char message_[1024];  // of a failure
};

struct Free {
  void operator()(void *p) const { std::free(p); }
};
template <typename T>
using Memory = std::unique_ptr<T[], Free>;

// Elements [first, first + count) of the planes of a part, as the kernels take them: where they are, if their strides
// allow, or else in a copy.
class Window {
 public:
  enum Use { kRead, kWrite };

  Window(const Array &array, const Part &part, int64_t first, int64_t count, Use use, Outcome *outcome);

  View Elements() const { return Make(data_, first_, count_); }
  // As if the whole planes were there.
  View Planes() const { return Make(data_ - first_ * Size(array_.element), 0, part_.size); }
  // Call after writing.
  void Flush() const;

  // Whether kernels can take the array as it is.
  static bool Direct(const Array &array, const Part &part);

 private:
  View Make(const char *data, int64_t min, int64_t extent) const {
    return View(data, array_.element, {{extent, 1, min}, {part_.channels, row_}, {part_.batch, sample_}});
  }

  const Array array_;
  const Part part_;
  const int64_t first_, count_;
  int64_t row_, sample_;  // strides of a plane and of a sample
  char *data_ = nullptr;
  Memory<char> copy_;
};

// Up to three arrays that a kernel reads.
class Inputs {
 public:
  explicit Inputs(const Array &first) { Add(first); }
  void Add(const Array &array) { arrays_[count_++] = &array; }
  const Array *const *begin() const { return arrays_; }
  const Array *const *end() const { return arrays_ + count_; }

 private:
  const Array *arrays_[3];
  int count_ = 0;
};

class alignas(64) Engine {
 public:
  Engine(const Problem &problem, const Plan &plan, const KernelSet &kernels)
      : problem_(problem), plan_(plan), kernels_(kernels.elements[static_cast<int>(problem.element)]) {}

 protected:
  // Calls task(part, parallel) for parts that make up the whole problem; where `parallel` is true, one after the other,
  // and the task may use For itself.
  template <typename F>
  void ForParts(const F &task) {
    if (plan_.split && plan_.layout == Layout::kLast) return ForSamples(task);
    if (plan_.split) {
      for (int64_t i = 0; i < problem_.planes() && !outcome_.failed(); i++) {
        const int64_t n = i / problem_.channels;
        task(Part{n, 1, i % problem_.channels, 1, problem_.rows * problem_.length(n)}, true);
      }
      return;
    }
    For(plan_.threads > 1, plan_.tasks, [&](int64_t i) {
      const int64_t n = i / plan_.channel_tasks * plan_.task_batch;
      const int64_t c = i % plan_.channel_tasks * plan_.task_channels;
      task(Part{n, std::min(plan_.task_batch, problem_.batch - n), c,
                std::min(plan_.task_channels, problem_.channels - c), problem_.rows * problem_.length(n)},
           false);
    });
  }

  // The split plan of channels-last tensors.
  template <typename F>
  void ForSamples(const F &task) {
    for (int64_t n = 0; n < problem_.batch; n++) {
      for (int64_t c = 0; c < problem_.channels && !outcome_.failed(); c += plan_.task_channels) {
        task(Part{n, 1, c, std::min(plan_.task_channels, problem_.channels - c), problem_.rows * problem_.length(n)},
             true);
      }
    }
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

  template <typename F>
  void For(bool parallel, int64_t count, const F &f) {
    alignas(64) const auto step = [&](int64_t i) {
      if (!outcome_.failed()) f(i);
    };
    if (parallel) {
      ParallelFor(count, step);
    } else {
      for (int64_t i = 0; i < count; i++) step(i);
    }
  }

  // Calls f(block, blocks, first element, elements) for the blocks of a part's planes: all at once, or one by one where
  // they are worked on in parallel or have to be copied.
  template <typename F>
  void ForBlocks(const Part &part, bool parallel, bool direct, const F &f) {
    const int64_t blocks = Blocks(part.size);
    if (!parallel && direct) return f(0, blocks, 0, part.size);
    For(parallel, blocks, [&](int64_t b) { f(b, 1, b * kBlock, b == blocks - 1 ? part.size - b * kBlock : kBlock); });
  }

  template <typename... Params, typename... Args>
  void Call(const char *name, const Kernel<Params...> &kernel, Args &&...args) {
    if (outcome_.failed()) return;
    const int code = kernel.function(args...);
    if (code != 0) outcome_.Keep(FromHalide(code, name));
  }

  Window Read(const Array &array, const Part &part, int64_t first, int64_t count) {
    return Window(problem_.Valid(array, part.n), part, first, count, Window::kRead, &outcome_);
  }
  Window Written(const Array &array, const Part &part, int64_t first, int64_t count) {
    return Window(problem_.Valid(array, part.n), part, first, count, Window::kWrite, &outcome_);
  }

  // Room for `count` of them: `own` if it is enough, else memory from the heap.
  template <typename T>
  T *Room(T *own, int64_t own_count, int64_t count, Memory<T> *heap) {
    if (count <= own_count) return own;
    heap->reset(static_cast<T *>(std::malloc(count * sizeof(T))));
    if (!*heap)
      outcome_.Keep(Fail(HALINE_OUT_OF_MEMORY, "out of memory: %lld bytes of scratch wanted",
                         static_cast<long long>(count * sizeof(T))));
    return heap->get();
  }

  // scale or shift, say, of a part, in the type that kernels take: a view of the caller's memory or of a copy.
  class Dense {
   public:
    Dense(const PerPlane &values, double otherwise, Element math, const Part &part);
    operator halide_buffer_t *() { return view_; }

   private:
    double copy_[kSlots];
    View view_;
    static View Make(const PerPlane &values, double otherwise, Element math, const Part &part, double *copy);
  };
  Dense Scale(const Part &part) const { return Dense(problem_.scale, 1, MathElement(problem_.element), part); }
  Dense Shift(const Part &part) const { return Dense(problem_.shift, 0, MathElement(problem_.element), part); }

  // Scratch: pivots[n][c], sums[n][block][which][c], columns[n][which][c], c padded. Kernels that write a row for each
  // plane get the planes alone, those that work on whole vectors of planes the padding too.
  static View PerPlanes(const double *data, const Part &part, int64_t channels) {
    return View(data, {{channels, 1}, {part.batch, part.padded()}});
  }
  static View Sums(const double *data, const Part &part, int64_t channels, int64_t which, int64_t block,
                   int64_t blocks) {
    const int64_t row = part.padded();
    return View(
        data + block * which * row,
        {{channels, 1}, {which, row}, {blocks, which * row, block}, {part.batch, which * row * Blocks(part.size)}});
  }
  static View Columns(const double *data, const Part &part, int64_t channels, int64_t which, int64_t row) {
    return View(data, {{channels, 1}, {which, row}, {part.batch, which * row}});
  }

  // Pivots and sums of x.
  void Moments(const Part &part, bool parallel, double *pivots, double *sums);

  // The same of channels-last tensors, and what else is done to all of their elements: channels_last.cpp.
  void MomentsLast(const Part &part, bool parallel, double *pivots, double *sums);
  void ApplyLast(const Part &part, bool parallel, const double *coefficients, int64_t row);
  void GradientSumsLast(const Part &part, bool parallel, const double *means, const double *coefficients, double *sums);
  void GradientApplyLast(const Part &part, bool parallel, const Array &to, int form, const double *means,
                         const double *coefficients, const double *gradients, int64_t row);
  template <typename F>
  void ForSummed(const Part &part, bool parallel, const F &f);
  template <typename F>
  void ForElements(const Part &part, bool parallel, const Array &to, const Inputs &from, const F &f);
  template <typename F>
  void Stream(const Part &part, int64_t first, int64_t count, const Array &to, const Inputs &from, bool ahead,
              const F &f);

  int form() const { return problem_.residual.data || problem_.given ? 2 : problem_.slope != 1 ? 1 : 0; }
  const Array &residual() const { return problem_.residual.data ? problem_.residual : problem_.x; }
  bool has_residual() const { return problem_.residual.data != nullptr; }

  const Problem &problem_;
  const Plan &plan_;
  const ElementKernels &kernels_;
  Outcome outcome_;
};

// The forward pass; with problem.y absent, the statistics alone.
haline_status Forward(const Problem &problem, const Plan &plan, const KernelSet &kernels);
haline_status Backward(const Problem &problem, const Plan &plan, const KernelSet &kernels);

}  // namespace haline

#endif  // HALINE_RUNTIME_ENGINE_H_

// What the forward and the backward pass share beside their tasks: what their kernels are called with.
#ifndef HALINE_RUNTIME_ENGINE_H_
#define HALINE_RUNTIME_ENGINE_H_

#include <algorithm>
#include <utility>

#include "kernels.h"
#include "tasks.h"
#include "view.h"
#include "window.h"

namespace haline {

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

class Engine : public Tasks {
 public:
  Engine(const Problem &problem, const Plan &plan, const KernelSet &kernels)
      : Tasks(problem, plan), kernels_(kernels.elements[static_cast<int>(problem.element)]) {}
  // For copies of a part.
  Engine(const Engine &of, const Problem &copied) : Tasks(copied, of.plan_), kernels_(of.kernels_) {}

 protected:
  // Whether the results of all a channels-last part's planes are written at once, of those that float can't serve too,
  // as vectors across channels do: these can be made again where `to` is apart from what they are made from. (A few
  // channels of 64 that are left out: 7 times the time.)
  bool Over(const Array &to, std::initializer_list<const Array *> from) const {
    const auto shares = [&](const Array *array) { return array->data && array->data == to.data; };
    return plan_.layout == Layout::kLast && std::none_of(from.begin(), from.end(), shares);
  }

  // Of a part's first plane, the first element that begins a line.
  static int32_t Lead(const Array &array, const Part &part) {
    const auto address = reinterpret_cast<uintptr_t>(array.plane(part.n, part.c));
    return static_cast<int32_t>(-address % uintptr_t{kLine}) / static_cast<int32_t>(Size(array.element));
  }

  // The chunk of a part's planes that is written first, where so many 64ths of a plane are written last.
  static int32_t Turned(const Part &part, int32_t turn) {
    return static_cast<int32_t>(part.size / Chunk(part.size) * turn / 64);
  }

  template <typename... Params, typename... Args>
  void Call(const char *name, const Kernel<Params...> &kernel, Args &&...args) {
    if (outcome_.failed()) return;
    const int code = kernel.function(args...);
    if (code != 0) outcome_.Keep(FromHalide(code, name));
  }

  // Calls f(problem) for copies of a part's tensors, and copies its results back.
  template <typename F>
  void WithCopies(const Part &part, Scratch *scratch, const F &f) {
    const Copies copies(problem_, plan_.layout, part, scratch, &outcome_);
    if (outcome_.failed()) return;
    outcome_.Keep(f(copies.problem()));
    if (!outcome_.failed()) copies.Flush();
  }

  Window Read(const Array &array, const Part &part, int64_t first, int64_t count) {
    return Window(problem_.Valid(array, part.n), part, first, count, Window::kRead, &spare_, &outcome_);
  }
  Window Written(const Array &array, const Part &part, int64_t first, int64_t count) {
    return Window(problem_.Valid(array, part.n), part, first, count, Window::kWrite, &spare_, &outcome_);
  }

  // The residual, where there is one; else what is not used.
  Window ReadResidual(const Part &part, int64_t first, int64_t count) {
    const Window::Use use = has_residual() ? Window::kRead : Window::kNone;
    return Window(problem_.Valid(problem_.residual, part.n), part, first, count, use, &spare_, &outcome_);
  }

  // Whether a part's results may wait: the kernels can take all that they are made of, and where they go.
  bool Waits(const Part &part, std::initializer_list<const Array *> arrays) const {
    return plan_.waits && Direct(part, arrays);
  }
  bool Direct(const Part &part, std::initializer_list<const Array *> arrays) const {
    for (const Array *array : arrays) {
      if (!Window::Direct(problem_.Valid(*array, part.n), part)) return false;
    }
    return true;
  }

  static void Wait(const Part &part, Waiting *waiting) {
    waiting->part = part;
    waiting->waits = true;
  }
  // Writes all of `before` and makes pivots and sums of x's `next`, a chunk of each in turns; false where that can't
  // be.
  virtual bool Flow(Waiting *, const Part &, double *, double *) { return false; }
  // Writes all of a part that has waited, by all threads where they share it.
  virtual void WriteAll(const Waiting &) {}
  void Finish(Waiting *waiting) override {
    if (waiting->waits) WriteAll(*waiting);
    waiting->waits = false;
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

  // scale or shift, say, of a part, in the type that kernels take: a view of the caller's memory, or of a copy, or of
  // what is `otherwise`, 0 or 1.
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

  // Pivots and sums of x; what waits is written meanwhile.
  void Moments(const Part &part, bool parallel, double *pivots, double *sums, Waiting *before);
  // From a copy of the planes' samples.
  void PackedPivots(const Array &x, const Part &part, halide_buffer_t *out);
  // Bytes from x's elements to those of which the lines are fetched while the sums are made: past the caches those that
  // come soon (kSumsAhead), else y's, where they lie alike (a store to a line that is far away holds up the stores
  // after it), or, by the processor, the next part's (kFarL3). 0: none.
  int64_t ToFetched(const Part &part) const;
  // Bytes from a part to the next, if there is one as large; else 0.
  int64_t ToNextPart(const Array &array, const Part &part) const;

  // Elements [first, first + count) of a part's planes of a channels-last tensor.
  static View Last(const Array &array, const Part &part, int64_t first, int64_t count) {
    const int64_t step = array.loops[0].stride;
    return View(array.plane(part.n, part.c) + first * step * Size(array.element), array.element,
                {{count, step}, {part.channels, 1}, {part.batch, array.n_stride}});
  }
  // The channels that the kernels of tiny channels-last planes take: whole vectors of them, to results that exist.
  int64_t TinyLast(const Part &part, const Array &to) const {
    if (plan_.layout != Layout::kLast || part.size >= kTiny || !to.data) return 0;
    return part.channels / kVector * kVector;
  }

  // Whether tiny planes go to the kernel of few elements. `plain`: no residual, and backward no activation. `dense`:
  // whether all arrays' planes lie beside each other.
  bool Few(int64_t size, bool plain, bool dense) const {
    return size < kLeast || (plain && dense && size <= MostFew(problem_.element, !kernels_.apply_last.function));
  }

  static constexpr int64_t kForwardColumns = 7;  // of coefficients_generator.cpp

  // The same of channels-last tensors, and what else is done to all of their elements: channels_last.cpp and
  // channels_last_sums.cpp.
  void MomentsLast(const Part &part, bool parallel, double *pivots, double *sums);
  void ApplyLast(const Part &part, bool parallel, const double *coefficients, int64_t row);
  void GradientSumsLast(const Part &part, bool parallel, const double *means, const double *coefficients, double *sums);
  // `also`: where the residual's gradient goes meanwhile, or null.
  void GradientApplyLast(const Part &part, bool parallel, const Array &to, const Array *also, int form,
                         const double *means, const double *coefficients, const double *gradients, int64_t row);
  bool ByLane(const Part &part, bool parallel, bool rows, int64_t least, int64_t most) const;
  template <typename F>
  void ForSummed(const Part &part, bool parallel, const F &f);
  template <typename F>
  void ForSampleBlocks(const Part &part, bool parallel, const F &f);
  template <typename F>
  void ForLanes(const Part &part, int64_t terms, bool parallel, double *sums, const F &f);
  bool Lines(const Part &part, const Array &to) const;
  bool Tiled(const Part &part, const Array &to) const;
  int32_t ToNext(const Part &part, const Array &array) const;
  int32_t ToNextChunk(const Part &part, const Part &summed, const Array &array) const;
  template <typename F>
  void ForElements(const Part &part, bool parallel, const Array &to, const Inputs &from, const F &f);
  template <typename F>
  void Stream(const Part &part, int64_t first, int64_t count, const Array &to, const Inputs &from, bool ahead,
              const F &f);

  const Array &residual() const { return problem_.residual.data ? problem_.residual : problem_.x; }
  bool has_residual() const { return problem_.residual.data != nullptr; }

  const ElementKernels &kernels_;
  Spare spare_;
};

// The forward pass; with problem.y absent, the statistics alone.
haline_status Forward(const Problem &problem, const Plan &plan, const KernelSet &kernels);
haline_status Backward(const Problem &problem, const Plan &plan, const KernelSet &kernels);

}  // namespace haline

#endif  // HALINE_RUNTIME_ENGINE_H_

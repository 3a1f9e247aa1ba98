#include "execute.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>

#include "error.h"
#include "threads.h"
#include "view.h"

namespace haline {
namespace {

// Planes [c, c + channels) of the samples [n, n + batch).
struct Part {
  int64_t n, batch, c, channels;

  int64_t padded() const { return (channels + kPad - 1) / kPad * kPad; }
};

// The columns of coefficients_generator.cpp.
enum Column { kH, kA, kB, kFast, kMean, kRstd, kColumns };

struct Defaults {
  float ones[kSlots], zeros[kSlots];
  Defaults() {
    std::fill(std::begin(ones), std::end(ones), 1.f);
    std::fill(std::begin(zeros), std::end(zeros), 0.f);
  }
};

// The first failure of all tasks, brought back to the caller's thread.
class Outcome {
 public:
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

  // Takes a status whose message is in the calling thread.
  void Keep(haline_status status) {
    if (status == HALINE_OK || failed_.exchange(true)) return;
    status_ = status;
    std::strncpy(message_, ErrorMessage(), sizeof(message_) - 1);
  }

  haline_status Tell() const { return failed() ? Fail(status_, "%s", message_) : HALINE_OK; }

 private:
  std::atomic<bool> failed_{false};
  haline_status status_ = HALINE_OK;
  char message_[1024] = "";
};

class Executor {
 public:
  Executor(const Problem &problem, const Plan &plan, const KernelSet &kernels)
      : problem_(problem), plan_(plan), kernels_(kernels) {}

  haline_status Run() {
    if (plan_.regime == Regime::kSplit) {
      for (int64_t i = 0; i < plan_.tasks && !outcome_.failed(); i++) {
        SplitPlane({i / problem_.channels, 1, i % problem_.channels, 1});
      }
      return outcome_.Tell();
    }
    For(plan_.tasks, [this](int64_t i) {
      const int64_t n = i / plan_.channel_tasks * plan_.task_batch;
      const int64_t c = i % plan_.channel_tasks * plan_.task_channels;
      const Part part{n, std::min(plan_.task_batch, problem_.batch - n), c,
                      std::min(plan_.task_channels, problem_.channels - c)};
      plan_.regime == Regime::kTiny ? Tiny(part) : Resident(part);
    });
    return outcome_.Tell();
  }

 private:
  template <typename F>
  void For(int64_t count, F &&f) {
    if (plan_.threads > 1) {
      ParallelFor(count, [&](int64_t i) {
        if (!outcome_.failed()) f(i);
      });
    } else {
      for (int64_t i = 0; i < count && !outcome_.failed(); i++) f(i);
    }
  }

  template <typename... Params, typename... Args>
  void Call(const char *name, const Kernel<Params...> &kernel, Args &&...args) {
    const int code = kernel.function(args...);
    if (code != 0) outcome_.Keep(FromHalide(code, name));
  }

  // x or y of a part, from element `first` on.
  template <typename T>
  View Planes(T *data, const Part &part, int64_t first, int64_t count) const {
    const int64_t size = problem_.size, row = problem_.channels * size;
    return View(data + part.n * row + part.c * size + first,
                {{count, 1, first}, {part.channels, size}, {part.batch, row}});
  }
  View X(const Part &part) const { return Planes(problem_.x, part, 0, problem_.size); }
  View Y(const Part &part) const { return Planes(problem_.y, part, 0, problem_.size); }

  // scale or shift of a part; the same for all samples.
  static View PerChannel(const float *data, const float *otherwise, const Part &part) {
    return View(data ? data + part.c : otherwise, {{part.channels, 1}, {part.batch, 0}});
  }
  View Scale(const Part &part) const { return PerChannel(problem_.scale, defaults().ones, part); }
  View Shift(const Part &part) const { return PerChannel(problem_.shift, defaults().zeros, part); }

  static const Defaults &defaults() {
    static const Defaults defaults;
    return defaults;
  }

  void Tiny(const Part &part) {
    float stats[2 * kSlots];
    View out(stats, {{part.channels, 1}, {2, part.channels}, {part.batch, 2 * part.channels}});
    Call("wide_across", kernels_.wide_across, X(part), Scale(part), Shift(part), problem_.eps, Y(part), out);
  }

  // Sums, coefficients and result of one task after the other, while its planes are in cache.
  void Resident(const Part &part) {
    double sums[3 * kSlots];
    float coefficients[kColumns * kSlots];
    Sums(part, sums, 0, blocks());
    Coefficients(part, sums, coefficients);
    Apply(part, coefficients, 0, problem_.size);
    Mend(part, coefficients);
  }

  // The same for one large plane, all threads together: its blocks' sums, its coefficients, then its blocks' results
  // from the end backwards, as the end is what the caches hold.
  void SplitPlane(const Part &part) {
    const std::unique_ptr<double, decltype(&std::free)> sums(
        static_cast<double *>(std::calloc(3 * part.padded() * blocks(), sizeof(double))), &std::free);
    if (!sums) return outcome_.Keep(Fail(HALINE_OUT_OF_MEMORY, "out of memory for a plane's partial sums"));
    float coefficients[kColumns * kPad];
    For(blocks(), [&](int64_t b) { Sums(part, sums.get(), b, 1); });
    Coefficients(part, sums.get(), coefficients);
    For(blocks(), [&](int64_t i) {
      const int64_t first = (blocks() - 1 - i) * kBlock;
      Apply(part, coefficients, first, std::min(kBlock, problem_.size - first));
    });
    Mend(part, coefficients);
  }

  // Scratch memory: sums[n][block][3][c], coefficients[n][column][c], c padded.
  void Sums(const Part &part, double *sums, int64_t block, int64_t count) {
    const int64_t row = part.padded();
    View out(sums + block * 3 * row,
             {{part.channels, 1}, {3, row}, {count, 3 * row, block}, {part.batch, 3 * row * blocks()}});
    if (problem_.size < kLarge) {
      Call("moments_small", kernels_.moments_small, X(part), out);
    } else {
      Call("moments_large", kernels_.moments_large, X(part), out);
    }
  }

  void Coefficients(const Part &part, double *sums, float *coefficients) {
    if (outcome_.failed()) return;
    const int64_t row = part.padded();
    View in(sums, {{row, 1}, {3, row}, {blocks(), 3 * row}, {part.batch, 3 * row * blocks()}});
    View out(coefficients, {{row, 1}, {kColumns, row}, {part.batch, kColumns * row}});
    Call("coefficients", kernels_.coefficients, in, Scale(part), Shift(part), problem_.eps,
         static_cast<double>(problem_.size), out);
  }

  void Apply(const Part &part, float *coefficients, int64_t first, int64_t count) {
    if (outcome_.failed()) return;
    const int64_t row = part.padded();
    View in(coefficients, {{row, 1}, {kColumns, row}, {part.batch, kColumns * row}});
    Call("apply", kernels_.apply, Planes(problem_.x, part, first, count), in, Planes(problem_.y, part, first, count));
  }

  // Planes that the float kernels could not do justice: Apply has passed them on unchanged, so that x is still there
  // also where y is x.
  void Mend(const Part &part, const float *coefficients) {
    if (outcome_.failed()) return;
    for (int64_t n = 0; n < part.batch; n++) {
      for (int64_t c = 0; c < part.channels; c++) {
        if (coefficients[(n * kColumns + kFast) * part.padded() + c] != 0.f) continue;
        const Part plane{part.n + n, 1, part.c + c, 1};
        float stats[2];
        View out(stats, {{1, 1}, {2, 1}, {1, 2}});
        Call("wide_along", kernels_.wide_along, X(plane), Scale(plane), Shift(plane), problem_.eps, Y(plane), out);
      }
    }
  }

  int64_t blocks() const { return (problem_.size + kBlock - 1) / kBlock; }

  const Problem &problem_;
  const Plan &plan_;
  const KernelSet &kernels_;
  Outcome outcome_;
};

}  // namespace

haline_status Execute(const Problem &problem, const Plan &plan, const KernelSet &kernels) {
  return Executor(problem, plan, kernels).Run();
}

}  // namespace haline

// A host problem's tensors on the device: there and back again.
#include <cstdlib>
#include <cstring>
#include <memory>

#include "gpu.h"
#include "gpu_engine.h"

namespace haline {
namespace {

class Sender {
 public:
  Sender(const Problem &problem, GpuApi *api) : problem_(problem), api_(api), sent_(problem) {}

  haline_status Run(GpuPass pass, const GpuKernels &kernels) {
    const bool forward = pass == GpuPass::kForward;
    const Direction statistics = forward && !problem_.given ? kBack : kThere;
    Send(problem_.x, kThere, &sent_.x);
    Send(problem_.residual, kThere, &sent_.residual);
    Send(problem_.dy, kThere, &sent_.dy);
    Send(problem_.y, kBack, &sent_.y);
    Send(problem_.dx, kBack, &sent_.dx);
    Send(problem_.dresidual, kBack, &sent_.dresidual);
    Send(problem_.scale, kThere, &sent_.scale);
    Send(problem_.shift, kThere, &sent_.shift);
    Send(problem_.mean, statistics, &sent_.mean);
    Send(problem_.rstd, statistics, &sent_.rstd);
    Send(problem_.variance, statistics, &sent_.variance);
    Send(problem_.m2, kBack, &sent_.m2);
    Send(problem_.running_mean, kBoth, &sent_.running_mean);
    Send(problem_.running_variance, kBoth, &sent_.running_variance);
    Send(problem_.dscale, kBack, &sent_.dscale);
    Send(problem_.dshift, kBack, &sent_.dshift);
    if (!outcome_.failed()) outcome_.Keep(RunPass(sent_, pass, api_, kernels));
    for (int i = 0; i < count_ && !outcome_.failed(); i++) Fetch(items_[i]);
    return outcome_.status;
  }

 private:
  enum Direction { kThere = 1, kBack = 2, kBoth = 3 };

  // A tensor: of planes' elements (array) or of planes' numbers.
  struct Item {
    const Array *array;
    const PerPlane *numbers;
    Direction direction;
    int64_t bytes;
    GpuMemory memory;
  };
  static constexpr int kMostItems = 16;

  Part All() const { return {0, problem_.batch, 0, problem_.channels, problem_.size()}; }

  // Where the elements lie one after the other already, or a copy's place.
  struct Free {
    void operator()(char *p) const { std::free(p); }
  };
  struct Staging {
    char *data;
    std::unique_ptr<char, Free> copy;
  };

  Item *Add(const Array *array, const PerPlane *numbers, Direction direction, int64_t bytes) {
    Item *item = &items_[count_++];
    *item = {array, numbers, direction, bytes, GpuMemory(api_, bytes, "tensors sent to the device", &outcome_)};
    if (outcome_.failed() || !(direction & kThere) || bytes == 0) return item;
    Staging staging;
    if (!Stage(*item, &staging)) return item;
    if (staging.copy) Gather(*item, staging.data);
    outcome_.Keep(item->memory.ToDevice(staging.data));
    return item;
  }

  void Send(const Array &array, Direction direction, Array *sent) {
    if (!array.data || outcome_.failed()) return;
    const Item *item = Add(&array, nullptr, direction, problem_.planes() * problem_.size() * Size(array.element));
    sent->data = reinterpret_cast<char *>(item->memory.address());
    int64_t stride = 1;
    for (int i = 0; i < array.loop_count; i++) {
      sent->loops[i].stride = stride;
      stride *= array.loops[i].extent;
    }
    sent->c_stride = problem_.size();
    sent->n_stride = problem_.channels * problem_.size();
  }

  void Send(const PerPlane &numbers, Direction direction, PerPlane *sent) {
    if (!numbers || outcome_.failed()) return;
    const Item *item = Add(nullptr, &numbers, direction, Count(numbers) * Size(numbers.element));
    sent->data = reinterpret_cast<char *>(item->memory.address());
    sent->c_stride = 1;
    sent->n_stride = numbers.n_stride == 0 ? 0 : problem_.channels;
  }

  int64_t Count(const PerPlane &numbers) const { return numbers.n_stride == 0 ? problem_.channels : problem_.planes(); }

  bool Stage(const Item &item, Staging *staging) {
    if (item.array && Dense(*item.array)) {
      staging->data = item.array->data;
      return true;
    }
    staging->copy.reset(static_cast<char *>(std::malloc(item.bytes)));
    staging->data = staging->copy.get();
    if (!staging->data) {
      outcome_.Keep(Fail(HALINE_OUT_OF_MEMORY, "out of memory: %lld bytes wanted to send tensors to the device",
                         static_cast<long long>(item.bytes)));
    }
    return staging->data != nullptr;
  }

  bool Dense(const Array &array) const {
    int64_t stride = 1;
    for (int i = 0; i < array.loop_count; i++) {
      if (array.loops[i].extent > 1 && array.loops[i].stride != stride) return false;
      stride *= array.loops[i].extent;
    }
    return (problem_.channels == 1 || array.c_stride == stride) &&
           (problem_.batch == 1 || array.n_stride == stride * problem_.channels);
  }

  void Gather(const Item &item, char *to) const {
    if (item.array) return Pack(*item.array, All(), 0, problem_.size(), to, problem_.size());
    ForNumbers(*item.numbers, [&](char *number, int64_t i, int64_t size) { std::memcpy(to + i * size, number, size); });
  }

  void Fetch(Item &item) {
    if (!(item.direction & kBack) || item.bytes == 0) return;
    Staging staging;
    if (!Stage(item, &staging)) return;
    outcome_.Keep(item.memory.ToHost(staging.data));
    if (outcome_.failed() || !staging.copy) return;
    const char *from = staging.data;
    if (item.array) return Unpack(*item.array, All(), 0, problem_.size(), from, problem_.size());
    ForNumbers(*item.numbers,
               [&](char *number, int64_t i, int64_t size) { std::memcpy(number, from + i * size, size); });
  }

  template <typename F>
  void ForNumbers(const PerPlane &numbers, const F &f) const {
    for (int64_t i = 0; i < Count(numbers); i++) {
      f(numbers.at(i / problem_.channels, i % problem_.channels), i, Size(numbers.element));
    }
  }

  const Problem &problem_;
  GpuApi *const api_;
  Problem sent_;
  GpuOutcome outcome_;
  Item items_[kMostItems];
  int count_ = 0;
};

}  // namespace

haline_status SendAndRun(const Problem &problem, GpuPass pass, GpuApi *api, const GpuKernels &kernels) {
  return Sender(problem, api).Run(pass, kernels);
}

}  // namespace haline

#include "gpu.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "gpu_engine.h"

namespace haline {
namespace {

// What the processor takes and GPUs don't.
haline_status CheckPlace(const char *name, const char *data, GpuApi *api) {
  if (!data) return HALINE_OK;
  const int64_t offset = api->OffsetOf(reinterpret_cast<Address>(data)), alignment = api->Alignment();
  if (offset % alignment == 0) return HALINE_OK;
  return Fail(HALINE_UNSUPPORTED,
              "%s: a byte_offset of %lld found, a multiple of %lld wanted, where parts of memory objects may start on "
              "this device",
              name, static_cast<long long>(offset), static_cast<long long>(alignment));
}

haline_status CheckForGpu(const Problem &p, GpuApi *api) {
  const std::pair<const char *, const Array *> arrays[] = {{"x", &p.x},   {"y", &p.y},   {"residual", &p.residual},
                                                           {"dy", &p.dy}, {"dx", &p.dx}, {"dresidual", &p.dresidual}};
  for (const auto &[name, array] : arrays) {
    bool negative = array->n_stride < 0 || array->c_stride < 0;
    for (int i = 0; i < array->loop_count; i++) negative = negative || array->loops[i].stride < 0;
    if (negative && array->data) {
      return Fail(HALINE_UNSUPPORTED, "%s: a negative stride found, 0 and up wanted of a device's tensors", name);
    }
    if (array->data && !Copyable(*array)) {
      return Fail(HALINE_UNSUPPORTED,
                  "%s: a stride of 2^31 or more elements found within a plane, less wanted of a "
                  "device's tensors",
                  name);
    }
    const haline_status status = CheckPlace(name, array->data, api);
    if (status != HALINE_OK) return status;
  }
  if (p.size() > kMostIndex) {
    return Fail(HALINE_UNSUPPORTED, "x: planes of %lld elements found, at most %lld wanted on a device",
                static_cast<long long>(p.size()), static_cast<long long>(kMostIndex));
  }
  // These are added up over the samples in one launch.
  const auto by_channel = [](const PerPlane &values) { return values && values.n_stride == 0; };
  if (p.planes() > kMostIndex &&
      (p.running_mean || p.running_variance || by_channel(p.dscale) || by_channel(p.dshift))) {
    return Fail(HALINE_UNSUPPORTED,
                "x: %lld planes found, at most %lld wanted on a device, where results by channel are "
                "asked for",
                static_cast<long long>(p.planes()), static_cast<long long>(kMostIndex));
  }
  const std::pair<const char *, const PerPlane *> numbers[] = {{"scale", &p.scale},
                                                               {"shift", &p.shift},
                                                               {"mean", &p.mean},
                                                               {"rstd", &p.rstd},
                                                               {"variance", &p.variance},
                                                               {"m2", &p.m2},
                                                               {"running_mean", &p.running_mean},
                                                               {"running_variance", &p.running_variance},
                                                               {"dscale", &p.dscale},
                                                               {"dshift", &p.dshift}};
  for (const auto &[name, values] : numbers) {
    if (*values && (values->n_stride < 0 || values->c_stride < 0)) {
      return Fail(HALINE_UNSUPPORTED, "%s: a negative stride found, 0 and up wanted of a device's tensors", name);
    }
    const haline_status status = CheckPlace(name, values->data, api);
    if (status != HALINE_OK) return status;
  }
  return HALINE_OK;
}

haline_status RunPass(const Problem &problem, GpuPass pass, GpuApi *api, const GpuKernels &kernels) {
  const haline_status status = CheckForGpu(problem, api);
  if (status != HALINE_OK) return status;
  return pass == GpuPass::kForward ? GpuForward(problem, api, kernels) : GpuBackward(problem, api, kernels);
}

// A host problem's tensors on the device: there and back again.
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

haline_status ChooseGpu(const haline_tensor &x, Problem *problem) {
  const char *backend = GpuBackendOf(x.device.type);
  if (!backend) {
    return Fail(HALINE_UNSUPPORTED, "x: device type %d found, 1 (CPU)%s wanted", x.device.type, kGpuDeviceTypes);
  }
  if (problem->backend && std::strcmp(problem->backend, backend) != 0) {
    return Fail(HALINE_INVALID_ARGUMENT, "backend: \"%s\" found, null or \"%s\" (where x is) wanted", problem->backend,
                backend);
  }
  FindGpuApi(backend)->Leave();  // the addresses of a call that was refused
  problem->backend = backend;
  problem->device = x.device;
  return HALINE_OK;
}

haline_status RunOnGpu(const Problem &problem, GpuPass pass, const GpuKernels &kernels) {
  GpuApi *const api = FindGpuApi(kernels.name);
  const bool own = problem.device.type == HALINE_CPU;
  haline_status status = api->Enter(problem.device, problem.queue, own);
  if (status == HALINE_OK) {
    status = own ? Sender(problem, api).Run(pass, kernels) : RunPass(problem, pass, api, kernels);
  }
  api->Leave();
  return status;
}

}  // namespace haline

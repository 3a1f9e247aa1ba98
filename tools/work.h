// One call of haline's, forward or backward, on memory of its own: what is timed, and whose bytes are compared.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_WORK_H_
#define HALINE_TOOLS_WORK_H_

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "haline/haline.hpp"
#include "tools/dtype.h"

namespace haline::tool {

// The functions of a library: the one that is linked, or one that was opened.
struct Api {
  decltype(&haline_instance_norm) forward = haline_instance_norm;
  decltype(&haline_instance_norm_backward) backward = haline_instance_norm_backward;
  decltype(&haline_error_message) error = haline_error_message;
};

enum class Form { kForward, kTraining, kRelu, kResidual, kBackward, kBackwardRelu };
constexpr const char *kForms[] = {"forward", "training", "relu", "residual", "backward", "backward-relu"};
constexpr bool IsBackward(Form form) { return form >= Form::kBackward; }

// What planes are made of: numbers as of an activation; or, plane by plane, also a constant, a large offset, a NaN,
// numbers whose squares are denormal.
enum class Content { kPlain, kSpecial };

class Work {
 public:
  Work(Form form, Dtype dtype, bool channels_last, const Shape &shape, Content content);

  // Throws Failure with the library's message.
  void Run(const Api &api, const char *backend);

  // Writes something else where the results go; and a hash of their bytes.
  void Spoil();
  uint64_t Hash() const;

  double bytes() const;  // that a call must at least read and write

  // For a copy of the same bytes: x and the result, as floats.
  const float *from() const { return reinterpret_cast<const float *>(x_.memory.get()); }
  float *to() const { return reinterpret_cast<float *>((IsBackward(form_) ? dx_ : y_).memory.get()); }
  size_t floats() const { return x_.size / sizeof(float); }

 private:
  // Pages of its own, each written once.
  struct Array {
    struct Free {
      void operator()(uint8_t *p) const { std::free(p); }
    };
    std::unique_ptr<uint8_t, Free> memory;
    size_t size = 0;  // bytes
    haline_tensor tensor = {};
  };
  Array Make(const std::vector<int64_t> *shape, Dtype dtype);
  void Fill(Array *array, uint64_t seed, Content content) const;

  Form form_;
  Dtype dtype_;
  std::vector<int64_t> shape_, channels_shape_, planes_shape_, strides_;
  Array x_, residual_, y_, scale_, shift_, mean_, rstd_, dy_, dx_, dscale_, dshift_;
  haline_options options_ = HALINE_OPTIONS_INIT;
};

// Calls at the start of a turn that are not timed, of a run that takes `once` seconds: whoever had the turn before left
// its own results in the caches, or none where it wrote past them. (Results of 3 MiB come back into a Xeon's L3 in
// three calls: 12, 15 and 20 of 22 GB/s.) What takes long is larger than any cache.
constexpr int WarmCalls(double once) { return once < 0.01 ? 3 : 0; }

// How much longer `b` takes than `a`, timed in turns, so that what disturbs the machine disturbs both alike; by the
// thread's own time where haline has one thread.
struct Ratio {
  double median = 1;  // of the turns' b / a
  double error = 0;   // of that: its standard error, from the median absolute deviation
  double a_seconds = 0, b_seconds = 0;
};
// `prepare`, if there is one, is called before each turn and not timed.
Ratio TimePairs(const std::function<void()> &a, const std::function<void()> &b, double seconds,
                const std::function<void(bool is_b)> &prepare = nullptr);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_WORK_H_

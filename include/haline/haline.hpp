// haline: instance normalization. The C++17 interface, a thin layer on haline.h.
//
//   haline::InstanceNorm norm(64);                       // channels
//   haline::Tensor y = norm({x.data(), {8, 64, 32, 32}});  // y of x's shape
//
// Errors are thrown as haline::Error, with the status and the library's message. Unless said otherwise, functions may
// be called from any thread at the same time.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_HALINE_HPP_
#define HALINE_HALINE_HPP_

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "haline/haline.h"

namespace haline {

class Error : public std::runtime_error {
 public:
  Error(haline_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
  haline_status status() const noexcept { return status_; }

 private:
  haline_status status_;
};

// Throws what a call of the C interface reported.
inline void Check(haline_status status) {
  if (status != HALINE_OK) throw Error(status, haline_error_message());
}

using Shape = std::vector<int64_t>;

// Someone else's memory seen as a tensor: a pointer, a shape, and strides in elements (none: contiguous, the last
// dimension innermost). Copies refer to the same memory, which must outlive them.
class ConstTensorView {
 public:
  ConstTensorView(const float *data, Shape shape, Shape strides = {})
      : data_(const_cast<float *>(data)), shape_(std::move(shape)), strides_(std::move(strides)) {
    if (!strides_.empty() && strides_.size() != shape_.size()) {
      throw Error(HALINE_INVALID_ARGUMENT, "strides: " + std::to_string(strides_.size()) + " found, " +
                                               std::to_string(shape_.size()) + " (one a dimension) wanted");
    }
  }

  const float *data() const noexcept { return data_; }
  const Shape &shape() const noexcept { return shape_; }
  const Shape &strides() const noexcept { return strides_; }

  // The C interface's view of it; valid as long as this object.
  haline_tensor c_tensor() const noexcept {
    haline_tensor t = {};
    t.data = data_;
    t.device = {HALINE_CPU, 0};
    t.ndim = static_cast<int32_t>(shape_.size());
    t.dtype = {HALINE_FLOAT, 32, 1};
    t.shape = const_cast<int64_t *>(shape_.data());
    t.strides = strides_.empty() ? nullptr : const_cast<int64_t *>(strides_.data());
    return t;
  }

 protected:
  float *data_;

 private:
  Shape shape_, strides_;
};

class TensorView : public ConstTensorView {
 public:
  TensorView(float *data, Shape shape, Shape strides = {})
      : ConstTensorView(data, std::move(shape), std::move(strides)) {}
  float *data() const noexcept { return data_; }
};

// A contiguous tensor with memory of its own, zeros at first.
class Tensor {
 public:
  explicit Tensor(Shape shape) : shape_(std::move(shape)) {
    int64_t count = 1;
    for (const int64_t extent : shape_) count *= extent;
    values_.resize(static_cast<size_t>(count));
  }

  float *data() noexcept { return values_.data(); }
  const float *data() const noexcept { return values_.data(); }
  const Shape &shape() const noexcept { return shape_; }
  int64_t size() const noexcept { return static_cast<int64_t>(values_.size()); }
  float &operator[](int64_t i) { return values_[static_cast<size_t>(i)]; }
  const float &operator[](int64_t i) const { return values_[static_cast<size_t>(i)]; }

  operator TensorView() noexcept { return {data(), shape_}; }
  operator ConstTensorView() const noexcept { return {data(), shape_}; }

 private:
  Shape shape_;
  std::vector<float> values_;
};

struct Options {
  double eps = 1e-5;
  std::string backend;  // a name from backends(), or empty: the process's choice
};

// y = the instance norm of x, [N, C, *]; y may be x. scale and shift: C values each, or null for ones and zeros.
// Everything else is as haline_instance_norm has it.
inline void instance_norm(const ConstTensorView &x, const TensorView &y, const float *scale = nullptr,
                          const float *shift = nullptr, const Options &options = {}) {
  const Shape channels = {x.shape().size() > 1 ? x.shape()[1] : 0};
  const ConstTensorView scale_view(scale, channels), shift_view(shift, channels);
  const haline_tensor tx = x.c_tensor(), tscale = scale_view.c_tensor(), tshift = shift_view.c_tensor();
  haline_tensor ty = y.c_tensor();
  haline_options c_options = HALINE_OPTIONS_INIT;
  c_options.eps = options.eps;
  c_options.backend = options.backend.empty() ? nullptr : options.backend.c_str();
  Check(haline_instance_norm(&tx, scale ? &tscale : nullptr, shift ? &tshift : nullptr, &ty, &c_options));
}

// The layer: instance norm over [N, channels, *] with, where affine, one learned scale and shift a channel.
//
// Calls do not change the layer and may run at the same time; writing scale or shift meanwhile is a data race.
class InstanceNorm {
 public:
  // channels >= 0; eps >= 0; affine: scale starts as ones and shift as zeros, else there are none.
  explicit InstanceNorm(int64_t channels, double eps = 1e-5, bool affine = true)
      : channels_(channels), affine_(affine) {
    if (channels < 0) {
      throw Error(HALINE_INVALID_ARGUMENT, "channels: " + std::to_string(channels) + " found, 0 and up wanted");
    }
    if (!(eps >= 0)) throw Error(HALINE_INVALID_ARGUMENT, "eps: " + std::to_string(eps) + " found, 0 and up wanted");
    options_.eps = eps;
    if (affine) {
      scale_.assign(static_cast<size_t>(channels), 1.f);
      shift_.assign(static_cast<size_t>(channels), 0.f);
    }
  }

  int64_t channels() const noexcept { return channels_; }
  double eps() const noexcept { return options_.eps; }
  bool affine() const noexcept { return affine_; }

  // [channels] each; empty where not affine.
  const std::vector<float> &scale() const noexcept { return scale_; }
  const std::vector<float> &shift() const noexcept { return shift_; }
  void set_scale(std::vector<float> values) { Set("scale", scale_, std::move(values)); }
  void set_shift(std::vector<float> values) { Set("shift", shift_, std::move(values)); }

  // y of x's shape.
  Tensor operator()(const ConstTensorView &x) const {
    CheckChannels(x);
    Tensor y(x.shape());
    forward(x, y);
    return y;
  }

  // The same into memory of the caller's; y may be x.
  void forward(const ConstTensorView &x, const TensorView &y) const {
    CheckChannels(x);
    instance_norm(x, y, affine_ ? scale_.data() : nullptr, affine_ ? shift_.data() : nullptr, options_);
  }

 private:
  void CheckChannels(const ConstTensorView &x) const {
    const Shape &shape = x.shape();
    if (shape.size() < 2 || shape[1] != channels_) {
      throw Error(
          HALINE_INVALID_ARGUMENT,
          "x: " + (shape.size() < 2 ? "rank " + std::to_string(shape.size()) : std::to_string(shape[1]) + " channels") +
              " found, [N, " + std::to_string(channels_) + ", *] wanted");
    }
  }

  void Set(const char *name, std::vector<float> &target, std::vector<float> values) {
    if (values.size() != target.size()) {
      throw Error(HALINE_INVALID_ARGUMENT, std::string(name) + ": " + std::to_string(values.size()) +
                                               " values found, " + std::to_string(target.size()) + " wanted");
    }
    target = std::move(values);
  }

  int64_t channels_;
  bool affine_;
  Options options_;
  std::vector<float> scale_, shift_;
};

// The names of the back ends that run here, best first.
inline std::vector<std::string> backends() {
  std::vector<std::string> names;
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend backend = {};
    backend.size = sizeof(backend);
    Check(haline_backend_at(i, &backend));
    if (backend.runs_here) names.push_back(backend.name);
  }
  return names;
}

}  // namespace haline

#endif  // HALINE_HALINE_HPP_

// haline: instance normalization. The C++17 interface, a thin layer on haline.h.
//
//   haline::InstanceNorm norm(64);                         // channels
//   haline::Tensor y = norm({x.data(), {8, 64, 32, 32}});  // y of x's shape
//
// Errors are thrown as haline::Error, with the status and the library's message. Unless said otherwise, functions may
// be called from any thread at the same time.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_HALINE_HPP_
#define HALINE_HALINE_HPP_

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "haline/haline.h"
#include "haline/tensor.hpp"

namespace haline {

// Everything optional, as haline_options has it.
struct Options {
  double eps = 1e-5;
  std::string backend = {};  // a name from backends(), or empty: the process's choice
  haline_activation activation = HALINE_NO_ACTIVATION;
  double negative_slope = 0.01;
  std::optional<ConstTensorView> residual = {}, lengths = {};
  std::optional<TensorView> mean = {}, rstd = {};
  std::optional<ConstTensorView> given_mean = {}, given_rstd = {}, given_variance = {};
  std::optional<TensorView> running_mean = {}, running_variance = {};
  double momentum = 0.1;
  std::optional<TensorView> dresidual = {};
  bool frozen = false;
};

namespace internal {

// The C interface's tensors, kept as long as a call takes; null for a missing one.
class Tensors {
 public:
  template <typename View>
  haline_tensor *Get(const std::optional<View> &view) {
    return view ? Get(*view) : nullptr;
  }
  haline_tensor *Get(const ConstTensorView &view) {
    tensors_[used_] = view.c_tensor();
    return &tensors_[used_++];
  }

 private:
  haline_tensor tensors_[24];
  int used_ = 0;
};

inline haline_options COptions(const Options &from, Tensors *tensors) {
  haline_options to = HALINE_OPTIONS_INIT;
  to.eps = from.eps;
  to.backend = from.backend.empty() ? nullptr : from.backend.c_str();
  to.activation = from.activation;
  to.negative_slope = from.negative_slope;
  to.residual = tensors->Get(from.residual);
  to.lengths = tensors->Get(from.lengths);
  to.mean = tensors->Get(from.mean);
  to.rstd = tensors->Get(from.rstd);
  to.given_mean = tensors->Get(from.given_mean);
  to.given_rstd = tensors->Get(from.given_rstd);
  to.given_variance = tensors->Get(from.given_variance);
  to.running_mean = tensors->Get(from.running_mean);
  to.running_variance = tensors->Get(from.running_variance);
  to.momentum = from.momentum;
  to.dresidual = tensors->Get(from.dresidual);
  to.frozen = from.frozen;
  return to;
}

}  // namespace internal

// y = the instance norm of x; see haline_instance_norm. No scale: ones; no shift: zeros.
inline void instance_norm(const ConstTensorView &x, const TensorView &y, const std::optional<ConstTensorView> &scale,
                          const std::optional<ConstTensorView> &shift, const Options &options = {}) {
  internal::Tensors tensors;
  const haline_options c_options = internal::COptions(options, &tensors);
  Check(haline_instance_norm(tensors.Get(x), tensors.Get(scale), tensors.Get(shift), tensors.Get(y), &c_options));
}

// The same for float32 x, with scale and shift as C values each, or null.
inline void instance_norm(const ConstTensorView &x, const TensorView &y, const float *scale = nullptr,
                          const float *shift = nullptr, const Options &options = {}) {
  const Shape channels = {x.shape().size() > 1 ? x.shape()[1] : 0};
  const auto view = [&](const float *data) {
    return data ? std::optional<ConstTensorView>(std::in_place, data, channels) : std::nullopt;
  };
  instance_norm(x, y, view(scale), view(shift), options);
}

// The gradients of x, scale and shift, each where wanted; see haline_instance_norm_backward.
inline void instance_norm_backward(const ConstTensorView &x, const ConstTensorView &dy,
                                   const std::optional<ConstTensorView> &scale,
                                   const std::optional<ConstTensorView> &shift, const ConstTensorView &mean,
                                   const ConstTensorView &rstd, const std::optional<TensorView> &dx,
                                   const std::optional<TensorView> &dscale, const std::optional<TensorView> &dshift,
                                   const Options &options = {}) {
  internal::Tensors tensors;
  const haline_options c_options = internal::COptions(options, &tensors);
  Check(haline_instance_norm_backward(tensors.Get(x), tensors.Get(dy), tensors.Get(scale), tensors.Get(shift),
                                      tensors.Get(mean), tensors.Get(rstd), tensors.Get(dx), tensors.Get(dscale),
                                      tensors.Get(dshift), &c_options));
}

// Moments of tiles, and what they are together.
struct Moments {
  int64_t count = 0;
  Tensor mean{Shape{0, 0}, dtype_of<double>()}, m2{Shape{0, 0}, dtype_of<double>()};  // [N, C]

  // m2 / count, [N, C]: what instance_norm takes as given_variance.
  Tensor variance() const {
    Tensor result(m2.shape(), dtype_of<double>());
    for (int64_t i = 0; i < m2.size(); i++) {
      result.data<double>()[i] = m2.data<double>()[i] / static_cast<double>(count);
    }
    return result;
  }
};

inline Moments moments(const ConstTensorView &x, const Options &options = {}) {
  const Shape planes(x.shape().begin(), x.shape().begin() + (x.shape().size() < 2 ? 0 : 2));
  Moments result{0, Tensor(planes, dtype_of<double>()), Tensor(planes, dtype_of<double>())};
  internal::Tensors tensors;
  const haline_options c_options = internal::COptions(options, &tensors);
  Check(haline_moments(tensors.Get(x), &result.count, tensors.Get(TensorView(result.mean)),
                       tensors.Get(TensorView(result.m2)), &c_options));
  return result;
}

// What the tiles are together; at least one. See haline_merge_moments.
inline Moments merge(const std::vector<Moments> &tiles) {
  if (tiles.empty()) throw Error(HALINE_INVALID_ARGUMENT, "tiles: none found, 1 and up wanted");
  std::vector<int64_t> counts;
  std::vector<ConstTensorView> views;
  for (const Moments &tile : tiles) {
    counts.push_back(tile.count);
    views.push_back(tile.mean);
    views.push_back(tile.m2);
  }
  std::vector<haline_tensor> tensors;
  for (const ConstTensorView &view : views) tensors.push_back(view.c_tensor());
  std::vector<const haline_tensor *> means, m2s;
  for (size_t i = 0; i < tensors.size(); i++) (i % 2 == 0 ? means : m2s).push_back(&tensors[i]);
  Moments result{0, Tensor(tiles[0].mean.shape(), dtype_of<double>()),
                 Tensor(tiles[0].mean.shape(), dtype_of<double>())};
  internal::Tensors out;
  const TensorView mean = result.mean, m2 = result.m2;
  Check(haline_merge_moments(static_cast<int32_t>(tiles.size()), counts.data(), means.data(), m2s.data(), &result.count,
                             out.Get(mean), out.Get(m2)));
  return result;
}

// The layer: instance norm over [N, channels, *] with, where affine, one learned scale and shift a channel, and, where
// they are tracked, running statistics; an activation and a residual may follow. As torch.nn.InstanceNorm1d, 2d and 3d,
// but affine by default.
//
// In training mode (the first) the statistics are x's own, and running ones are updated; in evaluation mode the running
// ones are used, if they are tracked. Const calls do not change the layer and may run at the same time.
class InstanceNorm {
 public:
  // channels >= 0; eps >= 0; affine: scale starts as ones and shift as zeros, else there are none; tracked: the running
  // mean starts as zeros and the running variance as ones.
  explicit InstanceNorm(int64_t channels, double eps = 1e-5, bool affine = true, bool track_running_stats = false,
                        double momentum = 0.1)
      : channels_(channels), affine_(affine), tracked_(track_running_stats) {
    if (channels < 0) {
      throw Error(HALINE_INVALID_ARGUMENT, "channels: " + std::to_string(channels) + " found, 0 and up wanted");
    }
    if (!(eps >= 0)) throw Error(HALINE_INVALID_ARGUMENT, "eps: " + std::to_string(eps) + " found, 0 and up wanted");
    options_.eps = eps;
    options_.momentum = momentum;
    const auto count = static_cast<size_t>(channels);
    if (affine) scale_.assign(count, 1.f), shift_.assign(count, 0.f);
    if (tracked_) running_mean_.assign(count, 0.f), running_variance_.assign(count, 1.f);
  }

  int64_t channels() const noexcept { return channels_; }
  double eps() const noexcept { return options_.eps; }
  bool affine() const noexcept { return affine_; }
  bool training() const noexcept { return training_; }
  void train() noexcept { training_ = true; }
  void eval() noexcept { training_ = false; }

  // y = act(norm(x) + residual). Leaky ReLU alone takes the slope.
  void set_activation(haline_activation activation, double negative_slope = 0.01) {
    options_.activation = activation;
    options_.negative_slope = negative_slope;
  }

  // [channels] each; empty where not affine, or not tracked.
  const std::vector<float> &scale() const noexcept { return scale_; }
  const std::vector<float> &shift() const noexcept { return shift_; }
  const std::vector<float> &running_mean() const noexcept { return running_mean_; }
  const std::vector<float> &running_variance() const noexcept { return running_variance_; }
  void set_scale(std::vector<float> values) { Set("scale", &scale_, std::move(values)); }
  void set_shift(std::vector<float> values) { Set("shift", &shift_, std::move(values)); }
  void set_running_mean(std::vector<float> values) { Set("running_mean", &running_mean_, std::move(values)); }
  void set_running_variance(std::vector<float> values) {
    Set("running_variance", &running_variance_, std::move(values));
  }

  // y of x's shape and type, without a change to the layer: running statistics are not updated.
  Tensor operator()(const ConstTensorView &x, const std::optional<ConstTensorView> &residual = std::nullopt) const {
    Tensor y(x.shape(), x.dtype());
    forward(x, y, residual);
    return y;
  }

  // The same into memory of the caller's; y may be x.
  void forward(const ConstTensorView &x, const TensorView &y,
               const std::optional<ConstTensorView> &residual = std::nullopt) const {
    instance_norm(CheckChannels(x), y, PerChannel(scale_), PerChannel(shift_), CallOptions(residual));
  }

  // What the backward pass needs of a forward pass: the statistics of each plane, [N, channels].
  struct Saved {
    Tensor mean{Shape{0, 0}, dtype_of<double>()}, rstd{Shape{0, 0}, dtype_of<double>()};
    bool frozen = false;  // they were the running ones
  };

  // The forward pass of training: keeps what the backward pass needs and, in training mode, updates running statistics.
  Saved forward_train(const ConstTensorView &x, const TensorView &y,
                      const std::optional<ConstTensorView> &residual = std::nullopt) {
    CheckChannels(x);
    const Shape planes = {x.shape()[0], channels_};
    Saved saved{Tensor(planes, dtype_of<double>()), Tensor(planes, dtype_of<double>()), tracked_ && !training_};
    Options options = CallOptions(residual);
    if (saved.frozen) {
      for (int64_t i = 0; i < saved.mean.size(); i++) {
        const double variance = running_variance_[static_cast<size_t>(i % channels_)] + options_.eps;
        saved.mean.data<double>()[i] = running_mean_[static_cast<size_t>(i % channels_)];
        saved.rstd.data<double>()[i] = variance > 0 ? 1 / std::sqrt(variance) : 0;
      }
    } else {
      options.mean = saved.mean;
      options.rstd = saved.rstd;
      if (tracked_) {
        options.running_mean = TensorView(running_mean_.data(), Shape{channels_});
        options.running_variance = TensorView(running_variance_.data(), Shape{channels_});
      }
    }
    instance_norm(x, y, PerChannel(scale_), PerChannel(shift_), options);
    return saved;
  }

  struct Gradients {
    Tensor dx;
    std::vector<float> dscale, dshift;  // [channels]; empty where not affine
    std::optional<Tensor> dresidual;    // where there was a residual
  };

  // From x and residual as forward_train was given them, what it saved, and the gradient of y.
  Gradients backward(const ConstTensorView &x, const ConstTensorView &dy, const Saved &saved,
                     const std::optional<ConstTensorView> &residual = std::nullopt) const {
    CheckChannels(x);
    Gradients result{Tensor(x.shape(), x.dtype()), std::vector<float>(scale_.size()), std::vector<float>(shift_.size()),
                     residual ? std::optional<Tensor>(Tensor(x.shape(), x.dtype())) : std::nullopt};
    Options options = options_;
    options.residual = residual;
    if (residual) options.dresidual = *result.dresidual;
    options.frozen = saved.frozen;
    const bool wide = x.dtype().bits == 64;  // then scale and its gradient are double
    Tensor dscale(Shape{channels_}, wide ? dtype_of<double>() : dtype_of<float>()), dshift = dscale;
    instance_norm_backward(x, dy, PerChannel(scale_), PerChannel(shift_), saved.mean, saved.rstd, result.dx, dscale,
                           dshift, options);
    for (size_t c = 0; c < scale_.size(); c++) {
      const auto i = static_cast<int64_t>(c);
      result.dscale[c] = wide ? static_cast<float>(dscale.data<double>()[i]) : dscale[i];
      result.dshift[c] = wide ? static_cast<float>(dshift.data<double>()[i]) : dshift[i];
    }
    return result;
  }

 private:
  const ConstTensorView &CheckChannels(const ConstTensorView &x) const {
    const Shape &shape = x.shape();
    if (shape.size() < 2 || shape[1] != channels_) {
      throw Error(
          HALINE_INVALID_ARGUMENT,
          "x: " + (shape.size() < 2 ? "rank " + std::to_string(shape.size()) : std::to_string(shape[1]) + " channels") +
              " found, [N, " + std::to_string(channels_) + ", *] wanted");
    }
    return x;
  }

  std::optional<ConstTensorView> PerChannel(const std::vector<float> &values) const {
    if (!affine_) return std::nullopt;
    return ConstTensorView(values.data(), Shape{channels_});
  }

  Options CallOptions(const std::optional<ConstTensorView> &residual) const {
    Options options = options_;
    options.residual = residual;
    if (tracked_ && !training_) {
      options.given_mean = ConstTensorView(running_mean_.data(), Shape{channels_});
      options.given_variance = ConstTensorView(running_variance_.data(), Shape{channels_});
    }
    return options;
  }

  static void Set(const char *name, std::vector<float> *target, std::vector<float> values) {
    if (values.size() != target->size()) {
      throw Error(HALINE_INVALID_ARGUMENT, std::string(name) + ": " + std::to_string(values.size()) +
                                               " values found, " + std::to_string(target->size()) + " wanted");
    }
    *target = std::move(values);
  }

  int64_t channels_;
  bool affine_, tracked_, training_ = true;
  Options options_;
  std::vector<float> scale_, shift_, running_mean_, running_variance_;
};

// The names of the back ends that run here, best first.
inline std::vector<std::string> backends() {
  std::vector<std::string> names;
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend backend = {};
    backend.size = sizeof(backend);
    Check(haline_backend_at(i, &backend));
    if (backend.runs_here) names.emplace_back(backend.name);
  }
  return names;
}

}  // namespace haline

#endif  // HALINE_HALINE_HPP_

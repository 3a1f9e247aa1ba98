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
#include "haline/operator.hpp"
#include "haline/tensor.hpp"

namespace haline {

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
    const Parameters parameters(*this, CheckChannels(x));
    instance_norm(x, y, parameters.scale, parameters.shift, CallOptions(residual));
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
        options.running_mean = TensorView(running_mean_.data(), Dimensions{channels_});
        options.running_variance = TensorView(running_variance_.data(), Dimensions{channels_});
      }
    }
    const Parameters parameters(*this, x);
    instance_norm(x, y, parameters.scale, parameters.shift, options);
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
    const Parameters parameters(*this, x);
    instance_norm_backward(x, dy, parameters.scale, parameters.shift, saved.mean, saved.rstd, result.dx, dscale, dshift,
                           options);
    for (size_t c = 0; c < scale_.size(); c++) {
      const auto i = static_cast<int64_t>(c);
      result.dscale[c] = wide ? static_cast<float>(dscale.data<double>()[i]) : dscale[i];
      result.dshift[c] = wide ? static_cast<float>(dshift.data<double>()[i]) : dshift[i];
    }
    return result;
  }

 private:
  const ConstTensorView &CheckChannels(const ConstTensorView &x) const {
    const Dimensions &shape = x.shape();
    if (shape.size() < 2 || shape[1] != channels_) {
      throw Error(
          HALINE_INVALID_ARGUMENT,
          "x: " + (shape.size() < 2 ? "rank " + std::to_string(shape.size()) : std::to_string(shape[1]) + " channels") +
              " found, [N, " + std::to_string(channels_) + ", *] wanted");
    }
    return x;
  }

  // scale and shift in the type that x wants them in.
  class Parameters {
   public:
    Parameters(const InstanceNorm &norm, const ConstTensorView &x) {
      if (!norm.affine_) return;
      const Dimensions shape = {norm.channels_};
      if (x.dtype().bits == 64) {
        wide_scale_.assign(norm.scale_.begin(), norm.scale_.end());
        wide_shift_.assign(norm.shift_.begin(), norm.shift_.end());
        scale.emplace(wide_scale_.data(), shape);
        shift.emplace(wide_shift_.data(), shape);
      } else {
        scale.emplace(norm.scale_.data(), shape);
        shift.emplace(norm.shift_.data(), shape);
      }
    }
    Parameters(const Parameters &) = delete;
    Parameters &operator=(const Parameters &) = delete;

    std::optional<ConstTensorView> scale, shift;

   private:
    std::vector<double> wide_scale_, wide_shift_;
  };

  Options CallOptions(const std::optional<ConstTensorView> &residual) const {
    Options options = options_;
    options.residual = residual;
    if (tracked_ && !training_) {
      options.given_mean = ConstTensorView(running_mean_.data(), Dimensions{channels_});
      options.given_variance = ConstTensorView(running_variance_.data(), Dimensions{channels_});
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

// The names of the back ends that run here, best first; those of GPUs aside.
inline std::vector<std::string> backends() {
  std::vector<std::string> names;
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend backend = {};
    backend.size = sizeof(backend);
    Check(haline_backend_at(i, &backend));
    if (backend.runs_here && backend.device == HALINE_CPU) names.emplace_back(backend.name);
  }
  return names;
}

}  // namespace haline

#endif  // HALINE_HALINE_HPP_

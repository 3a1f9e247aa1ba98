// The operator as functions of haline's C++17 interface; haline.hpp includes this file.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_OPERATOR_HPP_
#define HALINE_OPERATOR_HPP_

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
  void *queue = nullptr;  // of device tensors
  int64_t given_count = 0;
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
  haline_tensor *Get(const float *data, int64_t *count) {
    tensors_[used_] = {const_cast<float *>(data), {HALINE_CPU, 0}, 1, dtype_of<float>(), count, nullptr, 0};
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
  to.queue = from.queue;
  to.given_count = from.given_count;
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
  internal::Tensors tensors;
  const haline_options c_options = internal::COptions(options, &tensors);
  int64_t channels = x.shape().size() > 1 ? x.shape()[1] : 0;
  const auto get = [&](const float *data) { return data ? tensors.Get(data, &channels) : nullptr; };
  Check(haline_instance_norm(tensors.Get(x), get(scale), get(shift), tensors.Get(y), &c_options));
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
                             out.Get(mean), out.Get(m2), nullptr));
  return result;
}

}  // namespace haline

#endif  // HALINE_OPERATOR_HPP_

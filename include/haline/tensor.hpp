// Tensors and errors of haline's C++17 interface; haline.hpp includes this file.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TENSOR_HPP_
#define HALINE_TENSOR_HPP_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <type_traits>
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

// Extents or strides as a view keeps them: up to 6 in the object itself, so that to make a view is not to allocate.
class Dimensions {
 public:
  Dimensions() = default;
  Dimensions(std::initializer_list<int64_t> values) : Dimensions(values.begin(), values.size()) {}
  Dimensions(const Shape &values) : Dimensions(values.data(), values.size()) {}  // NOLINT(google-explicit-constructor)
  operator Shape() const { return {begin(), end()}; }                            // NOLINT(google-explicit-constructor)

  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const int64_t *data() const noexcept { return size_ <= kOwn ? own_ : more_.data(); }
  const int64_t *begin() const noexcept { return data(); }
  const int64_t *end() const noexcept { return data() + size_; }
  int64_t operator[](size_t i) const noexcept { return data()[i]; }
  friend bool operator==(const Dimensions &a, const Dimensions &b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }
  friend bool operator!=(const Dimensions &a, const Dimensions &b) noexcept { return !(a == b); }

 private:
  static constexpr size_t kOwn = 6;

  Dimensions(const int64_t *values, size_t size) : size_(size) {
    if (size <= kOwn) {
      std::copy_n(values, size, own_);
    } else {
      more_.assign(values, values + size);
    }
  }

  size_t size_ = 0;
  int64_t own_[kOwn] = {};
  Shape more_;  // all of them, where they are more
};

// 16-bit floats, as bits.
struct float16 {
  uint16_t bits;
};
struct bfloat16 {
  uint16_t bits;
};

template <typename T>
constexpr haline_dtype dtype_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, float16> ||
                    std::is_same_v<T, bfloat16> || std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t>,
                "float, double, haline::float16 and bfloat16 wanted; int32_t and int64_t for lengths");
  return {static_cast<uint8_t>(std::is_same_v<T, bfloat16> ? HALINE_BFLOAT
                               : std::is_integral_v<T>     ? HALINE_INT
                                                           : HALINE_FLOAT),
          static_cast<uint8_t>(8 * sizeof(T)), 1};
}

// Someone else's memory seen as a tensor: a pointer, a shape, and strides in elements (none: contiguous, the last
// dimension innermost). Copies refer to the same memory, which must outlive them.
class ConstTensorView {
 public:
  template <typename T>
  ConstTensorView(const T *data, const Dimensions &shape) : ConstTensorView(data, dtype_of<T>(), shape) {}
  template <typename T>
  ConstTensorView(const T *data, const Dimensions &shape, const Dimensions &strides)
      : ConstTensorView(data, dtype_of<T>(), shape, strides) {}
  ConstTensorView(const void *data, haline_dtype dtype, const Dimensions &shape)
      : data_(const_cast<void *>(data)), dtype_(dtype), shape_(shape) {}
  ConstTensorView(const void *data, haline_dtype dtype, const Dimensions &shape, const Dimensions &strides)
      : data_(const_cast<void *>(data)), dtype_(dtype), shape_(shape), strides_(strides) {
    if (!strides_.empty() && strides_.size() != shape_.size()) {
      throw Error(HALINE_INVALID_ARGUMENT, "strides: " + std::to_string(strides_.size()) + " found, " +
                                               std::to_string(shape_.size()) + " (one a dimension) wanted");
    }
  }

  const void *data() const noexcept { return data_; }
  haline_dtype dtype() const noexcept { return dtype_; }
  const Dimensions &shape() const noexcept { return shape_; }
  const Dimensions &strides() const noexcept { return strides_; }

  // The C interface's view of it; valid as long as this object.
  haline_tensor c_tensor() const noexcept {
    haline_tensor t = {};
    t.data = data_;
    t.device = {HALINE_CPU, 0};
    t.ndim = static_cast<int32_t>(shape_.size());
    t.dtype = dtype_;
    t.shape = const_cast<int64_t *>(shape_.data());
    t.strides = strides_.empty() ? nullptr : const_cast<int64_t *>(strides_.data());
    return t;
  }

 private:
  void *data_;
  haline_dtype dtype_;
  Dimensions shape_, strides_;
};

class TensorView : public ConstTensorView {
 public:
  template <typename T>
  TensorView(T *data, const Dimensions &shape) : ConstTensorView(data, shape) {}
  template <typename T>
  TensorView(T *data, const Dimensions &shape, const Dimensions &strides) : ConstTensorView(data, shape, strides) {}
  TensorView(void *data, haline_dtype dtype, const Dimensions &shape) : ConstTensorView(data, dtype, shape) {}
  TensorView(void *data, haline_dtype dtype, const Dimensions &shape, const Dimensions &strides)
      : ConstTensorView(data, dtype, shape, strides) {}
};

// A contiguous tensor with memory of its own, zeros at first.
class Tensor {
 public:
  explicit Tensor(Shape shape, haline_dtype dtype = dtype_of<float>()) : shape_(std::move(shape)), dtype_(dtype) {
    for (const int64_t extent : shape_) size_ *= extent;
    values_.resize((static_cast<size_t>(size_) * (dtype.bits / 8) + sizeof(double) - 1) / sizeof(double));
  }

  template <typename T = float>
  T *data() {
    CheckType<T>();
    return reinterpret_cast<T *>(values_.data());
  }
  template <typename T = float>
  const T *data() const {
    CheckType<T>();
    return reinterpret_cast<const T *>(values_.data());
  }
  const Shape &shape() const noexcept { return shape_; }
  haline_dtype dtype() const noexcept { return dtype_; }
  int64_t size() const noexcept { return size_; }
  float &operator[](int64_t i) { return data()[i]; }  // of a float tensor
  const float &operator[](int64_t i) const { return data()[i]; }

  // Tensors are given wherever views are taken.
  operator TensorView() { return {values_.data(), dtype_, shape_}; }             // NOLINT(google-explicit-constructor)
  operator ConstTensorView() const { return {values_.data(), dtype_, shape_}; }  // NOLINT(google-explicit-constructor)

 private:
  template <typename T>
  void CheckType() const {
    const haline_dtype wanted = dtype_of<T>();
    if (wanted.code != dtype_.code || wanted.bits != dtype_.bits) {
      throw Error(HALINE_INVALID_ARGUMENT, "data: " + std::to_string(wanted.bits) + " bits asked for, a tensor of " +
                                               std::to_string(dtype_.bits) + " found, or of another kind");
    }
  }

  Shape shape_;
  haline_dtype dtype_;
  int64_t size_ = 1;
  std::vector<double> values_;
};

}  // namespace haline

#endif  // HALINE_TENSOR_HPP_

// SPDX-License-Identifier: MIT
#include "support/typed.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "support/random.h"

namespace haline::test {
namespace {

constexpr int64_t kGuard = 64;  // bytes before and after
constexpr unsigned char kRest = 0xa5;

// Bits of the fraction, exponents, of the 16-bit types.
struct Half {
  int fraction, least, bias;
};
constexpr Half Of(Type type) { return type == Type::kF16 ? Half{10, -14, 15} : Half{7, -126, 127}; }

// 2^exponent, a normal number: under an emulator std::ldexp takes longer than all else that a conversion does.
constexpr double PowerOfTwo(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(1023 + exponent) << 52);
}

}  // namespace

const char *Name(Type type) {
  constexpr const char *kNames[] = {"float32", "float16", "bfloat16", "float64", "int32", "int64"};
  return kNames[static_cast<int>(type)];
}

haline_dtype DType(Type type) {
  const bool integer = type == Type::kI32 || type == Type::kI64;
  const auto code = integer ? HALINE_INT : type == Type::kBF16 ? HALINE_BFLOAT : HALINE_FLOAT;
  return {static_cast<uint8_t>(code), static_cast<uint8_t>(8 * Size(type)), 1};
}

uint64_t OneNan(Type type) {
  return type == Type::kF32    ? 0x7fc00000u
         : type == Type::kF16  ? 0x7e00u
         : type == Type::kBF16 ? 0x7fc0u
                               : 0x7ff8000000000000u;
}

uint64_t ToBits(Type type, double value) {
  if (type == Type::kI32) return static_cast<uint32_t>(static_cast<int32_t>(value));
  if (type == Type::kI64) return static_cast<uint64_t>(static_cast<int64_t>(value));
  if (std::isnan(value)) return OneNan(type);
  if (type == Type::kF64) return std::bit_cast<uint64_t>(value);
  if (type == Type::kF32) return std::bit_cast<uint32_t>(static_cast<float>(value));
  const Half half = Of(type);
  const uint64_t one = uint64_t{1} << half.fraction, sign = std::signbit(value) ? 0x8000u : 0;
  const uint64_t infinity = type == Type::kF16 ? 0x7c00u : 0x7f80u;
  if (value == 0) return sign;
  const int own = static_cast<int>(std::bit_cast<uint64_t>(value) >> 52 & 2047) - 1023;  // infinities': 1024
  if (own > half.bias) return sign | infinity;
  const int exponent = std::max(own, half.least);
  // Powers of two and rounding to nearest even: every step but the rounding is exact.
  const auto n =
      static_cast<uint64_t>(std::nearbyint(std::fabs(value) * PowerOfTwo(static_cast<int>(half.fraction) - exponent)));
  const uint64_t biased = static_cast<uint64_t>(exponent + half.bias) * one;
  return sign | std::min(n < one ? n : biased + n - one, infinity);
}

double FromBits(Type type, uint64_t bits) {
  switch (type) {
    case Type::kI32:
      return static_cast<int32_t>(bits);
    case Type::kI64:
      return static_cast<double>(static_cast<int64_t>(bits));
    case Type::kF32:
      return std::bit_cast<float>(static_cast<uint32_t>(bits));
    case Type::kF64:
      return std::bit_cast<double>(bits);
    case Type::kBF16:
      return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
    case Type::kF16:
      break;
  }
  const auto exponent = static_cast<int>((bits >> 10) & 31), fraction = static_cast<int>(bits & 1023);
  double value = (exponent ? fraction + 1024 : fraction) * PowerOfTwo(std::max(exponent, 1) - 25);
  if (exponent == 31) {
    value = fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  }
  return bits & 0x8000 ? -value : value;
}

double UlpAt(Type type, int exponent) {
  const int fraction = type == Type::kF64 ? 52 : type == Type::kF32 ? 23 : Of(type).fraction;
  const int least = type == Type::kF64 ? -1022 : type == Type::kF32 ? -126 : Of(type).least;
  return std::ldexp(1.0, std::max(exponent, least) - fraction);
}

std::string Text(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Shape Contiguous(const Shape &shape) { return Crop(shape, 0); }

Shape ChannelsLast(const Shape &shape) {
  Shape strides(shape.size());
  int64_t next = shape[1];
  for (size_t i = shape.size() - 1; i >= 2; i--) {
    strides[i] = next;
    next *= shape[i];
  }
  strides[0] = next;
  strides[1] = 1;
  return strides;
}

Shape Crop(const Shape &shape, int64_t by) {
  Shape strides(shape.size());
  int64_t next = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = next;
    next *= shape[i] + (i >= 2 ? by : 0);
  }
  return strides;
}

Typed::Typed(Type type, Shape shape, uint64_t seed, double mean, double deviation, Shape strides)
    : type_(type), shape_(std::move(shape)), strides_(std::move(strides)) {
  contiguous_ = strides_.empty() || strides_ == Contiguous(shape_);
  if (strides_.empty()) strides_ = Contiguous(shape_);
  count_ = Count(shape_);
  int64_t low = 0, high = count_ > 0;
  for (size_t i = 0; i < shape_.size() && count_ > 0; i++) {
    const int64_t reach = (shape_[i] - 1) * strides_[i];
    (reach < 0 ? low : high) += reach;
  }
  first_ = kGuard - low * Size(type);
  memory_.assign(static_cast<size_t>(2 * kGuard + (high - low) * Size(type)), kRest);
  Point();
  Random random(seed);
  ForEachPlace([&](int64_t at) {
    const uint64_t bits = seed ? ToBits(type_, random.Normal() * deviation + mean) : 0;
    CopyElement(type_, memory_.data() + at, &bits);
  });
}

Typed &Typed::operator=(const Typed &other) {
  if (this == &other) return *this;
  type_ = other.type_;
  shape_ = other.shape_;
  strides_ = other.strides_;
  contiguous_ = other.contiguous_;
  count_ = other.count_;
  first_ = other.first_;
  memory_ = other.memory_;
  Point();
  return *this;
}

void Typed::Point() {
  tensor_.data = memory_.data() + first_;
  tensor_.device = {HALINE_CPU, 0};
  tensor_.ndim = static_cast<int32_t>(shape_.size());
  tensor_.dtype = DType(type_);
  tensor_.shape = shape_.data();
  tensor_.strides = contiguous_ ? nullptr : strides_.data();
}

int64_t Typed::Offset(int64_t i) const {
  if (contiguous_) return i;
  int64_t offset = 0;
  for (size_t d = shape_.size(); d-- > 0;) {
    offset += i % shape_[d] * strides_[d];
    i /= shape_[d];
  }
  return offset;
}

unsigned char *Typed::At(int64_t i) const { return memory_.data() + first_ + Offset(i) * Size(type_); }

uint64_t Typed::Bits(int64_t i) const {
  uint64_t bits = 0;  // (little-endian, as every machine that haline is built for)
  CopyElement(type_, &bits, At(i));
  return bits;
}

void Typed::SetBits(int64_t i, uint64_t bits) { CopyElement(type_, At(i), &bits); }

void Typed::Fill(double value) {
  for (int64_t i = 0; i < count_; i++) Set(i, value);
}

std::vector<double> Typed::values() const {
  std::vector<double> values(static_cast<size_t>(count_));
  for (int64_t i = 0; i < count_; i++) values[static_cast<size_t>(i)] = Get(i);
  return values;
}

Typed Typed::As(Type type, const Shape &strides) const {
  Typed copy(type, shape_, 0, 0, 1, strides);
  int64_t i = 0;
  copy.ForEachPlace([&](int64_t at) {
    const uint64_t bits = type == type_ ? Bits(i) : ToBits(type, Get(i));
    CopyElement(type, copy.memory_.data() + at, &bits);
    i++;
  });
  return copy;
}

template <typename F>
void Typed::ForEachPlace(F visit) const {
  // The last dimension in a loop of its own: this takes most of a suite's time.
  const int64_t size = Size(type_), last = static_cast<int64_t>(shape_.size()) - 1;
  const int64_t row = contiguous_ ? count_ : last < 0 ? 1 : shape_[last];
  const int64_t step = contiguous_ || last < 0 ? size : strides_[last] * size;
  std::vector<int64_t> index(shape_.size());
  int64_t at = first_;
  for (int64_t i = 0; i < count_; i += row) {
    for (int64_t k = 0; k < row; k++) visit(at + k * step);
    for (int64_t d = last; d-- > 0;) {
      at += strides_[d] * size;
      if (++index[d] < shape_[d]) break;
      at -= index[d] * strides_[d] * size;
      index[d] = 0;
    }
  }
}

std::string Typed::bytes() const {
  std::string bytes(static_cast<size_t>(count_ * Size(type_)), '\0');
  if (contiguous_) {
    std::memcpy(bytes.data(), memory_.data() + first_, bytes.size());
    return bytes;
  }
  char *next = bytes.data();
  ForEachPlace([&](int64_t at) {
    CopyElement(type_, next, memory_.data() + at);
    next += Size(type_);
  });
  return bytes;
}

bool Typed::RestUntouched() const {
  std::vector<unsigned char> rest = memory_;
  const std::vector<unsigned char> untouched(memory_.size(), kRest);
  if (contiguous_) {
    std::memset(rest.data() + first_, kRest, static_cast<size_t>(count_ * Size(type_)));
  } else {
    ForEachPlace([&](int64_t at) { CopyElement(type_, rest.data() + at, untouched.data()); });
  }
  return rest == untouched;
}

}  // namespace haline::test

// SPDX-License-Identifier: MIT
#include "tools/dtype.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "haline/haline.hpp"

namespace haline::tool {
namespace {

static_assert(std::endian::native == std::endian::little);

struct Row {
  const char *name, *numpy;
  size_t size;
};
constexpr Row kRows[] = {{"bool", "b1", 1},   {"int8", "i1", 1},    {"int16", "i2", 2},   {"int32", "i4", 4},
                         {"int64", "i8", 8},  {"uint8", "u1", 1},   {"uint16", "u2", 2},  {"uint32", "u4", 4},
                         {"uint64", "u8", 8}, {"float16", "f2", 2}, {"float32", "f4", 4}, {"float64", "f8", 8},
                         {"bfloat16", "", 2}};
constexpr Dtype kComputed[] = {Dtype::kFloat16, Dtype::kBfloat16, Dtype::kFloat32, Dtype::kFloat64};

const Row &RowOf(Dtype dtype) { return kRows[static_cast<size_t>(dtype)]; }

// A float of 16 bits: `kFraction` bits behind the point, exponents from `kLeast` on.
template <int kFraction, int kLeast>
uint16_t Encode(double x) {
  constexpr auto kInfinity = static_cast<uint16_t>(0x7fff >> kFraction << kFraction);
  const auto bits = std::bit_cast<uint64_t>(x);
  const auto sign = static_cast<uint16_t>(bits >> 63 << 15);
  if (std::isnan(x)) return kInfinity | 1 << (kFraction - 1);
  const double size = std::abs(x);
  const int exponent = std::max(static_cast<int>(bits >> 52 & 0x7ff) - 1023, kLeast);
  if (exponent > 1 - kLeast) return sign | kInfinity;
  // In units of the last bit, an exact product; the carry of rounding up runs into the exponent, up to infinity.
  const double units = std::nearbyint(size * std::bit_cast<double>(uint64_t(1023 + kFraction - exponent) << 52));
  return static_cast<uint16_t>(sign | (((exponent - kLeast) << kFraction) + static_cast<int>(units)));
}

float Decode(float16 h) {
  const uint32_t size = h.bits & 0x7fffu, sign = static_cast<uint32_t>(h.bits & 0x8000u) << 16;
  const float value = size < 0x7c00 ? std::bit_cast<float>(size << 13) * 0x1p112f
                                    : std::bit_cast<float>(0x7f800000u | (size & 0x3ff) << 13);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
}

float Decode(bfloat16 b) { return std::bit_cast<float>(static_cast<uint32_t>(b.bits) << 16); }

// What arithmetic can be done with.
template <typename T>
auto Arithmetic(T value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else {
    return Decode(value);
  }
}

template <typename To, typename From>
To Rounded(From value) {
  if constexpr (std::is_same_v<To, float16>) {
    return {Encode<10, -14>(static_cast<double>(value))};
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return {Encode<7, -126>(static_cast<double>(value))};
  } else {
    return static_cast<To>(value);
  }
}

template <typename T>
T Load(const uint8_t *from, bool swapped) {
  uint8_t bytes[sizeof(T)];
  std::memcpy(bytes, from, sizeof(T));
  if (swapped) std::reverse(bytes, bytes + sizeof(T));
  if constexpr (std::is_same_v<T, bool>) {
    return bytes[0] != 0;
  } else {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
}

template <typename From, typename To>
bool ConvertAll(const Bytes &from, bool swapped, Bytes *to) {
  const size_t count = from.size() / sizeof(From);
  to->resize(count * sizeof(To));
  bool fits = true;
  for (size_t i = 0; i < count; i++) {
    const auto value = Arithmetic(Load<From>(from.data() + i * sizeof(From), swapped));
    const To rounded = Rounded<To>(value);
    fits &= !std::isinf(static_cast<double>(Arithmetic(rounded))) || std::isinf(static_cast<double>(value));
    std::memcpy(to->data() + i * sizeof(To), &rounded, sizeof(To));
  }
  return fits;
}

// Calls `f` with a value of the type.
template <typename F>
bool Visit(Dtype dtype, const F &f) {
  switch (dtype) {
    case Dtype::kBool:
      return f(bool());
    case Dtype::kInt8:
      return f(int8_t());
    case Dtype::kInt16:
      return f(int16_t());
    case Dtype::kInt32:
      return f(int32_t());
    case Dtype::kInt64:
      return f(int64_t());
    case Dtype::kUint8:
      return f(uint8_t());
    case Dtype::kUint16:
      return f(uint16_t());
    case Dtype::kUint32:
      return f(uint32_t());
    case Dtype::kUint64:
      return f(uint64_t());
    case Dtype::kFloat16:
      return f(float16());
    case Dtype::kFloat32:
      return f(float());
    case Dtype::kFloat64:
      return f(double());
    case Dtype::kBfloat16:
      return f(bfloat16());
  }
  return false;
}

template <typename F>
bool VisitComputed(Dtype dtype, const F &f) {
  switch (dtype) {
    case Dtype::kFloat16:
      return f(float16());
    case Dtype::kBfloat16:
      return f(bfloat16());
    case Dtype::kFloat64:
      return f(double());
    default:
      return f(float());
  }
}

}  // namespace

const char *Name(Dtype dtype) { return RowOf(dtype).name; }

size_t SizeOf(Dtype dtype) { return RowOf(dtype).size; }

std::optional<Dtype> DtypeOfNumpy(const std::string &letters) {
  for (size_t i = 0; i < std::size(kRows); i++) {
    if (!letters.empty() && letters == kRows[i].numpy) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

std::string NumpyDescr(Dtype dtype) { return std::string(SizeOf(dtype) == 1 ? "|" : "<").append(RowOf(dtype).numpy); }

std::optional<Dtype> ComputedDtype(const std::string &name) {
  for (const Dtype dtype : kComputed) {
    if (name == Name(dtype)) return dtype;
  }
  return std::nullopt;
}

haline_dtype HalineDtype(Dtype dtype) {
  return {static_cast<uint8_t>(dtype == Dtype::kBfloat16 ? HALINE_BFLOAT : HALINE_FLOAT),
          static_cast<uint8_t>(8 * SizeOf(dtype)), 1};
}

Dtype DefaultDtype(Dtype of_file) {
  if (ComputedDtype(Name(of_file))) return of_file;
  return SizeOf(of_file) <= 2 ? Dtype::kFloat32 : Dtype::kFloat64;
}

bool Convert(Bytes *numbers, Dtype from, bool swapped, Dtype to) {
  if (from == to && !swapped) return true;
  if (from == to) {
    const auto size = static_cast<ptrdiff_t>(SizeOf(from));
    for (auto at = numbers->begin(); at != numbers->end(); at += size) std::reverse(at, at + size);
    return true;
  }
  Bytes converted;
  const bool fits = Visit(from, [&](auto a) {
    return VisitComputed(to,
                         [&](auto b) { return ConvertAll<decltype(a), decltype(b)>(*numbers, swapped, &converted); });
  });
  *numbers = std::move(converted);
  return fits;
}

}  // namespace haline::tool

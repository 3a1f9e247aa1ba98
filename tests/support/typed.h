// A tensor of any element type and any strides, that owns its memory and knows what of it are elements: values go in
// and come out as doubles, in row-major order, whatever the layout.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_TYPED_H_
#define HALINE_TESTS_SUPPORT_TYPED_H_

#include <climits>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "haline/haline.h"
#include "reference/oracle.h"
#include "support/case.h"

namespace haline::test {

enum class Type { kF32, kF16, kBF16, kF64, kI32, kI64 };

constexpr Type kFloatTypes[] = {Type::kF32, Type::kF16, Type::kBF16, Type::kF64};

const char *Name(Type type);
haline_dtype DType(Type type);
constexpr int64_t Size(Type type) {
  return type == Type::kF16 || type == Type::kBF16 ? 2 : type == Type::kF32 || type == Type::kI32 ? 4 : 8;
}
// What elements are computed in: the widest type that scale and shift may have.
constexpr Type MathType(Type type) { return type == Type::kF64 ? Type::kF64 : Type::kF32; }

// The bits of `value` rounded once to nearest even (NaN: haline's one), and what bits stand for.
uint64_t ToBits(Type type, double value);
double FromBits(Type type, uint64_t bits);
uint64_t OneNan(Type type);
// Copies one element: in a size that the compiler knows, as a call for each would take most of a suite's time.
inline void CopyElement(Type type, void *to, const void *from) {
  switch (Size(type)) {
    case 2:
      std::memcpy(to, from, 2);
      break;
    case 4:
      std::memcpy(to, from, 4);
      break;
    default:
      std::memcpy(to, from, 8);
  }
}
// The distance of the type's numbers that have an exponent, or about `exact`.
double UlpAt(Type type, int exponent);
template <typename Wide>
double Ulp(Type type, Wide exact) {
  return UlpAt(type, std::isfinite(exact) ? std::ilogb(exact) : INT_MIN);
}
// Calls f with a zero of the floating point in which such elements are held against the oracle.
template <typename F>
auto InWide(Type type, F f) {
  return type == Type::kF64 ? f(oracle::Widest()) : f(oracle::Wide());
}

std::string Text(const Shape &shape);        // "[2, 3, 4]"
Shape Contiguous(const Shape &shape);        // strides
Shape ChannelsLast(const Shape &shape);      // strides of [N, C, *] stored as [N, *, C]
Shape Crop(const Shape &shape, int64_t by);  // strides of a part of a tensor whose spatial extents are `by` larger

class Typed {
 public:
  // Of ordinary values if there is a seed, else of zeros. Strides, in elements, may be negative or 0; none: contiguous.
  Typed(Type type, Shape shape, uint64_t seed = 0, double mean = 0, double deviation = 1, Shape strides = {});
  Typed(const Typed &other) { *this = other; }
  Typed &operator=(const Typed &other);

  Type type() const { return type_; }
  const Shape &shape() const { return shape_; }
  int64_t count() const { return count_; }
  double Get(int64_t i) const { return FromBits(type_, Bits(i)); }
  void Set(int64_t i, double value) { SetBits(i, ToBits(type_, value)); }
  uint64_t Bits(int64_t i) const;
  void SetBits(int64_t i, uint64_t bits);
  void Fill(double value);
  std::vector<double> values() const;

  // The same values with other strides, or as another type.
  Typed As(const Shape &strides) const { return As(type_, strides); }
  Typed As(Type type, const Shape &strides = {}) const;

  haline_tensor *t() { return &tensor_; }
  const haline_tensor *t() const { return &tensor_; }

  std::string bytes() const;  // of the elements, row-major
  // Whether all memory around and between the elements is as it was at first.
  bool RestUntouched() const;

 private:
  int64_t Offset(int64_t i) const;
  // Visits where each element lies in memory_, in bytes, row-major.
  template <typename F>
  void ForEachPlace(F visit) const;
  unsigned char *At(int64_t i) const;
  void Point();

  Type type_ = Type::kF32;
  Shape shape_, strides_;
  bool contiguous_ = true;
  int64_t count_ = 0, first_ = 0;  // the first element's place in memory_, in bytes
  mutable std::vector<unsigned char> memory_;
  haline_tensor tensor_ = {};
};

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_TYPED_H_

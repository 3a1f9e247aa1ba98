// Element types: how a generator reads and writes tensors of float32, float16, bfloat16 or float64.
// Arithmetic is in float for the first three and in double for the last.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_ELEMENT_H_
#define HALINE_GENERATORS_ELEMENT_H_

#include <map>
#include <string>

#include "Halide.h"

namespace haline {

enum class Element { kF32, kF16, kBF16, kF64 };

inline const std::map<std::string, Element> kElements = {
    {"f32", Element::kF32}, {"f16", Element::kF16}, {"bf16", Element::kBF16}, {"f64", Element::kF64}};

// 16-bit floats travel as bits: Halide 21's bfloat16 mishandles NaNs, and its float16, where it is emulated, too.
inline Halide::Type StorageType(Element e) {
  return e == Element::kF32 ? Halide::Float(32) : e == Element::kF64 ? Halide::Float(64) : Halide::UInt(16);
}

inline Halide::Type MathType(Element e) { return e == Element::kF64 ? Halide::Float(64) : Halide::Float(32); }

// The one NaN that haline writes.
inline Halide::Expr OneNan(const Halide::Expr &e) {
  using namespace Halide;
  const Expr nan = e.type() == Float(64) ? reinterpret<double>(Internal::UIntImm::make(UInt(64), 0x7ff8000000000000u))
                                         : reinterpret<float>(cast<uint32_t>(Expr(0x7fc00000)));
  return select(e == e, e, nan);
}

// A stored element as a float or a double; exact.
inline Halide::Expr Load(const Halide::Expr &v, Element e, const Halide::Target &target) {
  using namespace Halide;
  if (e == Element::kBF16) return reinterpret<float>(cast<uint32_t>(v) << 16);
  if (e != Element::kF16) return v;
  if (target.has_feature(Target::F16C) || target.arch == Target::ARM) return cast<float>(reinterpret<float16_t>(v));
  // Exponent and mantissa moved into place read as value * 2^-112, denormals too; then infinities and NaNs.
  const Expr bits = cast<uint32_t>(v);
  const Expr scaled = reinterpret<float>((bits & 0x7fff) << 13) * reinterpret<float>(cast<uint32_t>(Expr(0x77800000)));
  const Expr finite = reinterpret<uint32_t>(scaled);
  const Expr magnitude =
      select((bits & 0x7c00) == 0x7c00, ((bits & 0x7fff) << 13) | cast<uint32_t>(Expr(0x7f800000)), finite);
  return reinterpret<float>(magnitude | ((bits & 0x8000) << 16));
}

// A float or double rounded once, to nearest even. NaNs keep no payload.
inline Halide::Expr Store(const Halide::Expr &v, Element e, const Halide::Target &target) {
  using namespace Halide;
  if (e == Element::kF32) return cast<float>(v);
  if (e == Element::kF64) return cast<double>(v);
  // A double is first rounded to float, to odd: the second rounding then sees that there was more.
  Expr f = v;
  if (v.type() == Float(64)) {
    const Expr nearest = cast<float>(v);
    const Expr bits = reinterpret<uint32_t>(nearest);
    const Expr error = v - cast<double>(nearest);
    const Expr farther = (error > 0) == (v > 0);  // from 0 than `nearest`
    const Expr truncated = select(farther, bits, bits - 1);
    f = reinterpret<float>(select(error == 0 || !(abs(nearest) < reinterpret<float>(cast<uint32_t>(Expr(0x7f800000)))),
                                  bits, truncated | 1));
  }
  const Expr bits = reinterpret<uint32_t>(f);
  if (e == Element::kBF16) {
    const Expr rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return cast<uint16_t>(select(f == f, rounded, 0x7fc0));
  }
  if (target.has_feature(Target::F16C) || target.arch == Target::ARM) {
    return select(f == f, reinterpret<uint16_t>(cast<float16_t>(f)), cast<uint16_t>(0x7e00));
  }
  // Normal: rebias the exponent and round off 13 bits. Denormal: adding 0.5 lets the float unit round.
  const Expr sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  const Expr normal = (magnitude - cast<uint32_t>(Expr(0x38000000)) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  const Expr denormal = reinterpret<uint32_t>(reinterpret<float>(magnitude) + 0.5f) - cast<uint32_t>(Expr(0x3f000000));
  const Expr finite = select(magnitude < 0x38800000, denormal, min(normal, 0x7c00));
  return cast<uint16_t>(sign | select(f == f, select(magnitude >= 0x47800000, 0x7c00, finite), 0x7e00));
}

}  // namespace haline

#endif  // HALINE_GENERATORS_ELEMENT_H_

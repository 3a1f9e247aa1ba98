// Element types: how a generator reads and writes tensors of float32, float16, bfloat16 or float64.
// Arithmetic is in float for the first three and in double for the last.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_ELEMENT_H_
#define HALINE_GENERATORS_ELEMENT_H_

#include <algorithm>
#include <map>
#include <string>

#include "Halide.h"
#include "bfloat.h"

namespace haline {

enum class Element { kF32, kF16, kBF16, kF64 };

inline const std::map<std::string, Element> kElements = {
    {"f32", Element::kF32}, {"f16", Element::kF16}, {"bf16", Element::kBF16}, {"f64", Element::kF64}};

// 16-bit floats travel as bits: Halide 21's bfloat16 mishandles NaNs, and its float16, where it is emulated, too.
inline Halide::Type StorageType(Element e) {
  return e == Element::kF32 ? Halide::Float(32) : e == Element::kF64 ? Halide::Float(64) : Halide::UInt(16);
}

inline Halide::Type MathType(Element e) { return e == Element::kF64 ? Halide::Float(64) : Halide::Float(32); }

// The vector of what is done element by element: a register of stored elements. float16's at most 16, as two results of
// vcvtps2ph are better stored than put together first: one Zen 5 thread, 32 elements of y, 3.9 and 4.5 cycles.
inline int ElementVector(Element e, const Halide::Target &target) {
  const int all = target.natural_vector_size(StorageType(e));
  return e == Element::kF16 ? std::min(16, all) : all;
}

// e, but the one NaN that haline writes where `of` is any.
inline Halide::Expr OneNan(const Halide::Expr &e, const Halide::Expr &of) {
  using namespace Halide;
  const Expr nan = e.type() == Float(64) ? reinterpret<double>(Internal::UIntImm::make(UInt(64), 0x7ff8000000000000u))
                                         : reinterpret<float>(cast<uint32_t>(Expr(0x7fc00000)));
  return select(of == of, e, nan);
}
inline Halide::Expr OneNan(const Halide::Expr &e) { return OneNan(e, e); }

// The same, of what goes to Store, which sees to it for types of 16 bits.
inline Halide::Expr OneNanToStore(const Halide::Expr &e, Element element) {
  return StorageType(element).is_float() ? OneNan(e) : e;
}

// A stored element as a float or a double; exact.
inline Halide::Expr Load(const Halide::Expr &v, Element e, const Halide::Target &target) {
  using namespace Halide;
  if (e == Element::kBF16)
    return ShufflesBFloats(target) ? FromBFloat(v, target) : reinterpret<float>(cast<uint32_t>(v) << 16);
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

// A double as a float that is rounded to the same 16-bit element: of 16 digits, cut off to odd (the last is 1 where any
// digit beyond it was). That is two digits more than elements need for this, float16s and bfloat16s, and so few that
// the least bfloat16s are no less exact as floats.
inline Halide::Expr RoundedToOdd(const Halide::Expr &v) {
  using namespace Halide;
  const Expr bits = reinterpret<uint64_t>(v), beyond = Internal::UIntImm::make(UInt(64), (uint64_t{1} << 37) - 1);
  return cast<float>(reinterpret<double>((bits | ((bits & beyond) + beyond)) & ~beyond));
}

// A float, finite, infinite, or the one NaN, as the bits of a 16-bit element: rounded to nearest even.
inline Halide::Expr ElementBits(const Halide::Expr &f, Element e, const Halide::Target &target) {
  using namespace Halide;
  const Expr bits = reinterpret<uint32_t>(f);
  if (e == Element::kBF16) {
    if (ShufflesBFloats(target)) return ToBFloat(f, target, false);
    return cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
  if (target.has_feature(Target::F16C) || target.arch == Target::ARM) return reinterpret<uint16_t>(cast<float16_t>(f));
  // Normal: rebias the exponent and round off 13 bits. Denormal: adding 0.5 lets the float unit round.
  const Expr sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  const Expr normal = (magnitude - cast<uint32_t>(Expr(0x38000000)) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  const Expr denormal = reinterpret<uint32_t>(reinterpret<float>(magnitude) + 0.5f) - cast<uint32_t>(Expr(0x3f000000));
  const Expr finite = select(magnitude < 0x38800000, denormal, min(normal, 0x7c00));
  return cast<uint16_t>(sign | select(f == f, select(magnitude >= 0x47800000, 0x7c00, finite), 0x7e00));
}

// A float or double, rounded once, to nearest even; no NaN but the one that haline writes.
inline Halide::Expr StoreNumber(const Halide::Expr &v, Element e, const Halide::Target &target) {
  if (StorageType(e).is_float()) return cast(StorageType(e), v);
  return ElementBits(v.type() == Halide::Float(64) ? RoundedToOdd(v) : v, e, target);
}

// A float or double rounded once; a NaN becomes the one of 16 bits and, on demand, that of other types.
inline Halide::Expr Store(const Halide::Expr &v, Element e, const Halide::Target &target, bool one_nan = false) {
  if (StorageType(e).is_float()) return one_nan ? OneNan(cast(StorageType(e), v)) : cast(StorageType(e), v);
  const Halide::Expr f = v.type() == Halide::Float(64) ? RoundedToOdd(v) : v;
  if (e == Element::kBF16)
    return ShufflesBFloats(target) ? ToBFloat(f, target, true) : ElementBits(OneNan(f), e, target);
  // Of float16 afterwards: x86 stores by the conversion itself, where nothing comes after it, and that would be no
  // store past the caches (stream.h).
  return select(f == f, ElementBits(f, e, target), Halide::cast<uint16_t>(0x7e00));
}

}  // namespace haline

#endif  // HALINE_GENERATORS_ELEMENT_H_

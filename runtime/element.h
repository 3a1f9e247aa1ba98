// Element types at run time.
#ifndef HALINE_RUNTIME_ELEMENT_H_
#define HALINE_RUNTIME_ELEMENT_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace haline {

enum class Element { kF32, kF16, kBF16, kF64 };  // the order of HALINE_ELEMENTS in generators/kernels.cmake

constexpr int64_t Size(Element e) { return e == Element::kF64 ? 8 : e == Element::kF32 ? 4 : 2; }

// What elements are computed in, and what the kernels take scale and shift as.
constexpr Element MathElement(Element e) { return e == Element::kF64 ? Element::kF64 : Element::kF32; }

inline float HalfToFloat(uint16_t half) {
  const uint32_t magnitude = (half & 0x7fffu) << 13, sign = (half & 0x8000u) << 16;
  const uint32_t finite = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  return std::bit_cast<float>(sign | ((half & 0x7c00u) == 0x7c00u ? magnitude | 0x7f800000u : finite));
}

// To nearest even.
inline uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7fffffffu, sign = (bits >> 16) & 0x8000u;
  uint32_t half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u;
  } else if (magnitude >= 0x477ff000u) {  // 65520, halfway to what would follow the largest, and up
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {
    half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  } else {
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  }
  return static_cast<uint16_t>(sign | half);
}

inline float BFloatToFloat(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

inline uint16_t FloatToBFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value) return 0x7fc0u;
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// One element, read from or written to any type.
inline double Read(Element e, const char *from) {
  uint16_t bits;
  float single;
  double value;
  switch (e) {
    case Element::kF32:
      return std::memcpy(&single, from, sizeof(single)), single;
    case Element::kF64:
      return std::memcpy(&value, from, sizeof(value)), value;
    case Element::kF16:
      return std::memcpy(&bits, from, sizeof(bits)), HalfToFloat(bits);
    case Element::kBF16:
      return std::memcpy(&bits, from, sizeof(bits)), BFloatToFloat(bits);
  }
  return 0;
}

inline void Write(Element e, char *to, double value) {
  if (value != value)
    value = std::numeric_limits<double>::quiet_NaN();  // sums make NaNs too, x86 and ARM different ones
  const float single = static_cast<float>(value);
  const uint16_t bits = e == Element::kF16 ? FloatToHalf(single) : FloatToBFloat(single);
  switch (e) {
    case Element::kF32:
      std::memcpy(to, &single, sizeof(single));
      break;
    case Element::kF64:
      std::memcpy(to, &value, sizeof(value));
      break;
    default:
      std::memcpy(to, &bits, sizeof(bits));
      break;
  }
}

}  // namespace haline

#endif  // HALINE_RUNTIME_ELEMENT_H_

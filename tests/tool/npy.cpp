// SPDX-License-Identifier: MIT
#include "tool/npy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace haline::test {
namespace {

double Half(int bits) {  // of a finite, positive one
  return bits < 1 << 10 ? std::ldexp(bits, -24) : std::ldexp((bits & 1023) | 1024, (bits >> 10) - 25);
}

uint16_t NearestHalf(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double size = std::abs(value);
  if (std::isnan(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  int low = 0, high = 0x7c00;  // Half(low) <= size < Half(high)
  while (high - low > 1) (Half((low + high) / 2) <= size ? low : high) = (low + high) / 2;
  const double below = size - Half(low), above = Half(high) - size;
  return static_cast<uint16_t>(sign | (below < above || (below == above && low % 2 == 0) ? low : high));
}

// The first `size` bytes of an object's.
template <typename T>
std::string Raw(T value, size_t size = sizeof(T)) {
  return {reinterpret_cast<const char *>(&value), size};
}

std::string Element(double value, const std::string &letters) {
  if (letters == "f2") return Raw(NearestHalf(value));
  if (letters == "f4") return Raw(static_cast<float>(value));
  if (letters == "f8") return Raw(value);
  const auto size = static_cast<size_t>(letters[1] - '0');
  return value < 0 ? Raw(static_cast<int64_t>(value), size) : Raw(static_cast<uint64_t>(value), size);
}

}  // namespace

int64_t CountOf(const Shape &shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

std::string Elements(const std::vector<double> &values, const std::string &letters, bool big_endian) {
  std::string all;
  for (const double value : values) {
    std::string element = Element(value, letters);
    if (big_endian) std::reverse(element.begin(), element.end());
    all += element;
  }
  return all;
}

std::string NormalizedBytes(const std::string &letters, const Shape &shape, std::string x, const Options &options) {
  const haline_dtype dtype = {HALINE_FLOAT, static_cast<uint8_t>(8 * (letters[1] - '0')), 1};
  const TensorView view(x.data(), dtype, shape);
  instance_norm(view, view, nullptr, nullptr, options);
  return x;
}

std::string RawNpy(const std::string &header, const std::string &data, int major) {
  const size_t prefix = major == 1 ? 10 : 12;
  std::string padded = header;
  while ((prefix + padded.size() + 1) % 64 != 0) padded += ' ';
  padded += '\n';
  std::string file("\x93NUMPY");
  file += static_cast<char>(major);
  file += '\0';
  for (size_t i = 0; i < prefix - 8; i++) file += static_cast<char>(padded.size() >> (8 * i) & 255);
  return file + padded + data;
}

std::string NpyDict(const Shape &shape, const std::string &descr, bool fortran) {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': (";
  for (const int64_t extent : shape) text += std::to_string(extent) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) text.resize(text.size() - 2);
  return text + "), }";
}

std::string Bytes(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> Normalized(const Shape &shape, std::vector<float> x, const std::vector<float> &scale,
                              const std::vector<float> &shift, double eps) {
  const TensorView view(x.data(), shape);
  Options options;
  options.eps = eps;
  instance_norm(view, view, scale.empty() ? nullptr : scale.data(), shift.empty() ? nullptr : shift.data(), options);
  return x;
}

}  // namespace haline::test

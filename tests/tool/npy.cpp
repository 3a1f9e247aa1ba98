// SPDX-License-Identifier: MIT
#include "tool/npy.h"

#include "haline/haline.hpp"

namespace haline::test {

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

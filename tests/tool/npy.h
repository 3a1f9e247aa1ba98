// .npy files for the tests, written and read without the tool's own code; and what the library makes of a tensor.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_TOOL_NPY_H_
#define HALINE_TESTS_TOOL_NPY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "haline/haline.hpp"

namespace haline::test {

// The file's bytes: this header text, padded, and these data. `major`: the format version.
std::string RawNpy(const std::string &header, const std::string &data, int major = 1);

std::string NpyDict(const Shape &shape, const std::string &descr = "<f4", bool fortran = false);

std::string Bytes(const std::vector<float> &values);

inline std::string Npy(const Shape &shape, const std::vector<float> &values, int major = 1) {
  return RawNpy(NpyDict(shape), Bytes(values), major);
}

int64_t CountOf(const Shape &shape);

// Each number as NumPy's type `letters` ("b1", "i2", "u8", "f4", ...) has it: floats rounded to nearest even, integers
// cut off; f2 by a search among all halves.
std::string Elements(const std::vector<double> &values, const std::string &letters, bool big_endian = false);

// What the library makes of these elements of type f2, f4 or f8.
std::string NormalizedBytes(const std::string &letters, const Shape &shape, std::string x, const Options &options);

// The library's y. scale and shift may be empty.
std::vector<float> Normalized(const Shape &shape, std::vector<float> x, const std::vector<float> &scale = {},
                              const std::vector<float> &shift = {}, double eps = 1e-5);

}  // namespace haline::test

#endif  // HALINE_TESTS_TOOL_NPY_H_

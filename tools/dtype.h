// The kinds of number that files hold and that haline computes in, and the way from one to another.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_DTYPE_H_
#define HALINE_TOOLS_DTYPE_H_

#include <cstddef>
#include <optional>
#include <string>

#include "haline/haline.h"
#include "tools/input.h"

namespace haline::tool {

enum class Dtype {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat16,
  kFloat32,
  kFloat64,
  kBfloat16,  // in no .npy file
};

const char *Name(Dtype dtype);  // "float32"
size_t SizeOf(Dtype dtype);     // bytes

std::optional<Dtype> DtypeOfNumpy(const std::string &letters);  // "f4"; nothing where there is none
std::string NumpyDescr(Dtype dtype);                            // "<f4"

std::optional<Dtype> ComputedDtype(const std::string &name);  // float16, bfloat16, float32 or float64
haline_dtype HalineDtype(Dtype dtype);                        // of one of these four

// What is computed in where nobody says: floats stay what they are; integers become, as in NumPy beside a float32,
// float32 where that has all their values (bool, 8 and 16 bits), else float64.
Dtype DefaultDtype(Dtype of_file);

// Numbers of one type as those of another of the four, rounded to nearest even (64-bit integers to bfloat16 by way of
// float64). `swapped`: big-endian. false: a finite one was too large and became infinite.
bool Convert(Bytes *numbers, Dtype from, bool swapped, Dtype to);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_DTYPE_H_

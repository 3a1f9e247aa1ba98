// One forward case: tensors and options. How to run it, and what is wrong with the result.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_CASE_H_
#define HALINE_TESTS_SUPPORT_CASE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "haline/haline.h"
#include "reference/tolerance.h"

namespace haline::test {

using Shape = std::vector<int64_t>;

int64_t Count(const Shape &shape);
haline_tensor Tensor(const float *data, const Shape &shape);  // refers to both

struct Case {
  std::string data;  // what x is; two cases of one shape and option set with other values have other names
  Shape shape;
  std::vector<float> x;
  std::vector<float> scale = {}, shift = {};  // empty: absent
  double eps = 1e-5;
  int misaligned = 0;  // x and y start this many floats past a multiple of 64 bytes
  bool in_place = false;

  int64_t planes() const { return shape[0] * shape[1]; }
  int64_t size() const { return Count(shape) / planes(); }
  float scale_of(int64_t plane) const { return scale.empty() ? 1.f : scale[static_cast<size_t>(plane % shape[1])]; }
  float shift_of(int64_t plane) const { return shift.empty() ? 0.f : shift[static_cast<size_t>(plane % shape[1])]; }
};

// All that makes a case the case it is, for messages and for counting distinct ones.
std::string Describe(const Case &c);

// x's plane p alone, with its scale and shift: shape [1, 1, size].
Case Alone(const Case &c, int64_t plane);

// y. The memory around y is proved to be untouched, and x too where it is not y. Throws std::runtime_error with the
// library's message, or with what was touched.
std::vector<float> Run(const Case &c, const std::string &backend);

struct Worst {
  double error = 0;  // as haline::oracle::ForwardError has it
  int64_t at = 0;
  oracle::Wide exact = 0;
};

// The largest error of the planes [first, last) against the oracle.
Worst WorstError(const Case &c, const std::vector<float> &y, int64_t first, int64_t last);
inline Worst WorstError(const Case &c, const std::vector<float> &y) { return WorstError(c, y, 0, c.planes()); }

// Where the bytes differ first; -1: nowhere.
int64_t FirstDifference(const float *a, const float *b, int64_t count);

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_CASE_H_

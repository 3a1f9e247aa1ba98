// One backward case: tensors and options. How to run it, and what is wrong with the result.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_GRADIENT_CASE_H_
#define HALINE_TESTS_SUPPORT_GRADIENT_CASE_H_

#include <string>
#include <vector>

#include "reference/gradient.h"
#include "support/case.h"
#include "support/typed.h"

namespace haline::test {

using Values = std::vector<double>;
using Bits = std::vector<uint64_t>;

enum class Place { kOwn, kOverX, kOverDy };  // where dx goes

struct GradientCase {
  std::string data;  // what the values are; two cases of one shape and option set with other values have other names
  Shape shape;
  Type type = Type::kF32;
  Values x, dy;                   // all values: those of the type
  Values residual = {};           // empty: none
  Values scale = {}, shift = {};  // empty: absent; of C elements, or where by_sample of N * C
  bool by_sample = false;         // scale and shift are [N, C]
  Type parameters = Type::kF32;   // of scale, shift, dscale, dshift
  Type statistics = Type::kF32;   // of mean and rstd
  Values mean = {}, rstd = {};    // empty: those of the training forward pass; else frozen, of C or N * C elements
  haline_activation activation = HALINE_NO_ACTIVATION;
  double negative_slope = 0.01;
  double eps = 1e-5;
  std::vector<int64_t> lengths = {};  // empty: none
  bool want_dx = true, want_dscale = true, want_dshift = true, want_dresidual = false;
  bool sums_by_sample = false;  // dscale and dshift are [N, C]
  Place place = Place::kOwn;
  int misaligned = 0;  // tensors of x's shape start this many elements past a multiple of 64 bytes; dresidual 3 more
  bool channels_last = false;
  int64_t crop = 0;  // columns that the tensors in memory have more, whose elements are nobody's

  int64_t batch() const { return shape[0]; }
  int64_t channels() const { return shape[1]; }
  int64_t planes() const { return shape[0] * shape[1]; }
  int64_t size() const { return planes() == 0 ? 0 : Count(shape) / planes(); }
  bool frozen() const { return !mean.empty(); }
  double slope() const { return activation == HALINE_RELU ? 0 : activation == HALINE_LEAKY_RELU ? negative_slope : 1; }
  // Of values that are absent, [C] or [N, C].
  double of_plane(const Values &values, int64_t plane, double otherwise) const {
    if (values.empty()) return otherwise;
    return values[static_cast<size_t>(static_cast<int64_t>(values.size()) == channels() ? plane % channels() : plane)];
  }
  // Whether element s of the plane counts.
  bool valid(int64_t plane, int64_t s) const {
    return lengths.empty() || s % shape.back() < lengths[static_cast<size_t>(plane / channels())];
  }
};

// All that makes a case the case it is, for messages and for counting distinct ones.
std::string Describe(const GradientCase &c);

struct GradientResult {
  Bits dx, dresidual;   // in the order of the shape, whatever the layout; empty where not asked for
  Bits dscale, dshift;  // [C], or where sums_by_sample [N, C]
  Bits y;               // of the training forward pass
};

// The training forward pass, then the backward one. Memory around the results is proved to be untouched, and what is
// not written to too. Throws std::runtime_error with the library's message, or with what was touched.
GradientResult Run(const GradientCase &c, const std::string &backend);

// dy = 0 where z is so near 0 that its sign, and with it the activation's gradient, is a matter of rounding.
void Settle(GradientCase *c);

// What is wrong with the result; empty: nothing. Tolerances are relative to max(1, largest) as in tolerance.h; dx of a
// 16-bit type may be off by half a unit in the last place more.
std::string Wrong(const GradientCase &c, const GradientResult &result, double tolerance);
inline double Tolerance(const GradientCase &c) {
  return c.type == Type::kF64 && c.statistics == Type::kF64 ? oracle::kBackwardDouble : oracle::kBackward;
}

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_GRADIENT_CASE_H_

// The fixture of every suite of gradients: one instance for each back end that runs here. It proves that the back end
// asked for is the one that ran, and counts the distinct cases.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_GRADIENT_TEST_H_
#define HALINE_TESTS_SUPPORT_GRADIENT_TEST_H_

#include <gtest/gtest.h>

#include <string>

#include "support/backends.h"
#include "support/gradient_case.h"

namespace haline::test {

class GradientTest : public testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { haline_set_num_threads(0); }

  const std::string &backend() const { return GetParam(); }

  // The result, or a failure of the test and nothing.
  GradientResult Run(const GradientCase &c);

  // Runs the case and holds it against the oracle.
  void Check(const GradientCase &c) { Check(c, Tolerance(c)); }
  void Check(const GradientCase &c, double tolerance);
  void Check(const GradientCase &c, const GradientResult &result, double tolerance);

  // The same bits; `what` says what differs between the two calls.
  void ExpectSame(const Bits &a, const Bits &b, const std::string &what);
  void ExpectSame(const GradientResult &a, const GradientResult &b, const std::string &what);
};

// A case of ordinary values whose options go round with `turn`. To be settled before it is checked.
GradientCase MakeGradientCase(const Shape &shape, int64_t turn);

// Ordinary values of a type; of float64 with more digits than float32 has.
Values NormalValues(Type type, int64_t count, uint64_t seed, double mean = 0, double deviation = 1);

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_GRADIENT_TEST_H_

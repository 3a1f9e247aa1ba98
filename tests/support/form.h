// One forward call of any form: its tensors and options, how to run it, what it should give.
//
// The fixture proves that the back end asked for is the one that ran, and counts the distinct forms.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_FORM_H_
#define HALINE_TESTS_SUPPORT_FORM_H_

#include <string>
#include <vector>

#include "support/backends.h"
#include "support/typed.h"

namespace haline::test {

// Null: absent. Results are written by FormTest::Run.
struct Form {
  std::string data;  // what x is, where it is not ordinary values
  const Typed *x = nullptr, *scale = nullptr, *shift = nullptr, *residual = nullptr, *lengths = nullptr;
  const Typed *given_mean = nullptr, *given_rstd = nullptr, *given_variance = nullptr;
  double eps = 1e-5;
  haline_activation activation = HALINE_NO_ACTIVATION;
  double negative_slope = 0.01, momentum = 0.1;
  Typed *mean = nullptr, *rstd = nullptr, *running_mean = nullptr, *running_variance = nullptr;

  int64_t planes() const { return x->shape()[0] * x->shape()[1]; }
  int64_t size() const;
  int64_t extent() const { return x->shape().size() > 2 ? x->shape().back() : 1; }
  double slope() const;
  bool valid(int64_t i) const;  // whether lengths leave x's element i
  // A number for each plane, of a tensor of [C] or [N, C].
  double Of(const Typed *values, int64_t plane, double otherwise) const;
};

std::string Describe(const Form &form);
haline_options Options(const Form &form);

// What the plane's statistics are: given, or those of its valid elements; NaN where there is something not finite.
// Wide: oracle::Wide or oracle::Widest.
template <typename Wide>
struct Statistics {
  Wide mean = 0, variance = 0, rstd = 0;
  int64_t count = 0;
};
template <typename Wide>
Statistics<Wide> Exactly(const Form &form, int64_t plane);

class FormTest : public testing::TestWithParam<std::string> {
 protected:
  const std::string &backend() const { return GetParam(); }

  // y, contiguous, or a failure of the test and zeros.
  Typed Run(const Form &form);
  // Into y, which may be x or the residual. What is not y must stay as it is, memory between y's elements too.
  bool Run(const Form &form, Typed *y, const std::string &how = "");

  // y against the oracle. Gives the largest error.
  double Check(const Form &form, const Typed &y);
  double Check(const Form &form) { return Check(form, Run(form)); }
  // mean and rstd, too.
  void CheckStatistics(const Form &form);

  template <typename Wide>
  double CheckIn(const Form &form, const Typed &y);
  template <typename Wide>
  void CheckStatisticsIn(const Form &form);

  // Says that a case other than a Form has run, and holds its target against the back end.
  void Ran(const std::string &what);
};

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_FORM_H_

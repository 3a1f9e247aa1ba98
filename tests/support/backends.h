// The fixture of every suite that computes: one instance for each back end that runs here. It proves that the back end
// asked for is the one that ran, and counts the distinct cases, as do those of forms and gradients. When a whole test
// program has run, each back end must have seen at least kLeastCases of them: a suite that silently lost its cases, or
// a back end, fails.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_BACKENDS_H_
#define HALINE_TESTS_SUPPORT_BACKENDS_H_

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "support/case.h"

namespace haline::test {

// Distinct cases that each back end must see; every test program defines it.
extern const int kLeastCases;

// Says that the back end has seen a case. Those with one name are one.
void CountCase(const std::string &backend, const std::string &name);

// The names of the back ends that run here, best first: the processor's, or with those of GPUs, to which tensors are
// sent.
std::vector<std::string> RunnableBackends(bool gpus = false);

// Those whose cases a program has to count: GPUs where it ran on one.
std::vector<std::string> CountedBackends(const std::function<bool(const std::string &)> &ran);

// Whether `target`, as haline_last_target gives it, can only be that of `backend`.
bool IsTargetOf(const std::string &target, const std::string &backend);

class BackendTest : public testing::TestWithParam<std::string> {
 protected:
  const std::string &backend() const { return GetParam(); }

  // y, or a failure of the test and no elements.
  std::vector<float> Run(const Case &c);

  // Runs the case and holds it against the oracle. Gives the largest error.
  double Check(const Case &c, double tolerance = oracle::kForward);
};

inline std::string BackendName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  for (char &c : name) c = c == '-' ? '_' : c;
  return name;
}

// After the last test of a suite. On the processor's back ends and on those of GPUs; or on the former alone.
#define HALINE_ON_EVERY_BACKEND(suite)                                                           \
  INSTANTIATE_TEST_SUITE_P(On, suite, testing::ValuesIn(::haline::test::RunnableBackends(true)), \
                           ::haline::test::BackendName)
#define HALINE_ON_EVERY_PROCESSOR(suite)                                                     \
  INSTANTIATE_TEST_SUITE_P(On, suite, testing::ValuesIn(::haline::test::RunnableBackends()), \
                           ::haline::test::BackendName)

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_BACKENDS_H_

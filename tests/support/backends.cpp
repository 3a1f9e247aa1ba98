// SPDX-License-Identifier: MIT
#include "support/backends.h"

#include <cstdio>
#include <exception>
#include <map>
#include <set>

namespace haline::test {
namespace {

// The cases that each back end has seen.
std::map<std::string, std::set<std::string>> &Seen() {
  static std::map<std::string, std::set<std::string>> seen;
  return seen;
}

class Coverage : public testing::Environment {
 public:
  void TearDown() override {
    const std::vector<std::string> backends =
        CountedBackends([](const std::string &backend) { return !Seen()[backend].empty(); });
    if (backends.empty()) ADD_FAILURE() << "no back end runs here: nothing was tested";
    const bool all = testing::GTEST_FLAG(filter) == "*";
    for (const std::string &backend : backends) {
      const size_t count = Seen()[backend].size();
      std::printf("%s: %zu distinct cases\n", backend.c_str(), count);
      if (all && count < static_cast<size_t>(kLeastCases)) {
        ADD_FAILURE() << backend << ": " << count << " distinct cases ran, at least " << kLeastCases << " wanted";
      }
    }
  }
};

const testing::Environment *const coverage = testing::AddGlobalTestEnvironment(new Coverage);  // NOLINT(cert-err58-cpp)

bool Contains(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

}  // namespace

void CountCase(const std::string &backend, const std::string &name) { Seen()[backend].insert(name); }

std::vector<std::string> RunnableBackends(bool gpus) {
  std::vector<std::string> names;
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend backend = {};
    backend.size = sizeof(backend);
    if (haline_backend_at(i, &backend) != HALINE_OK || !backend.runs_here) continue;
    if (gpus || backend.device == HALINE_CPU) names.emplace_back(backend.name);
  }
  return names;
}

std::vector<std::string> CountedBackends(const std::function<bool(const std::string &)> &ran) {
  std::vector<std::string> names = RunnableBackends();
  const size_t processors = names.size();
  const std::vector<std::string> all = RunnableBackends(true);
  for (size_t i = processors; i < all.size(); i++) {
    if (ran(all[i])) names.push_back(all[i]);
  }
  return names;
}

bool IsTargetOf(const std::string &target, const std::string &backend) {
  const bool x86 = Contains(target, "x86-64-");
  if (backend == "x86-avx512") return x86 && Contains(target, "avx512_skylake");
  if (backend == "x86-avx2") return x86 && Contains(target, "avx2") && !Contains(target, "avx512");
  if (backend == "x86-64") return x86 && Contains(target, "sse41") && !Contains(target, "avx");
  if (backend == "arm-neon") return Contains(target, "arm-64-") && Contains(target, "arm_fp16");
  if (backend == "opencl" || backend == "cuda") return Contains(target, ("-" + backend).c_str());
  return false;
}

std::vector<float> BackendTest::Run(const Case &c) {
  try {
    std::vector<float> y = test::Run(c, backend());
    if (IsTargetOf(haline_last_target(), backend())) {
      CountCase(backend(), Describe(c));
      return y;
    }
    ADD_FAILURE() << Describe(c) << ": ran on " << haline_last_target() << ", wanted " << backend();
  } catch (const std::exception &e) {
    ADD_FAILURE() << Describe(c) << ": " << e.what();
  }
  return {};
}

double BackendTest::Check(const Case &c, double tolerance) {
  const std::vector<float> y = Run(c);
  if (y.empty()) return 0;  // has failed
  const Worst worst = WorstError(c, y);
  if (!(worst.error <= tolerance)) {
    const auto at = static_cast<size_t>(worst.at);
    ADD_FAILURE() << Describe(c) << ": error " << worst.error << " > " << tolerance << " at element "
                  << worst.at % c.size() << " of plane " << worst.at / c.size() << ": x " << c.x[at] << ", y " << y[at]
                  << ", exact " << static_cast<double>(worst.exact);
  }
  return worst.error;
}

}  // namespace haline::test

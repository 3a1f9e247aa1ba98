// The environment variables, which are read once: ctest runs this program with several values of each, and each test
// holds what the library does against what it finds in the environment itself.
//
// SPDX-License-Identifier: MIT
#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "support/backends.h"
#include "support/status.h"

namespace haline::test {

const int kLeastCases = 0;  // these tests are about which back end runs, not about what it computes

namespace {

const haline_backend *Find(const std::string &name) {
  static haline_backend backend;
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    backend.size = sizeof(backend);
    if (haline_backend_at(i, &backend) == HALINE_OK && backend.name == name) return &backend;
  }
  return nullptr;
}

TEST(EnvironmentTest, Backend) {
  const char *value = std::getenv("HALINE_BACKEND");
  const std::string name = value && *value ? value : RunnableBackends().front();
  const haline_backend *backend = Find(name);
  OwnedTensor x({1, 1, 100}, 1.f), y({1, 1, 100}, -1.f);
  const haline_status status = haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr);
  if (backend && backend->runs_here) {
    ASSERT_EQ(status, HALINE_OK) << haline_error_message();
    EXPECT_TRUE(IsTargetOf(haline_last_target(), name)) << haline_last_target();
    ASSERT_NE(haline_current_backend(), nullptr);
    EXPECT_EQ(haline_current_backend(), name);
  } else {
    const std::string found = "HALINE_BACKEND: \"" + name + "\" found";
    ExpectFailure(status, backend ? HALINE_UNSUPPORTED : HALINE_INVALID_ARGUMENT,
                  {found, backend ? backend->reason : "x86-64, arm-neon, cuda, opencl wanted"});
    EXPECT_EQ(y.values, std::vector<float>(100, -1.f));
    EXPECT_EQ(haline_current_backend(), nullptr);
  }
}

TEST(EnvironmentTest, TheInterfaceOverrulesBackend) {
  const std::string last = RunnableBackends().back();
  ASSERT_EQ(haline_set_backend(last.c_str()), HALINE_OK);
  EXPECT_EQ(haline_current_backend(), last);
  haline_set_backend(nullptr);
  OwnedTensor x({1, 1, 100}, 1.f), y({1, 1, 100}, -1.f);
  haline_options options = HALINE_OPTIONS_INIT;
  options.backend = last.c_str();
  EXPECT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, &options), HALINE_OK) << haline_error_message();
}

// (A file that is right is `haline select`'s, in tool/select_test.cpp.)
TEST(EnvironmentTest, Tuning) {
  const char *value = std::getenv("HALINE_TUNING");
  const std::string found = haline_current_tuning();
  if (!value || !*value) {
    EXPECT_EQ(found, "none");
  } else {
    EXPECT_EQ(found.rfind(std::string(value) + ": ignored: ", 0), 0u) << found;
    EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 0);
  }
}

TEST(EnvironmentTest, NumThreads) {
  const std::string value = std::getenv("HALINE_NUM_THREADS") ? std::getenv("HALINE_NUM_THREADS") : "";
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  const bool usable = value == "1" || value == "3" || value == "1024";
  EXPECT_EQ(haline_num_threads(), usable ? std::stoi(value) : CPU_COUNT(&set));
  EXPECT_EQ(haline_set_num_threads(5), HALINE_OK);
  EXPECT_EQ(haline_num_threads(), 5);
}

}  // namespace
}  // namespace haline::test

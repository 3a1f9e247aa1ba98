// The C interface, as a program that links the shared library sees it: back ends, threads, messages, what is allowed.
//
// SPDX-License-Identifier: MIT
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <set>
#include <thread>

#include "support/backends.h"
#include "support/random.h"
#include "support/status.h"

namespace haline::test {

const int kLeastCases = 4;

namespace {

TEST(ApiTest, Version) {
  EXPECT_STREQ(haline_version(), "0.1.0");
  EXPECT_EQ(std::string(haline_version()), std::to_string(HALINE_VERSION_MAJOR) + "." +
                                               std::to_string(HALINE_VERSION_MINOR) + "." +
                                               std::to_string(HALINE_VERSION_PATCH));
}

TEST(ApiTest, StatusNames) {
  std::set<std::string> names;
  for (const haline_status status :
       {HALINE_OK, HALINE_INVALID_ARGUMENT, HALINE_UNSUPPORTED, HALINE_OUT_OF_MEMORY, HALINE_INTERNAL}) {
    names.insert(haline_status_name(status));
  }
  EXPECT_EQ(names.size(), 5u);
  EXPECT_EQ(names.count("HALINE_UNSUPPORTED"), 1u);
  EXPECT_STREQ(haline_status_name(static_cast<haline_status>(7)), "unknown status");
}

TEST(ApiTest, BackendsAreListed) {
  std::vector<std::string> names;
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend backend = {};
    backend.size = sizeof(backend);
    ASSERT_EQ(haline_backend_at(i, &backend), HALINE_OK);
    names.emplace_back(backend.name);
    EXPECT_EQ(backend.built != 0, *backend.target != '\0') << backend.name;
    EXPECT_EQ(backend.runs_here != 0, *backend.reason == '\0') << backend.name;
    EXPECT_TRUE(backend.built || !backend.runs_here) << backend.name;
    if (backend.built) {
      EXPECT_TRUE(IsTargetOf(backend.target, backend.name)) << backend.target;
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"x86-avx512", "x86-avx2", "x86-64", "arm-neon", "cuda", "opencl"}));
  EXPECT_FALSE(RunnableBackends().empty());
}

TEST(ApiTest, BackendAtRefusesWhatIsNoBackend) {
  haline_backend backend = {};
  backend.size = sizeof(backend);
  ExpectFailure(haline_backend_at(-1, &backend), HALINE_INVALID_ARGUMENT, {"index: -1 found", "wanted"});
  ExpectFailure(haline_backend_at(haline_backend_count(), &backend), HALINE_INVALID_ARGUMENT,
                {"index: 6 found", "0 to 5 wanted"});
  ExpectFailure(haline_backend_at(0, nullptr), HALINE_INVALID_ARGUMENT, {"backend: ", "wanted"});
  backend.size = sizeof(backend) - 1;
  ExpectFailure(haline_backend_at(0, &backend), HALINE_INVALID_ARGUMENT, {"backend: ", "wanted"});
  EXPECT_EQ(backend.name, nullptr);
}

TEST(ApiTest, ABackendIsForcedForTheProcess) {
  OwnedTensor x({1, 2, 100}, 1.f), y({1, 2, 100}, 0.f);
  for (const std::string &name : RunnableBackends()) {
    ASSERT_EQ(haline_set_backend(name.c_str()), HALINE_OK);
    EXPECT_EQ(haline_current_backend(), name);
    ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK);
    EXPECT_TRUE(IsTargetOf(haline_last_target(), name)) << haline_last_target();
  }
  const std::string forced = RunnableBackends().back();
  ExpectFailure(haline_set_backend("vax"), HALINE_INVALID_ARGUMENT, {"backend: \"vax\" found", "x86-avx2", "wanted"});
  EXPECT_EQ(haline_current_backend(), forced) << "a refused name changes nothing";
  ASSERT_EQ(haline_set_backend(nullptr), HALINE_OK);
  if (!std::getenv("HALINE_BACKEND")) {
    EXPECT_EQ(haline_current_backend(), RunnableBackends().front());
  }
}

TEST(ApiTest, ABackendThatDoesNotRunHereIsRefusedWithTheReason) {
  int refused = 0;
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend backend = {};
    backend.size = sizeof(backend);
    ASSERT_EQ(haline_backend_at(i, &backend), HALINE_OK);
    if (backend.runs_here) continue;
    refused++;
    ExpectFailure(haline_set_backend(backend.name), HALINE_UNSUPPORTED,
                  {std::string("backend: \"") + backend.name + "\" found", backend.reason});
    OwnedTensor x({1, 2, 100}, 1.f), y({1, 2, 100}, -1.f);
    haline_options options = HALINE_OPTIONS_INIT;
    options.backend = backend.name;
    ExpectFailure(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, &options), HALINE_UNSUPPORTED, {backend.reason});
    EXPECT_EQ(y.values, std::vector<float>(200, -1.f));
  }
  EXPECT_GE(refused, 1) << "no machine runs both x86 and ARM kernels";
}

TEST(ApiTest, EmptyTensorsAreNothingToDo) {
  for (const int empty : {0, 1, 2, 3}) {
    for (const bool null_data : {false, true}) {
      std::vector<int64_t> shape = {2, 3, 4, 5};
      shape[static_cast<size_t>(empty)] = 0;
      OwnedTensor x(shape, 1.f), y(shape, 1.f), scale({shape[1]}, 1.f);
      if (null_data) x.t.data = y.t.data = nullptr;
      EXPECT_EQ(haline_instance_norm(&x.t, &scale.t, &scale.t, &y.t, nullptr), HALINE_OK) << haline_error_message();
      EXPECT_STREQ(haline_last_target(), "");
    }
  }
  // Extents whose product would overflow, were one of them not 0.
  const int64_t huge = int64_t{1} << 62;
  OwnedTensor x({0, 1, 1}, 0.f), y({0, 1, 1}, 0.f);
  x.shape = {0, huge, huge};
  y.shape = x.shape;
  x.t.data = y.t.data = nullptr;
  EXPECT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
}

TEST(ApiTest, StridesOfContiguousTensorsAndByteOffsets) {
  OwnedTensor x({2, 1, 3, 4}, 0.f), y({2, 1, 3, 4}, 0.f), z({2, 1, 3, 4}, 0.f);
  x.values = Normals(24 + 5, 1);
  x.t.data = x.values.data();
  x.t.byte_offset = 5 * sizeof(float);
  x.set_strides({12, 999, 4, 1});  // that of a single element does not matter
  ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
  x.t.data = x.values.data() + 5;
  x.t.byte_offset = 0;
  x.t.strides = nullptr;
  ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &z.t, nullptr), HALINE_OK) << haline_error_message();
  EXPECT_EQ(y.values, z.values);
  EXPECT_GT(std::fabs(y.values[0]) + std::fabs(y.values[1]), 0.f);
}

TEST(ApiTest, NullOptionsAreTheDefaults) {
  OwnedTensor x({1, 1, 4}, 0.f), y({1, 1, 4}, 0.f), z({1, 1, 4}, 0.f);
  x.values = {0.f, 1e-3f, 2e-3f, 4e-3f};
  x.t.data = x.values.data();
  haline_options options = HALINE_OPTIONS_INIT;
  EXPECT_EQ(options.eps, 1e-5);
  ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK);
  ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &z.t, &options), HALINE_OK);
  EXPECT_EQ(y.values, z.values);
  options.eps = 1e-8;
  ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &z.t, &options), HALINE_OK);
  EXPECT_NE(y.values, z.values);
}

TEST(ApiTest, ScaleAndShiftMayBeTheSameMemoryAsX) {
  OwnedTensor x({3, 3}, 0.f), y({3, 3}, 0.f), three({3}, 0.f);
  x.values = {1.f, 2.f, 3.f, 4.f, 5.f, 6.f, 7.f, 8.f, 9.f};
  x.t.data = three.t.data = x.values.data();
  ASSERT_EQ(haline_instance_norm(&x.t, &three.t, &three.t, &y.t, nullptr), HALINE_OK) << haline_error_message();
  EXPECT_EQ(y.values, (std::vector<float>{1.f, 2.f, 3.f, 1.f, 2.f, 3.f, 1.f, 2.f, 3.f}));
}

class BackendApiTest : public BackendTest {};

TEST_P(BackendApiTest, TheSharedLibraryComputes) {
  Case c{"normal", {2, 3, 1000}, Normals(6000, 1)};
  Check(c);
  c.shape = {20, 30, 10};
  Check(c);
  c.shape = {2, 3000};
  c.shift = Normals(3000, 2);
  Check(c);
}

TEST_P(BackendApiTest, AForkedChildGoesOn) {
  ASSERT_EQ(haline_set_num_threads(4), HALINE_OK);
  const Case c{"normal", {4, 16, 4096}, Normals(int64_t{4} * 16 * 4096, 3)};
  const std::vector<float> y = Run(c);  // the pool has started now
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    bool same = false;
    try {
      same = test::Run(c, backend()) == y && test::Run(c, backend()) == y;
    } catch (const std::exception &) {
    }
    _exit(same ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  EXPECT_EQ(Run(c), y) << "the parent goes on as well";
  haline_set_num_threads(0);
}

HALINE_ON_EVERY_PROCESSOR(BackendApiTest);

}  // namespace
}  // namespace haline::test

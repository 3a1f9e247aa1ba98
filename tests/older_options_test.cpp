// A program built against an older header passes a smaller haline_options: what that header did not know is at its
// default, and not a byte beyond what it knew is read.
//
// SPDX-License-Identifier: MIT
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "support/status.h"
#include "support/typed.h"

namespace haline::test {
namespace {

class OlderOptionsTest : public testing::Test {
 protected:
  std::string Run(const haline_options *options) {
    y_.Fill(7);
    EXPECT_EQ(haline_instance_norm(x_.t(), scale_.t(), nullptr, y_.t(), options), HALINE_OK) << haline_error_message();
    return y_.bytes();
  }
  std::string Wanted() {
    haline_options options = HALINE_OPTIONS_INIT;
    options.eps = 0.25;
    return Run(&options);
  }

  Typed x_{Type::kF32, {2, 3, 70}, 1}, y_{Type::kF32, {2, 3, 70}}, scale_{Type::kF32, {3}, 2};
};

// The first header's options.
struct First {
  size_t size;
  double eps;
  const char *backend;
};
static_assert(sizeof(First) == offsetof(haline_options, activation));

TEST_F(OlderOptionsTest, OfTheFirstHeaderBeforeAPageThatMayNotBeRead) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void *const pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  ASSERT_EQ(mprotect(static_cast<char *>(pages) + page, page, PROT_NONE), 0);
  char *const at = static_cast<char *>(pages) + page - sizeof(First);
  const First first = {sizeof(First), 0.25, nullptr};
  std::memcpy(at, &first, sizeof(first));
  EXPECT_EQ(Run(reinterpret_cast<haline_options *>(at)), Wanted());
  munmap(pages, 2 * page);
}

TEST_F(OlderOptionsTest, WhatLiesBeyondTheSizeDoesNotMatter) {
  for (const size_t size : {offsetof(haline_options, activation), offsetof(haline_options, negative_slope),
                            offsetof(haline_options, residual)}) {
    haline_options poisoned;
    std::memset(&poisoned, 0xa5, sizeof(poisoned));
    poisoned.size = size;
    poisoned.eps = 0.25;
    poisoned.backend = nullptr;
    if (size > offsetof(haline_options, activation)) poisoned.activation = HALINE_NO_ACTIVATION;
    EXPECT_EQ(Run(&poisoned), Wanted()) << size;
  }
}

TEST_F(OlderOptionsTest, SmallerThanTheFirstAreRefused) {
  for (const size_t size : {size_t{0}, sizeof(size_t), sizeof(First) - 1}) {
    haline_options options = HALINE_OPTIONS_INIT;
    options.size = size;
    const std::string before = y_.bytes();
    ExpectFailure(haline_instance_norm(x_.t(), nullptr, nullptr, y_.t(), &options), HALINE_INVALID_ARGUMENT,
                  {"options: size " + std::to_string(size) + " found", "at least 24 wanted"});
    EXPECT_EQ(y_.bytes(), before);
  }
}

}  // namespace
}  // namespace haline::test

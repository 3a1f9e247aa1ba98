// The tool as a child process, and a folder of its own for each test.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_TOOL_CHILD_H_
#define HALINE_TESTS_TOOL_CHILD_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace haline::test {

struct Outcome {
  int code = -1;    // the exit code, or -1
  int signal = 0;   // that ended it, or 0
  std::string out;  // standard output
  std::string err;  // standard error
};

std::string ReadFile(const std::filesystem::path &path);
void WriteFile(const std::filesystem::path &path, const std::string &bytes);

// Each test works in an empty folder, and its paths are relative to that.
class ToolTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::filesystem::path Path(const std::string &name) const { return folder_ / name; }
  std::vector<std::string> Files() const;  // the names in the folder, hidden ones too, sorted

  // `environment`: "NAME=value". `in`: what standard input has; empty: nothing.
  Outcome Tool(const std::vector<std::string> &arguments, const std::string &in = "",
               const std::vector<std::string> &environment = {}) const;

  // Starts and waits, for tests that do something in between.
  pid_t Start(const std::vector<std::string> &arguments, const std::string &in = "",
              const std::vector<std::string> &environment = {}) const;
  Outcome Wait(pid_t child) const;

  // That `arguments` fail as they should: this exit code, one message with `found` and `wanted` in it on standard
  // error, nothing on standard output, no file made, changed or left.
  void ExpectRefused(const std::vector<std::string> &arguments, int code, const std::string &message,
                     const std::string &in = "");

 private:
  std::filesystem::path folder_, streams_;
};

}  // namespace haline::test

#endif  // HALINE_TESTS_TOOL_CHILD_H_

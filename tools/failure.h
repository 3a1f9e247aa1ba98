// How the tool fails: an exception with one line, "WHAT: ... found, ... wanted", that main() prints.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_FAILURE_H_
#define HALINE_TOOLS_FAILURE_H_

#include <stdexcept>

namespace haline::tool {

enum ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2 };

// Files, the machine, a broken promise: exit code 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The command line itself is wrong: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace haline::tool

#endif  // HALINE_TOOLS_FAILURE_H_

// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_PROGRESS_H_
#define HALINE_TOOLS_PROGRESS_H_

#include <unistd.h>

#include <cstdio>
#include <string>

namespace haline::tool {

// One line that overwrites itself, on a terminal only.
class Progress {
 public:
  ~Progress() { Show(""); }
  void Show(const std::string &text) const {
    if (terminal_) (void)std::fprintf(stderr, "\r\033[K%s", text.c_str());
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
};

}  // namespace haline::tool

#endif  // HALINE_TOOLS_PROGRESS_H_

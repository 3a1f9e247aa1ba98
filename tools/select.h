// `haline select`: measures which settings suit this machine and writes them into a file for HALINE_TUNING.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_SELECT_H_
#define HALINE_TOOLS_SELECT_H_

#include <string>
#include <vector>

namespace haline::tool {

struct SelectOptions {
  std::string out;
  std::vector<std::string> shapes;   // as SelectShapes of the benchmarks takes them; empty: some of each kind
  std::vector<std::string> dtypes;   // empty: float32
  std::vector<std::string> passes;   // "forward", "backward"; empty: both
  std::vector<std::string> layouts;  // "channels-first", "channels-last"; empty: the first
  int threads = 0;                   // 0: all
  double seconds = 60;               // about, for all
};

// What was found, for people; the file is written.
std::string Select(const SelectOptions &options);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_SELECT_H_

// The telling half of `haline bench`: what was measured as a table or as JSON, and whether haline's promises were kept.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_REPORT_H_
#define HALINE_TOOLS_REPORT_H_

#include <string>
#include <vector>

#include "tools/measure.h"

namespace haline::tool {

std::string Table(const std::vector<Result> &results, int threads);
std::string Json(const std::vector<Result> &results, int threads);

// Empty, or the first promise that was broken: the accuracy, the same bytes on all back ends.
std::string BrokenPromise(const std::vector<Result> &results);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_REPORT_H_

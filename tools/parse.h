// The values of options, from the command line's words.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_PARSE_H_
#define HALINE_TOOLS_PARSE_H_

#include <string>

#include "tools/normalize.h"

namespace haline::tool {

bool ParseFinite(const std::string &text, double *number);
bool ParseNumber(const std::string &text, double *number);  // finite and not negative

// "TEXT" found, WANTED wanted
std::string Found(const std::string &text, const std::string &wanted);

// "relu", "leaky_relu:0.2", ... into n; what is wrong with it, or nothing.
std::string ParseActivation(const std::string &text, NormalizeOptions *n);
std::string ParseEps(const std::string &text, NormalizeOptions *n);
std::string ParseDtype(const std::string &text, NormalizeOptions *n);
std::string ParseLayout(const std::string &text, NormalizeOptions *n);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_PARSE_H_

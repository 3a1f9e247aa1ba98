// `haline info`: what this library has, what this machine runs of it, and what a call would use.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_INFO_H_
#define HALINE_TOOLS_INFO_H_

#include <string>
#include <vector>

#include "haline/haline.h"

namespace haline::tool {

std::vector<haline_backend> AllBackends();  // best first

std::string Info(bool json);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_INFO_H_

// `haline info`: what this library has, what this machine runs of it, and what a call would use.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_INFO_H_
#define HALINE_TOOLS_INFO_H_

#include <string>
#include <vector>

#include "haline/haline.h"

namespace haline::tool {

// Best first. To ask for a GPU's is to open its driver.
haline_backend BackendAt(int32_t index);
std::vector<haline_backend> AllBackends();

std::string Info(bool json);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_INFO_H_

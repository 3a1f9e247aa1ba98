// NumPy's .npy files: float32, little-endian, C order; format versions 1.0 to 3.0 are read, 1.0 is written.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_NPY_H_
#define HALINE_TOOLS_NPY_H_

#include <string>

#include "tools/data.h"
#include "tools/input.h"

namespace haline::tool {

// Any rank. Memory is taken as the data arrive, so that a header alone can't ask for it.
Data ReadNpy(Input &input);

// All that comes before the data.
std::string NpyHeader(const Shape &shape);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_NPY_H_

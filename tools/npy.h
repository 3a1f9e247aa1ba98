// NumPy's .npy files. Read: bool, integers and floats of up to 64 bits, big- or little-endian, in C or Fortran order,
// of format versions 1.0 to 3.0. Written: floats, little-endian, of version 1.0.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_NPY_H_
#define HALINE_TOOLS_NPY_H_

#include <optional>
#include <string>

#include "tools/data.h"
#include "tools/input.h"

namespace haline::tool {

// Any rank. Memory is taken as the data arrive, so that a header alone can't ask for it. The numbers become `dtype`, or
// else DefaultDtype()'s; one that is too large for it is refused.
Data ReadNpy(Input &input, std::optional<Dtype> dtype);

// All that comes before the data.
std::string NpyHeader(const Data &data);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_NPY_H_

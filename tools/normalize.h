// `haline normalize`: one file in, one file out.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_NORMALIZE_H_
#define HALINE_TOOLS_NORMALIZE_H_

#include <optional>
#include <string>

#include "haline/haline.h"
#include "tools/data.h"

namespace haline::tool {

struct NormalizeOptions {
  std::string in, out;       // "-": standard input, standard output
  std::string format;        // of out; empty: by its extension
  std::string scale, shift;  // "2", "1,2,3", "@values.npy"; empty: the default of the format
  std::string backend;       // empty: the library's choice
  double eps = 1e-5;
  std::optional<Dtype> dtype;  // that is computed in and, to .npy, written; nothing: that of `in`, as ReadData() has it
  haline_activation activation = HALINE_NO_ACTIVATION;
  double negative_slope = 0.01;
  Layout layout = Layout::kChannelsFirst;  // of .npy files
};

void Normalize(const NormalizeOptions &options);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_NORMALIZE_H_

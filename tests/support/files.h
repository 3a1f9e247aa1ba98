// The real test data: where they are, and the few formats they come in.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_FILES_H_
#define HALINE_TESTS_SUPPORT_FILES_H_

#include <optional>
#include <string>

#include "support/case.h"

namespace haline::test {

// The path of a file of HALINE_TEST_DATA (by default ../shared/data, seen from the project); nothing where there is
// none.
std::optional<std::string> DataFile(const std::string &name);

struct Array {
  Shape shape;
  std::vector<float> values;
};

// A float32 TensorProto of ONNX's. Throws std::runtime_error.
Array ReadTensorProto(const std::string &path);

// The constants of an ONNX model, in its order; all must be float32. Throws std::runtime_error.
std::vector<Array> ReadInitializers(const std::string &path);

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_FILES_H_

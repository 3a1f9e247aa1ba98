// The ONNX project's own tests of InstanceNormalization, of HALINE_TEST_DATA: its inputs and its expected outputs.
//
// SPDX-License-Identifier: MIT
#include <cmath>

#include "support/backends.h"
#include "support/files.h"

namespace haline::test {

const int kLeastCases = 0;  // the data may be absent

namespace {

class OnnxTest : public BackendTest {
 protected:
  static std::optional<std::string> Find(const std::string &test, const std::string &file) {
    return DataFile("onnx_node_tests/" + test + "/test_data_set_0/" + file + ".pb");
  }

  void CheckNode(const std::string &test, double eps, bool affine) {
    const std::optional<std::string> input = Find(test, "input_0"), output = Find(test, "output_0");
    if (!input || !output) GTEST_SKIP() << test << " is not in HALINE_TEST_DATA";
    const Array x = ReadTensorProto(*input), wanted = ReadTensorProto(*output);
    Case c{test, x.shape, x.values};
    c.eps = eps;
    if (affine) {
      c.scale = ReadTensorProto(Find(test, "input_1").value()).values;
      c.shift = ReadTensorProto(Find(test, "input_2").value()).values;
    }
    Check(c);
    const std::vector<float> y = Run(c);
    ASSERT_EQ(wanted.shape, x.shape);
    ASSERT_EQ(y.size(), wanted.values.size());
    // ONNX's expected output was computed in float, carelessly: its checkers allow 1e-3 and 1e-7.
    for (size_t i = 0; i < y.size(); i++) {
      ASSERT_TRUE(std::fabs(y[i] - wanted.values[i]) <= 2e-6 * (1 + std::fabs(wanted.values[i])))
          << i << ": " << y[i] << ", " << wanted.values[i] << " wanted";
    }
  }
};

TEST_P(OnnxTest, Example) { CheckNode("test_instancenorm_example", 1e-5, true); }
TEST_P(OnnxTest, Epsilon) { CheckNode("test_instancenorm_epsilon", 1e-2, true); }
TEST_P(OnnxTest, SymbolicOverride) { CheckNode("test_operator_symbolic_override", 1e-5, false); }

HALINE_ON_EVERY_BACKEND(OnnxTest);

}  // namespace
}  // namespace haline::test

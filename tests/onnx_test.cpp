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
    return DataFile("onnx_node_tests/" + test + "/" + file);
  }

  void CheckNode(const std::string &test, double eps) {
    const std::optional<std::string> input = Find(test, "test_data_set_0/input_0.pb");
    if (!input) GTEST_SKIP() << test << " is not in HALINE_TEST_DATA";
    const Array x = ReadTensorProto(*input),
                wanted = ReadTensorProto(Find(test, "test_data_set_0/output_0.pb").value());
    // scale and shift are inputs like x, or constants of the model.
    const std::optional<std::string> scale = Find(test, "test_data_set_0/input_1.pb");
    const std::vector<Array> parameters =
        scale ? std::vector<Array>{ReadTensorProto(*scale),
                                   ReadTensorProto(Find(test, "test_data_set_0/input_2.pb").value())}
              : ReadInitializers(Find(test, "model.onnx").value());
    ASSERT_EQ(parameters.size(), 2u);
    Case c{test, x.shape, x.values, parameters[0].values, parameters[1].values, eps};
    ASSERT_EQ(static_cast<int64_t>(c.scale.size()), c.shape[1]);
    Check(c);
    const std::vector<float> y = Run(c);
    ASSERT_EQ(wanted.shape, x.shape);
    ASSERT_EQ(y.size(), wanted.values.size());
    // ONNX's expected output was itself computed in float.
    for (size_t i = 0; i < y.size(); i++) {
      ASSERT_TRUE(std::fabs(y[i] - wanted.values[i]) <= 2e-6 * (1 + std::fabs(wanted.values[i])))
          << i << ": " << y[i] << ", " << wanted.values[i] << " wanted";
    }
  }
};

TEST_P(OnnxTest, Example) { CheckNode("test_instancenorm_example", 1e-5); }
TEST_P(OnnxTest, Epsilon) { CheckNode("test_instancenorm_epsilon", 1e-2); }
TEST_P(OnnxTest, SymbolicOverride) { CheckNode("test_operator_symbolic_override", 1e-9); }

HALINE_ON_EVERY_PROCESSOR(OnnxTest);

}  // namespace
}  // namespace haline::test

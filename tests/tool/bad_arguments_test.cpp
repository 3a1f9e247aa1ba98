// Command lines that are wrong: exit code 2, a message that names the argument, and nothing done.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "tool/child.h"
#include "tool/npy.h"

namespace haline::test {
namespace {

class BadArgumentsTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    WriteFile(Path("x.npy"), Npy({1, 3, 2}, {1, 2, 3, 4, 5, 6}));
    WriteFile(Path("two.npy"), Npy({2}, {1, 2}));
  }
};

TEST_F(BadArgumentsTest, AreRefusedByName) {
  const struct {
    std::vector<std::string> options;
    const char *message;
  } cases[] = {
      {{"--scale", "1,2"}, "--scale: 2 values found, 1 or 3"},
      {{"--shift", "1,2,3,4"}, "--shift: 4 values found, 1 or 3"},
      {{"--scale", "@two.npy"}, "--scale: 2 values found, 1 or 3"},
      {{"--scale", "1,,3"}, "--scale: \"1,,3\" found"},
      {{"--scale", "1,2,3,"}, "--scale: \"1,2,3,\" found"},
      {{"--scale", "one"}, "--scale: \"one\" found"},
      {{"--scale", "nan"}, "--scale: \"nan\" found"},
      {{"--shift", "inf"}, "--shift: \"inf\" found"},
      {{"--shift", "1e99"}, "--shift: \"1e99\" found"},
      {{"--eps", "-1e-5"}, "--eps: \"-1e-5\" found"},
      {{"--eps", "nan"}, "--eps: \"nan\" found"},
      {{"--eps", "inf"}, "--eps: \"inf\" found"},
      {{"--eps", "small"}, "--eps: \"small\" found"},
      {{"--backend", "x87"},
       "--backend: \"x87\" found, one of x86-avx512, x86-avx2, x86-64, arm-neon, cuda, opencl wanted"},
      {{"--threads", "0"}, "--threads: \"0\" found"},
      {{"--threads", "-1"}, "--threads: \"-1\" found"},
      {{"--threads", "1025"}, "--threads: \"1025\" found"},
      {{"--threads", "two"}, "--threads: \"two\" found"},
      {{"--format", "gif"}, "--format: \"gif\" found"},
      {{"--dtype", "int8"}, "--dtype: \"int8\" found, float16, bfloat16, float32 or float64 wanted"},
      {{"--dtype", "Float32"}, "--dtype: \"Float32\" found"},
      {{"--dtype", ""}, "--dtype"},
      {{"--dtype", "bfloat16"}, "--dtype: bfloat16 found, float16, float32 or float64 wanted: .npy has no bfloat16"},
      {{"--layout", "NHWC"}, "--layout: \"NHWC\" found, channels-first or channels-last wanted"},
      {{"--activation", "gelu"}, "--activation: \"gelu\" found, none, relu, leaky_relu or leaky_relu:SLOPE"},
      {{"--activation", "relu:0.1"}, "--activation: \"relu:0.1\" found"},
      {{"--activation", "leaky_relu:"}, "--activation: \"leaky_relu:\" found"},
      {{"--activation", "leaky_relu:0.1x"}, "--activation: \"leaky_relu:0.1x\" found"},
      {{"--activation", "leaky_relu:nan"}, "--activation: \"leaky_relu:nan\" found"},
      {{"--activation", "leaky_relu:inf"}, "--activation: \"leaky_relu:inf\" found"},
      {{"--layout", "channels-last", "--scale", "1,2,3"}, "--scale: 3 values found, 1 or 2"},
      {{"--epsilon", "1"}, "--epsilon"},
      {{"--eps"}, "--eps"},
      {{"third"}, "third"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.options.back());
    std::vector<std::string> arguments = {"normalize", "x.npy", "y.npy"};
    arguments.insert(arguments.end(), c.options.begin(), c.options.end());
    ExpectRefused(arguments, 2, c.message);
  }
}

TEST_F(BadArgumentsTest, OutputsWithoutAKnownFormatAreRefused) {
  ExpectRefused({"normalize", "x.npy", "y.gif"}, 2, "y.gif: extension .gif found");
  ExpectRefused({"normalize", "x.npy", "y"}, 2, "y: no extension found");
  ExpectRefused({"normalize", "x.npy", "-"}, 2, "--format");
  ExpectRefused({"normalize", "x.npy", "/dev/null"}, 2, "/dev/null: no extension found");
}

TEST_F(BadArgumentsTest, CommandsAndMissingArguments) {
  ExpectRefused({"normalise"}, 2, "normalise");
  ExpectRefused({"--frobnicate"}, 2, "--frobnicate");
  ExpectRefused({"normalize"}, 2, "IN");
  ExpectRefused({"normalize", "x.npy"}, 2, "OUT");
  ExpectRefused({"info", "x.npy"}, 2, "x.npy");
}

TEST_F(BadArgumentsTest, OfBench) {
  for (const char *shape :
       {"", "8", "3x", "x3", "3xx4", "3x-4", "3x4.5", "0x3", "2x3 ", "9223372036854775807x2", "big"}) {
    SCOPED_TRACE(shape);
    ExpectRefused({"bench", "--shape", shape}, 2, "--shape");
  }
  ExpectRefused({"bench", "--backend", "mmx"}, 2, "--backend: \"mmx\" found");
  ExpectRefused({"bench", "--threads", "0"}, 2, "--threads: \"0\" found");
  ExpectRefused({"bench", "--seconds", "-1"}, 2, "--seconds: \"-1\" found");
  ExpectRefused({"bench", "--shape", "2x3", "x.npy"}, 2, "--shape");
}

TEST_F(BadArgumentsTest, HelpAndVersionAreNoErrors) {
  const Outcome alone = Tool({}), help = Tool({"--help"}), version = Tool({"--version"});
  EXPECT_EQ(alone.code, 0);
  EXPECT_EQ(alone.out, help.out);
  EXPECT_EQ(help.code, 0);
  for (const char *command : {"normalize", "info", "bench"}) {
    EXPECT_NE(help.out.find(command), std::string::npos);
    const Outcome own = Tool({command, "--help"});
    EXPECT_EQ(own.code, 0);
    EXPECT_EQ(own.err, "");
    EXPECT_NE(own.out.find(std::string("Usage: haline ") + command), std::string::npos) << own.out;
    EXPECT_NE(own.out.find(std::string("\n  haline ") + command + " "), std::string::npos) << "no example";
    EXPECT_NE(help.out.find(std::string("\n  haline ") + command + " "), std::string::npos) << "no example";
  }
  for (const char *option :
       {"--eps", "--scale", "--shift", "--activation", "--dtype", "--layout", "--format", "--backend", "--threads"}) {
    EXPECT_NE(Tool({"normalize", "--help"}).out.find(option), std::string::npos) << option;
  }
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out, "haline 0.1.0\n");
}

}  // namespace
}  // namespace haline::test

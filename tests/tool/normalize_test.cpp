// `haline normalize` on .npy files: the bytes are those of a direct call of the library.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "haline/haline.h"
#include "support/random.h"
#include "tool/child.h"
#include "tool/npy.h"

namespace haline::test {
namespace {

using NormalizeTest = ToolTest;

TEST_F(NormalizeTest, GivesTheLibrarysBytes) {
  const Shape shapes[] = {{2, 3},          {1, 1, 1}, {2, 3, 5}, {1, 3, 40, 30},
                          {2, 2, 3, 4, 5}, {0, 3, 4}, {2, 3, 0}, {1, 1, 65537}};
  for (const Shape &shape : shapes) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    const std::vector<float> x = Normals(count, 7, 3, 2);
    WriteFile(Path("x.npy"), Npy(shape, x));
    const Outcome outcome = Tool({"normalize", "x.npy", "y.npy"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out + outcome.err, "");
    EXPECT_EQ(ReadFile(Path("y.npy")), Npy(shape, Normalized(shape, x)));
  }
}

TEST_F(NormalizeTest, ReadsEveryFormatVersionAndHeadersOfOtherHands) {
  const Shape shape = {1, 2, 3};
  const std::vector<float> x = Normals(6, 1);
  const std::string y = Npy(shape, Normalized(shape, x));
  const std::string files[] = {
      Npy(shape, x, 1), Npy(shape, x, 2), Npy(shape, x, 3),
      RawNpy("{\"shape\":(1L,2L,3L),\"fortran_order\":False,\"descr\":\"<f4\"}", Bytes(x)),
      RawNpy("{ 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 1 , 2 , 3 , ) , }", Bytes(x))};
  for (const std::string &file : files) {
    WriteFile(Path("x.npy"), file);
    EXPECT_EQ(Tool({"normalize", "x.npy", "y.npy"}).code, 0) << file.substr(0, 60);
    EXPECT_EQ(ReadFile(Path("y.npy")), y);
  }
}

TEST_F(NormalizeTest, TakesScaleShiftAndEps) {
  const Shape shape = {2, 3, 50};
  const std::vector<float> x = Normals(300, 2), scale = {1.5f, -2, 0.25f}, shift = {-0.5f, 0, 1e3f};
  WriteFile(Path("x.npy"), Npy(shape, x));
  WriteFile(Path("gamma.npy"), Npy({3}, scale));
  WriteFile(Path("one.npy"), Npy({1}, {-0.5f}));
  struct {
    std::vector<std::string> arguments;
    std::vector<float> y;
  } const cases[] = {
      {{"--scale", "1.5,-2,0.25"}, Normalized(shape, x, scale)},
      {{"--scale=1.5,-2,.25", "--shift", "-0.5,0,1e3"}, Normalized(shape, x, scale, shift)},
      {{"--scale", "@gamma.npy", "--shift", "@one.npy"}, Normalized(shape, x, scale, {-0.5f, -0.5f, -0.5f})},
      {{"--shift", "-0.5"}, Normalized(shape, x, {}, {-0.5f, -0.5f, -0.5f})},
      {{"--eps", "0.5"}, Normalized(shape, x, {}, {}, 0.5)},
      {{"--eps", "0"}, Normalized(shape, x, {}, {}, 0)},
      {{"--threads", "1", "--backend", haline_current_backend()}, Normalized(shape, x)},
  };
  for (const auto &c : cases) {
    std::vector<std::string> arguments = {"normalize", "x.npy", "y.npy"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    const Outcome outcome = Tool(arguments);
    EXPECT_EQ(outcome.code, 0) << c.arguments[0] << ": " << outcome.err;
    EXPECT_TRUE(ReadFile(Path("y.npy")) == Npy(shape, c.y)) << c.arguments[0] << " " << c.arguments.back();
  }
}

// Where there is one: the tensor is sent to it and comes back with the same bytes.
TEST_F(NormalizeTest, SendsToAGpu) {
  const Shape shape = {2, 3, 500};
  const std::vector<float> x = Normals(3000, 5);
  WriteFile(Path("x.npy"), Npy(shape, x));
  int sent = 0;
  for (const std::string backend : {"cuda", "opencl"}) {
    const Outcome outcome = Tool({"normalize", "--backend", backend, "x.npy", "y.npy"});
    if (outcome.code == 0) {
      EXPECT_TRUE(ReadFile(Path("y.npy")) == Npy(shape, Normalized(shape, x))) << backend;
      sent++;
    } else {
      EXPECT_EQ(outcome.code, 1);
      EXPECT_NE(outcome.err.find("\"" + backend + "\" found, which does not run here"), std::string::npos)
          << outcome.err;
    }
  }
  if (sent == 0) GTEST_SKIP() << "no GPU's back end runs here";
}

TEST_F(NormalizeTest, PassesThroughPipesAndOntoItself) {
  const Shape shape = {1, 3, 500, 400};
  const std::vector<float> x = Normals(600000, 3);
  const std::string file = Npy(shape, x), y = Npy(shape, Normalized(shape, x));
  const Outcome piped = Tool({"normalize", "-", "-", "--format", "npy"}, file);
  EXPECT_EQ(piped.code, 0) << piped.err;
  EXPECT_TRUE(piped.out == y);
  WriteFile(Path("x.npy"), file);
  EXPECT_EQ(Tool({"normalize", "x.npy", "x.npy"}).code, 0);
  EXPECT_TRUE(ReadFile(Path("x.npy")) == y);
  EXPECT_EQ(Files(), std::vector<std::string>{"x.npy"});
}

TEST_F(NormalizeTest, TakesABackendFromTheEnvironment) {
  const std::vector<float> x = Normals(6, 3);
  WriteFile(Path("x.npy"), Npy({1, 2, 3}, x));
  EXPECT_EQ(Tool({"normalize", "x.npy", "y.npy"}, "", {std::string("HALINE_BACKEND=") + haline_current_backend()}).code,
            0);
  const Outcome wrong = Tool({"normalize", "x.npy", "z.npy"}, "", {"HALINE_BACKEND=mmx"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.err.find("HALINE_BACKEND: \"mmx\" found"), std::string::npos) << wrong.err;
  EXPECT_EQ(Files(), (std::vector<std::string>{"x.npy", "y.npy"}));
}

}  // namespace
}  // namespace haline::test

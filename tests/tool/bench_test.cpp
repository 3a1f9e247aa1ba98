// `haline bench`: what it reports, and that it fails where a promise is broken. Times are not judged.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "haline/haline.hpp"
#include "reference/tolerance.h"
#include "support/random.h"
#include "tool/child.h"
#include "tool/npy.h"
#include "tools/report.h"

namespace haline::test {
namespace {

using BenchTest = ToolTest;
using nlohmann::json;

TEST_F(BenchTest, HoldsEveryBackendAgainstTheOracle) {
  const Outcome outcome =
      Tool({"bench", "--json", "--seconds", "0.02", "--shape", "2x3x5x7", "--shape", "1x2x3000", "--shape", "4x6"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");  // no progress where there is no terminal
  const json root = json::parse(outcome.out);
  EXPECT_EQ(root["threads"], 1);
  ASSERT_EQ(root["results"].size(), 3u);
  const char *names[] = {"2x3x5x7", "1x2x3000", "4x6"};
  const double bytes[] = {2 * 210 * 4, 2 * 6000 * 4, 2 * 24 * 4};
  std::set<std::string> hashes;
  for (size_t i = 0; i < 3; i++) {
    const json &result = root["results"][i];
    EXPECT_EQ(result["name"], names[i]);
    EXPECT_EQ(result["bytes"], bytes[i]);
    EXPECT_GT(result["copy"]["gb_per_s"], 0);
    ASSERT_EQ(result["backends"].size(), backends().size());
    for (size_t b = 0; b < backends().size(); b++) {
      const json &row = result["backends"][b];
      EXPECT_EQ(row["name"], backends()[b]);
      EXPECT_LE(row["max_error"].get<double>(), oracle::kForward);
      EXPECT_GT(row["gb_per_s"], 0);
      EXPECT_GT(row["of_copy"], 0);
      EXPECT_EQ(row["hash"], result["backends"][0]["hash"]);
      hashes.insert(row["hash"]);
    }
  }
  EXPECT_EQ(hashes.size(), 3u);
}

TEST_F(BenchTest, GivesTheSameBytesWithMoreThreads) {
  WriteFile(Path("x.npy"), Npy({2, 40, 1000}, Normals(80000, 5)));
  json hashes[2];
  for (const int threads : {1, 3}) {
    const Outcome outcome = Tool({"bench", "x.npy", "--json", "--seconds", "0", "--threads", std::to_string(threads)});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json root = json::parse(outcome.out);
    EXPECT_EQ(root["threads"], threads);
    EXPECT_EQ(root["results"][0]["shape"], json({2, 40, 1000}));
    hashes[threads / 3] = root["results"][0]["backends"][0]["hash"];
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

TEST_F(BenchTest, PrintsATable) {
  const std::string last = backends().back();
  const Outcome outcome = Tool({"bench", "--shape", "2x3x5", "--backend", last, "--seconds", "0"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const std::string &word : {std::string("2x3x5"), last, std::string("GB/s"), std::string("copy")}) {
    EXPECT_NE(outcome.out.find(word), std::string::npos) << word << outcome.out;
  }
  if (backends().size() > 1) {
    EXPECT_EQ(outcome.out.find(backends().front()), std::string::npos);
  }
}

TEST_F(BenchTest, RefusesInputsThatHaveNothingToMeasure) {
  WriteFile(Path("x.npy"), Npy({2, 0, 4}, {}));
  ExpectRefused({"bench", "x.npy"}, 1, "x.npy: shape [2, 0, 4] found");
  WriteFile(Path("x.npy"), Npy({4}, {1, 2, 3, 4}));
  ExpectRefused({"bench", "x.npy"}, 1, "x.npy: shape [4] found");
  WriteFile(Path("x.npy"), RawNpy(NpyDict({1, 1, 2}, "<f4", true), std::string(8, '\0')));
  ExpectRefused({"bench", "x.npy"}, 1, "x.npy: Fortran order found");
}

TEST_F(BenchTest, ReadsOtherTypesAsFloat32) {
  WriteFile(Path("x.npy"), RawNpy(NpyDict({1, 2, 3}, ">i2"), Elements({1, -2, 3, 300, 5, 6}, "i2", true)));
  const Outcome integers = Tool({"bench", "x.npy", "--json", "--seconds", "0"});
  WriteFile(Path("x.npy"), Npy({1, 2, 3}, {1, -2, 3, 300, 5, 6}));
  const Outcome floats = Tool({"bench", "x.npy", "--json", "--seconds", "0"});
  ASSERT_EQ(integers.code, 0) << integers.err;
  const auto hash = [](const Outcome &outcome) {
    return json::parse(outcome.out)["results"][0]["backends"][0]["hash"];
  };
  EXPECT_EQ(hash(integers), hash(floats));
}

TEST_F(BenchTest, SaysThatGpusRatesCountTheWayThereAndBack) {
  tool::Result result{"2x3", {2, 3}, 48, "memcpy", 1, {}};
  result.backends = {{"one", "x86-64-linux-strict_float", 0, 5, 1}};
  EXPECT_EQ(tool::Table({result}, 1).find("there and back"), std::string::npos);
  result.backends.push_back({"two", "x86-64-linux-cl_doubles-opencl-strict_float", 0, 5, 1e-6});
  const std::string table = tool::Table({result}, 1);
  EXPECT_NE(table.find("there and back"), std::string::npos) << table;
  EXPECT_NE(table.find("0.048"), std::string::npos) << table;  // GB/s
}

TEST_F(BenchTest, ABrokenPromiseIsNamed) {
  tool::Result result{"2x3", {2, 3}, 48, "memcpy", 1, {}};
  result.backends = {{"one", "", 1e-6, 5, 1}, {"two", "", 0, 5, 1}};
  EXPECT_EQ(tool::BrokenPromise({result}), "");

  tool::Result wrong = result;
  wrong.backends[1].max_error = 1.1e-6;
  EXPECT_EQ(tool::BrokenPromise({result, wrong}), "2x3: two: an error of 1.1e-06 found, at most 1e-06 wanted");
  wrong.backends[1].max_error = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(tool::BrokenPromise({wrong}), "");

  tool::Result different = result;
  different.backends[1].hash = 6;
  EXPECT_EQ(tool::BrokenPromise({different}),
            "2x3: two: output 0000000000000006 found, 0000000000000005 (that of one) wanted");
}

}  // namespace
}  // namespace haline::test

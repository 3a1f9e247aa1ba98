// `haline info` says what the library says.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "haline/haline.hpp"
#include "tool/child.h"

namespace haline::test {
namespace {

using InfoTest = ToolTest;
using nlohmann::json;

TEST_F(InfoTest, AgreesWithTheLibrary) {
  const Outcome text = Tool({"info"}), machine = Tool({"info", "--json"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(machine.code, 0) << machine.err;
  const json root = json::parse(machine.out);
  EXPECT_EQ(root["version"], haline_version());
  ASSERT_EQ(root["backends"].size(), static_cast<size_t>(haline_backend_count()));
  std::string best;
  for (int i = 0; i < haline_backend_count(); i++) {
    haline_backend b = {};
    b.size = sizeof(b);
    ASSERT_EQ(haline_backend_at(i, &b), HALINE_OK);
    const json &found = root["backends"][i];
    EXPECT_EQ(found["name"], b.name);
    EXPECT_EQ(found["built"], b.built != 0);
    EXPECT_EQ(found["runs_here"], b.runs_here != 0);
    EXPECT_EQ(found["target"], b.target);
    EXPECT_EQ(found["reason"], b.reason);
    EXPECT_NE(text.out.find(b.name), std::string::npos);
    EXPECT_NE(text.out.find(b.runs_here ? b.target : b.reason), std::string::npos);
    if (best.empty() && b.runs_here) best = b.name;
  }
  EXPECT_EQ(root["chosen"]["backend"], best);
  EXPECT_EQ(root["chosen"]["why"], "the best that runs here");
  EXPECT_GE(root["threads"]["count"], 1);
}

TEST_F(InfoTest, TellsWhatTheEnvironmentDoes) {
  const std::string last = backends().back();
  json root = json::parse(Tool({"info", "--json"}, "", {"HALINE_BACKEND=" + last, "HALINE_NUM_THREADS=3"}).out);
  EXPECT_EQ(root["chosen"]["backend"], last);
  EXPECT_EQ(root["chosen"]["why"], "HALINE_BACKEND names it");
  EXPECT_EQ(root["threads"]["count"], 3);
  EXPECT_EQ(root["threads"]["why"], "HALINE_NUM_THREADS says so");

  const Outcome wrong = Tool({"info", "--json"}, "", {"HALINE_BACKEND=mm\xff", "HALINE_NUM_THREADS=many"});
  EXPECT_EQ(wrong.code, 0);
  root = json::parse(wrong.out);
  EXPECT_TRUE(root["chosen"]["backend"].is_null());
  EXPECT_NE(root["chosen"]["why"].get<std::string>().find("HALINE_BACKEND"), std::string::npos);
  EXPECT_NE(root["threads"]["why"].get<std::string>().find("\"many\" found"), std::string::npos);
}

}  // namespace
}  // namespace haline::test

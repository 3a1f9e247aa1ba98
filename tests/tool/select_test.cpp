// `haline select`: its search, with times that are made up, and the file that it writes. Times are not judged.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "haline/haline.hpp"
#include "tool/child.h"
#include "tools/search.h"
#include "tools/work.h"

namespace haline::test {
namespace {

using SelectTest = ToolTest;
using tool::Choice;
using tool::Choices;
using tool::Found;
using tool::Ratio;

// Two shapes, whose times `cost` gives; every measurement is off by up to `noise`, and says so.
tool::Timer Timer(const std::function<double(const Choice &, int shape)> &cost, double noise, int *efforts) {
  return [=, turn = 0](const Choice &candidate, const Choice &incumbent, int effort) mutable {
    *efforts += effort;
    std::vector<Ratio> ratios;
    for (int shape : {0, 1}) {
      const double off = noise * std::sin(++turn * 12.9898);
      ratios.push_back({cost(candidate, shape) / cost(incumbent, shape) * (1 + off), noise, 1, 1});
    }
    return ratios;
  };
}

const Choices kChoices = {{-1, 1, 2}, {-1, 10, 20, 40, 80}, {-1}};

// Whose turn it is finds in the caches what the other left there, which is not its own time.
TEST(TimePairsTest, ATurnBeginsWithCallsThatAreNotTimed) {
  const int threads = haline_num_threads();
  ASSERT_EQ(haline_set_num_threads(1), HALINE_OK);  // time is then the thread's own, whatever else the machine does
  std::vector<int> calls;                           // of each turn
  const auto call = [&] {
    calls.back()++;
    const std::clock_t start = std::clock();  // a millisecond of work: one timed call a turn
    while (std::clock() - start < CLOCKS_PER_SEC / 1000) continue;
  };
  tool::TimePairs(call, call, 0, [&](bool) { calls.push_back(0); });
  EXPECT_EQ(haline_set_num_threads(threads), HALINE_OK);
  std::vector<int> wanted(4, 1);  // how long a call takes
  wanted.resize(4 + 2 * 7, 4);
  EXPECT_EQ(calls, wanted);
}

TEST(SearchTest, FindsTheBest) {
  int efforts = 0;
  const auto cost = [](const Choice &c, int) {
    return (c[0] == 2 ? 0.8 : 1) * (c[1] < 0 ? 1.5 : 1 + std::abs(c[1] - 40) / 100.0);
  };
  const Found found = tool::Search(kChoices, Timer(cost, 0.001, &efforts));
  EXPECT_EQ(found.choice, (Choice{2, 40, -1}));
  EXPECT_NEAR(found.gain, 1.5 / 0.8, 0.02);
  EXPECT_LE(efforts, tool::Efforts(kChoices));
}

TEST(SearchTest, KeepsTheDefaultAgainstNoise) {
  int efforts = 0;
  const auto same = [](const Choice &, int) { return 1.0; };
  const Found found = tool::Search(kChoices, Timer(same, 0.2, &efforts));
  EXPECT_EQ(found.choice, (Choice{-1, -1, -1}));
  EXPECT_EQ(found.gain, 1);
  const auto little = [](const Choice &c, int) { return c[1] == 20 ? 0.99 : 1.0; };
  EXPECT_EQ(tool::Search(kChoices, Timer(little, 0, &efforts)).choice, (Choice{-1, -1, -1}));
}

TEST(SearchTest, TakesNothingThatAShapePaysFor) {
  int efforts = 0;
  const auto uneven = [](const Choice &c, int shape) { return c[0] == 1 ? (shape == 0 ? 0.5 : 1.1) : 1.0; };
  EXPECT_EQ(tool::Search(kChoices, Timer(uneven, 0.001, &efforts)).choice, (Choice{-1, -1, -1}));
  EXPECT_FALSE(tool::Wins({}));
  EXPECT_FALSE(tool::Wins({{std::nan(""), 0, 1, 1}}));
}

// A setting that seemed to win, and does not when timed again, is not believed.
TEST(SearchTest, TimesAWinnerAgain) {
  const auto timer = [](const Choice &candidate, const Choice &, int effort) {
    return std::vector<Ratio>{{candidate[1] == 10 && effort == 1 ? 0.5 : 1, 0.001, 1, 1}};
  };
  EXPECT_EQ(tool::Search(kChoices, timer).choice, (Choice{-1, -1, -1}));
}

TEST_F(SelectTest, WritesWhatTheLibraryReads) {
  const Outcome outcome = Tool({"select", "here.tuning", "--shape", "2x3x10", "--shape", "2x9x600", "--seconds", "0"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const char *name : {"f32.forward.tiny", "f32.forward.cached", "f32.backward.tiny", "f32.backward.cached"}) {
    EXPECT_NE(outcome.out.find(name), std::string::npos) << outcome.out;
  }
  EXPECT_EQ(Files(), std::vector<std::string>{"here.tuning"});
  const std::string text = ReadFile(Path("here.tuning"));
  EXPECT_EQ(text.rfind("haline tuning 1\nlibrary = ", 0), 0u) << text;
  const auto tuning = [this](const std::string &file) {
    const Outcome info = Tool({"info", "--json"}, "", {"HALINE_TUNING=" + file});
    EXPECT_EQ(info.code, 0) << info.err;
    EXPECT_NE(Tool({"info"}, "", {"HALINE_TUNING=" + file}).out.find("\ntuning   " + file), std::string::npos);
    return nlohmann::json::parse(info.out)["tuning"].get<std::string>();
  };
  EXPECT_TRUE(tuning("here.tuning").ends_with(" settings")) << tuning("here.tuning");

  // Damaged, foreign, old, missing: a warning, and calls as without it.
  const auto changed = [&](const std::string &from, const std::string &to) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    WriteFile(Path("other.tuning"), other);
    return tuning("other.tuning");
  };
  EXPECT_EQ(changed("processor = ", "processor = Z80 ").rfind("other.tuning: ignored: checksum", 0), 0u);
  EXPECT_EQ(changed("haline tuning 1", "haline tuning 0").rfind("other.tuning: ignored: another first line", 0), 0u);
  EXPECT_EQ(tuning("none.tuning").rfind("none.tuning: ignored: ", 0), 0u);
  const Outcome bench = Tool({"bench", "--shape", "2x3x10", "--seconds", "0"}, "", {"HALINE_TUNING=other.tuning"});
  EXPECT_EQ(bench.code, 0) << bench.err;
}

TEST_F(SelectTest, SearchesTheLayoutsThatItIsAskedFor) {
  const auto select = [this](std::vector<std::string> layouts) {
    std::vector<std::string> words = {"select", "here.tuning", "--shape", "2x3x10", "--pass", "forward", "--seconds=0"};
    words.insert(words.end(), layouts.begin(), layouts.end());
    const Outcome outcome = Tool(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  const std::string last = select({"--layout", "channels-last"});
  EXPECT_EQ(last.rfind("f32.forward.tiny-last: ", 0), 0u) << last;
  const std::string both = select({"--layout", "channels-last", "--layout", "channels-first"});
  EXPECT_EQ(both.rfind("f32.forward.tiny: ", 0), 0u) << both;
  EXPECT_NE(both.find("\nf32.forward.tiny-last: "), std::string::npos) << both;
}

TEST_F(SelectTest, RefusesWhatItCantDo) {
  ExpectRefused({"select"}, 2, "OUT");
  ExpectRefused({"select", "x", "--shape", "3"}, 2, "--shape: 3 found");
  ExpectRefused({"select", "x", "--dtype", "int8"}, 2, "float64 wanted");
  ExpectRefused({"select", "x", "--pass", "sideways"}, 2, "forward or backward wanted");
  ExpectRefused({"select", "x", "--layout", "nhwc"}, 2, "channels-first or channels-last wanted");
  ExpectRefused({"select", "x", "--seconds", "-1"}, 2, "a number of 0 to 86400 wanted");
  ExpectRefused({"select", "no/such/folder"}, 1, "no/such/folder");
}

}  // namespace
}  // namespace haline::test

// Tuning files: what the library takes, what it refuses, and that no setting changes a bit.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cinttypes>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "runtime/tuning_file.h"
#include "support/backends.h"
#include "support/random.h"
#include "support/status.h"

namespace haline::test {

const int kLeastCases = 0;  // these tests are about files

namespace {

std::string Signed(const std::string &lines) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : lines) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  char line[64];
  std::snprintf(line, sizeof(line), "checksum = %016" PRIx64 "\n", hash);
  return lines + line;
}

std::string Header(const std::string &version = haline_version(), const std::string &processor = Processor()) {
  return "haline tuning 1\nlibrary = " + version + "\nprocessor = " + processor + "\n";
}

std::string Written(const Settings &settings) {
  std::string text(kLongestTuning, '\0');
  text.resize(WriteTuning(settings, text.data(), text.size()));
  return text;
}

// What is wrong with a text; "" where nothing is.
std::string Wrong(const std::string &text, Settings *settings = nullptr) {
  Settings own;
  char why[512];
  const char *const wrong = ParseTuning(text, settings ? settings : &own, why, sizeof(why));
  EXPECT_EQ(wrong ? (settings ? *settings : own).count() : 0, 0) << text;
  return wrong ? wrong : "";
}

int64_t Index(const std::string &backend) {
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend b = {};
    b.size = sizeof(b);
    if (haline_backend_at(i, &b) == HALINE_OK && b.name == backend) return i;
  }
  return -1;
}

// Any settings at all.
Settings Random(std::mt19937_64 *random) {
  Settings settings;
  const std::vector<std::string> backends = RunnableBackends();
  for (auto &element : settings.classes) {
    for (auto &pass : element) {
      for (Settings::Class &at : pass) {
        if ((*random)() % 2) at.backend = Index(backends[(*random)() % backends.size()]);
        for (int k = 0; k < kKnobs; k++) {
          const Knob &knob = kKnobTable[k];
          const int64_t values[] = {Settings::kUnset, knob.least, knob.most,
                                    knob.least + static_cast<int64_t>((*random)() % (knob.most - knob.least))};
          at.knobs[k] = values[(*random)() % 4];
        }
      }
    }
  }
  return settings;
}

class TuningTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::temp_directory_path() / "haline-tuning-XXXXXX").string();
    const int file = mkstemp(path_.data());
    ASSERT_GE(file, 0);
    close(file);
    ASSERT_EQ(haline_set_tuning(nullptr), HALINE_OK);
  }
  void TearDown() override {
    haline_set_tuning(nullptr);
    std::filesystem::remove(path_);
  }

  haline_status Use(const std::string &text) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
    return haline_set_tuning(path_.c_str());
  }

  std::string path_;
};

TEST_F(TuningTest, WhatIsWrittenIsRead) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 50; i++) {
    const Settings settings = Random(&random);
    Settings read;
    EXPECT_EQ(Wrong(Written(settings), &read), "");
    EXPECT_EQ(Written(read), Written(settings));
    EXPECT_EQ(read.count(), settings.count());
  }
  char small[10];
  EXPECT_EQ(WriteTuning(Settings(), small, sizeof(small)), 0u);
}

TEST_F(TuningTest, EveryCutAndEveryChangedByteIsSeen) {
  std::mt19937_64 random(2);
  Settings settings;
  settings.classes[0][0][kCached].knobs[kTaskKnob] = 4096;
  settings.classes[3][1][kTinyPlanes].backend = Index(RunnableBackends().back());
  const std::string text = Written(settings);
  ASSERT_EQ(Wrong(text), "");
  for (size_t length = 0; length < text.size() - 1; length++) EXPECT_NE(Wrong(text.substr(0, length)), "") << length;
  for (size_t at = 0; at < text.size() - 1; at++) {
    for (int i = 0; i < 8; i++) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ (1 << i));
      EXPECT_NE(Wrong(changed), "") << at;
    }
  }
  for (int i = 0; i < 300; i++) {
    std::string garbage(random() % 400, '\0');
    for (char &c : garbage) c = static_cast<char>(random());
    EXPECT_NE(Wrong(garbage), "");
    EXPECT_NE(Wrong(Signed(Header() + garbage + "\n")), "");
  }
}

// Lines that only a program with a defect would sign.
TEST_F(TuningTest, WrongLinesAreNamed) {
  const auto expect = [](const std::string &text, const std::string &part) {
    EXPECT_NE(Wrong(text).find(part), std::string::npos) << Wrong(text) << "\nhas no\n" << part;
  };
  expect(Signed(Header("0.0.1")), "library \"0.0.1\" found, \"" + std::string(haline_version()) + "\" wanted");
  expect(Signed(Header(haline_version(), "Z80")),
         "processor \"Z80\" found, \"" + std::string(Processor()) + "\" wanted");
  expect(Signed("haline tuning 2\n"), "another first line found, \"haline tuning 1\" wanted");
  expect(Signed("haline tuning 1\n"), "library \"\" found");
  expect(Header(), "no checksum found");
  expect(Header() + std::string(kLongestTuning, '#'), "bytes found, fewer wanted");
  for (const Knob &knob : kKnobTable) {
    const std::string key = std::string("bf16.backward.huge.") + knob.name;
    for (const std::string &value :
         {std::to_string(knob.least - 1), std::to_string(knob.most + 1), std::string("-1"),
          std::string("99999999999999999999"), std::string("1e5"), std::string(), std::to_string(knob.least) + " "}) {
      expect(Signed(Header() + key + " = " + value + "\n"),
             key + ": \"" + value + "\" found, " + std::to_string(knob.least) + " to " + std::to_string(knob.most));
    }
    EXPECT_EQ(Wrong(Signed(Header() + key + " = " + std::to_string(knob.most) + "\n")), "");
  }
  expect(Signed(Header() + "f32.forward.tiny.backend = vax\n"), "\"vax\" found, a back end that runs here wanted");
  for (const char *key : {"f32.forward.tiny.block", "f31.forward.tiny.backend", "f32.sideways.tiny.backend",
                          "f32.forward.vast.backend", "f32", "", "f32.forward.tiny.", "f32.forward.tiny.backend.x"}) {
    expect(Signed(Header() + key + " = 1\n"), std::string("\"") + key + "\" found, a setting such as");
  }
}

// Texts that come with the library: those for this processor count, later ones more.
TEST_F(TuningTest, OwnSettings) {
  const std::string task = "f32.forward.tiny.task_elements = ", split = "f32.forward.huge.split_plane = ";
  const std::string texts[] = {
      Signed(Header() + task + "64\n" + split + "131072\n"), Signed(Header(haline_version(), "Z80") + task + "128\n"),
      Signed(Header("0.0.1") + task + "256\n"), "haline tuning 1\n", Signed(Header() + task + "512\n")};
  std::vector<const char *> all;
  const auto own = [&] {
    std::vector<const char *> terminated = all;
    terminated.push_back(nullptr);
    return OwnSettings(terminated.data());
  };
  EXPECT_EQ(own().count(), 0);
  const int64_t wanted[] = {64, 64, 64, 64, 512};
  for (size_t i = 0; i < std::size(texts); i++) {
    all.push_back(texts[i].c_str());
    EXPECT_EQ(own().count(), 2);
    EXPECT_EQ(own().classes[0][kForwardPass][kTinyPlanes].knobs[kTaskKnob], wanted[i]);
    EXPECT_EQ(own().classes[0][kForwardPass][kHugePlanes].knobs[kSplitKnob], 131072);
  }
}

TEST_F(TuningTest, TheLibraryTellsWhatItTook) {
  const std::string own = haline_current_tuning();
  EXPECT_TRUE(own == "none" || own.rfind("built in: ", 0) == 0) << own;
  Settings settings;
  settings.classes[0][0][kCached].knobs[kTaskKnob] = 4096;
  ASSERT_EQ(Use(Written(settings)), HALINE_OK) << haline_error_message();
  EXPECT_EQ(haline_current_tuning(), path_ + ": 1 settings");

  ExpectFailure(Use(Written(settings).substr(1)), HALINE_INVALID_ARGUMENT, {path_, "another first line found"});
  ExpectFailure(Use(""), HALINE_INVALID_ARGUMENT, {path_, "another first line found"});
  ExpectFailure(haline_set_tuning("/no/such/file"), HALINE_INVALID_ARGUMENT, {"/no/such/file", "No such file"});
  ExpectFailure(haline_set_tuning("/"), HALINE_INVALID_ARGUMENT, {"/: could not be read"});
  EXPECT_EQ(haline_current_tuning(), path_ + ": 1 settings");  // still
  ASSERT_EQ(haline_set_tuning(""), HALINE_OK);
  EXPECT_EQ(haline_current_tuning(), own);
}

TEST_F(TuningTest, PicksTheBackEndWhereNoOneElseDoes) {
  const std::string best = RunnableBackends().front(), last = RunnableBackends().back();
  Settings settings;
  settings.classes[0][0][kCached].backend = Index(last);
  ASSERT_EQ(Use(Written(settings)), HALINE_OK) << haline_error_message();
  OwnedTensor x({1, 2, 100}, 1.f), y({1, 2, 100}, 0.f), small({1, 2, 10}, 1.f);
  ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK);
  EXPECT_TRUE(IsTargetOf(haline_last_target(), last));
  ASSERT_EQ(haline_instance_norm(&small.t, nullptr, nullptr, &small.t, nullptr), HALINE_OK);
  EXPECT_TRUE(IsTargetOf(haline_last_target(), best));  // another kind of planes
  haline_options options = HALINE_OPTIONS_INIT;
  options.backend = best.c_str();
  ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, &options), HALINE_OK);
  EXPECT_TRUE(IsTargetOf(haline_last_target(), best));
  ASSERT_EQ(haline_set_backend(best.c_str()), HALINE_OK);
  ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK);
  EXPECT_TRUE(IsTargetOf(haline_last_target(), best));
  haline_set_backend(nullptr);
}

// Settings for channels-last tensors are theirs alone.
TEST_F(TuningTest, TellsTheLayoutsApart) {
  const std::string best = RunnableBackends().front(), other = RunnableBackends().back();
  const auto target = [](bool last) {
    OwnedTensor x({2, 16, 100}, 1.f), y({2, 16, 100}, 0.f);
    if (last) {
      for (OwnedTensor *t : {&x, &y}) t->set_strides({1600, 1, 16});
    }
    EXPECT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
    return std::string(haline_last_target());
  };
  for (const bool last : {false, true}) {
    Settings settings;
    settings.classes[0][0][RegimeOf(100, 4, 3200, last)].backend = Index(other);
    ASSERT_EQ(Use(Written(settings)), HALINE_OK) << haline_error_message();
    EXPECT_TRUE(IsTargetOf(target(last), other)) << last;
    EXPECT_TRUE(IsTargetOf(target(!last), best)) << last;
  }
}

// y and dx of shapes of every kind, by whatever settings.
TEST_F(TuningTest, NoSettingChangesABit) {
  const std::vector<Shape> shapes = {{5, 70, 5},    {3, 40, 100},   {2, 9, 3000}, {1, 1100, 1025},
                                     {4, 64, 1024}, {1, 3, 300001}, {3, 16, 6000}};
  std::mt19937_64 random(3);
  const auto run = [&] {
    std::vector<std::vector<float>> results;
    for (const Shape &shape : shapes) {
      OwnedTensor x(shape, 0.f), y(shape, 0.f), dx(shape, 0.f);
      x.values = Normals(Count(shape), 7, 1, 2);
      x.t.data = x.values.data();
      if (shape[1] % 16 == 0) {  // channels-last
        for (OwnedTensor *t : {&x, &y, &dx}) t->set_strides({shape[1] * shape[2], 1, shape[1]});
      }
      OwnedTensor mean({shape[0], shape[1]}, 0.f), rstd({shape[0], shape[1]}, 0.f);
      haline_options options = HALINE_OPTIONS_INIT;
      options.mean = &mean.t;
      options.rstd = &rstd.t;
      EXPECT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, &options), HALINE_OK) << haline_error_message();
      EXPECT_EQ(haline_instance_norm_backward(&x.t, &y.t, nullptr, nullptr, &mean.t, &rstd.t, &dx.t, nullptr, nullptr,
                                              nullptr),
                HALINE_OK)
          << haline_error_message();
      results.insert(results.end(), {y.values, mean.values, rstd.values, dx.values});
    }
    return results;
  };
  const auto wanted = run();
  for (int i = 0; i < 12; i++) {
    const Settings settings = Random(&random);
    ASSERT_EQ(Use(Written(settings)), HALINE_OK) << haline_error_message();
    ASSERT_EQ(haline_set_num_threads(1 + i % 4), HALINE_OK);
    EXPECT_TRUE(run() == wanted) << Written(settings);
  }
  haline_set_num_threads(0);
}

TEST_F(TuningTest, MayChangeWhileCallsRun) {
  std::mt19937_64 random(4);
  const Case c{"normal", {2, 40, 1000}, Normals(int64_t{2} * 40 * 1000, 9)};
  const std::vector<float> wanted = test::Run(c, RunnableBackends().front());
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    while (!stop) {
      EXPECT_EQ(Use(Written(Random(&random))), HALINE_OK);
      EXPECT_NE(std::string(haline_current_tuning()), "");
    }
  });
  OwnedTensor x(c.shape, 0.f);
  x.values = c.x;
  x.t.data = x.values.data();
  for (int i = 0; i < 100; i++) {
    OwnedTensor y(c.shape, 0.f);
    ASSERT_EQ(haline_instance_norm(&x.t, nullptr, nullptr, &y.t, nullptr), HALINE_OK) << haline_error_message();
    EXPECT_EQ(y.values, wanted);
  }
  stop = true;
  changer.join();
}

}  // namespace
}  // namespace haline::test

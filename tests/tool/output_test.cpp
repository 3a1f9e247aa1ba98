// An output file appears whole or not at all, whatever happens; and it appears as a file of its user's.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tool/child.h"
#include "tool/npy.h"

namespace haline::test {
namespace {

namespace fs = std::filesystem;

class OutputTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    WriteFile(Path("x.npy"), file_);
  }

  mode_t Mode(const std::string &name) const {
    struct stat info = {};
    stat(Path(name).c_str(), &info);
    return info.st_mode & 07777;
  }

  const std::string file_ = Npy({1, 2, 2}, {1, 2, 3, 5});
  const std::string y_ = Npy({1, 2, 2}, Normalized({1, 2, 2}, {1, 2, 3, 5}));
};

TEST_F(OutputTest, PlacesThatCannotBeWrittenTo) {
  fs::create_directory(Path("folder.npy"));
  ExpectRefused({"normalize", "x.npy", "folder.npy"}, 1, "folder.npy: a folder found");
  ExpectRefused({"normalize", "x.npy", "absent/y.npy"}, 1, "absent/y.npy: no place to write found");
  ExpectRefused({"normalize", "x.npy", "x.npy/y.npy"}, 1, "x.npy/y.npy: no place to write found");
  ExpectRefused({"normalize", "x.npy", "/proc/y.npy"}, 1, "/proc/y.npy: no place to write found");
  ExpectRefused({"normalize", "x.npy", "/dev/full", "--format", "npy"}, 1, "/dev/full: no place to write found");
  ExpectRefused({"normalize", "x.npy", std::string(5000, 'y') + ".npy"}, 1, "no place to write found");
  if (geteuid() != 0) {  // root may write anywhere
    fs::create_directory(Path("locked"));
    fs::permissions(Path("locked"), fs::perms::owner_read | fs::perms::owner_exec);
    ExpectRefused({"normalize", "x.npy", "locked/y.npy"}, 1, "locked/y.npy: no place to write found");
    fs::permissions(Path("locked"), fs::perms::owner_all);
  }
}

TEST_F(OutputTest, AnOldFileIsReplacedWithItsModeAndThroughLinks) {
  WriteFile(Path("y.npy"), "old");
  fs::permissions(Path("y.npy"), fs::perms(0640));
  fs::create_symlink("y.npy", Path("link.npy"));
  EXPECT_EQ(Tool({"normalize", "x.npy", "link.npy"}).code, 0);
  EXPECT_TRUE(fs::is_symlink(Path("link.npy")));
  EXPECT_EQ(ReadFile(Path("y.npy")), y_);
  EXPECT_EQ(Mode("y.npy"), 0640u);
  EXPECT_EQ(Files(), (std::vector<std::string>{"link.npy", "x.npy", "y.npy"}));

  const mode_t before = umask(027);
  EXPECT_EQ(Tool({"normalize", "x.npy", "new.npy"}).code, 0);
  umask(before);
  EXPECT_EQ(Mode("new.npy"), 0640u);
}

TEST_F(OutputTest, AFailureLeavesAnOldFileAlone) {
  WriteFile(Path("y.npy"), "old");
  WriteFile(Path("short.npy"), file_.substr(0, file_.size() - 1));
  ExpectRefused({"normalize", "short.npy", "y.npy"}, 1, "short.npy: 15 bytes of data found, 16 wanted");
  EXPECT_EQ(ReadFile(Path("y.npy")), "old");
}

TEST_F(OutputTest, DevicesArePassedNotReplaced) {
  EXPECT_EQ(Tool({"normalize", "x.npy", "/dev/null", "--format", "npy"}).code, 0);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  const Outcome outcome = Tool({"normalize", "x.npy", "/dev/stdout", "--format", "npy"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

// The tool waits for input from a pipe that the test holds open, its temporary file being there already.
TEST_F(OutputTest, SignalsLeaveNothingBehind) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    SCOPED_TRACE(signal);
    WriteFile(Path("y.npy"), "old");
    fs::remove(Path("pipe"));
    ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
    const pid_t child = Start({"normalize", "pipe", "y.npy"});
    const int pipe = open(Path("pipe").c_str(), O_WRONLY);  // returns when the tool has opened it too
    ASSERT_EQ(write(pipe, file_.data(), 20), 20);
    const auto temporary = [this] {
      const std::vector<std::string> names = Files();
      return std::any_of(names.begin(), names.end(), [](const std::string &name) { return name[0] == '.'; });
    };
    for (int i = 0; i < 3000 && !temporary(); i++) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(temporary());
    kill(child, signal);
    const Outcome outcome = Wait(child);
    close(pipe);
    EXPECT_EQ(outcome.signal, signal) << outcome.code << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(Files(), (std::vector<std::string>{"pipe", "x.npy", "y.npy"}));
    EXPECT_EQ(ReadFile(Path("y.npy")), "old");
  }
}

}  // namespace
}  // namespace haline::test

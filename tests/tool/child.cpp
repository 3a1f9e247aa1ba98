// SPDX-License-Identifier: MIT
#include "tool/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

extern char **environ;

namespace haline::test {

namespace fs = std::filesystem;

namespace {

fs::path MakeFolder() {
  std::string path = (fs::temp_directory_path() / "haline-tool-XXXXXX").string();
  if (!mkdtemp(path.data())) throw std::runtime_error("no temporary folder");
  return path;
}

std::vector<char *> Pointers(const std::vector<std::string> &texts) {
  std::vector<char *> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string &text : texts) pointers.push_back(const_cast<char *>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

std::string ReadFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("can't read " + path.string());
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteFile(const fs::path &path, const std::string &bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error("can't write " + path.string());
}

void ToolTest::SetUp() {
  folder_ = MakeFolder();
  streams_ = MakeFolder();
}

void ToolTest::TearDown() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  fs::remove_all(streams_, ignored);
}

std::vector<std::string> ToolTest::Files() const {
  std::vector<std::string> names;
  for (const auto &entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

pid_t ToolTest::Start(const std::vector<std::string> &arguments, const std::string &in,
                      const std::vector<std::string> &environment) const {
  WriteFile(streams_ / "in", in);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, (streams_ / "in").c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, (streams_ / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, (streams_ / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addchdir_np(&actions, folder_.c_str());
  std::vector<std::string> argv = {"haline"}, envp = environment;
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  for (char **e = environ; *e; e++) {
    const std::string text(*e);
    if (text.rfind("HALINE_BACKEND=", 0) != 0 && text.rfind("HALINE_NUM_THREADS=", 0) != 0 &&
        text.rfind("HALINE_TUNING=", 0) != 0)
      envp.push_back(text);
  }
  pid_t child = -1;
  const int error = posix_spawn(&child, HALINE_TOOL, &actions, nullptr, Pointers(argv).data(), Pointers(envp).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error(std::string("can't start ") + HALINE_TOOL);
  return child;
}

Outcome ToolTest::Wait(pid_t child) const {
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::runtime_error("the child is lost");
  Outcome outcome;
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  outcome.out = ReadFile(streams_ / "out");
  outcome.err = ReadFile(streams_ / "err");
  return outcome;
}

Outcome ToolTest::Tool(const std::vector<std::string> &arguments, const std::string &in,
                       const std::vector<std::string> &environment) const {
  return Wait(Start(arguments, in, environment));
}

void ToolTest::ExpectRefused(const std::vector<std::string> &arguments, int code, const std::string &message,
                             const std::string &in) {
  const auto contents = [this] {
    std::map<std::string, std::string> all;
    for (const std::string &name : Files()) {
      all[name] = fs::is_regular_file(Path(name)) ? ReadFile(Path(name)) : "";
    }
    return all;
  };
  const auto before = contents();
  const Outcome outcome = Tool(arguments, in);
  EXPECT_EQ(outcome.code, code) << "signal " << outcome.signal << ", " << outcome.err;
  EXPECT_EQ(outcome.err.rfind("haline: ", 0), 0u) << outcome.err;
  EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
  const auto lines = std::count(outcome.err.begin(), outcome.err.end(), '\n');
  EXPECT_EQ(lines, code == 2 ? 2 : 1) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(contents() == before) << "files were made, changed or left";
}

}  // namespace haline::test

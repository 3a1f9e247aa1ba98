// SPDX-License-Identifier: MIT
#include "tools/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "tools/failure.h"

namespace haline::tool {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGXFSZ};

// What the signal handler removes.
char doomed[PATH_MAX];
std::atomic<bool> armed{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// Only calls that are safe in a handler. The signal comes again, with its usual effect, as soon as this returns.
void OnSignal(int signal) {
  if (armed.load(std::memory_order_acquire)) unlink(doomed);
  (void)std::signal(signal, SIG_DFL);
  (void)raise(signal);
}

sigset_t SignalSet() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kSignals) sigaddset(&set, signal);
  return set;
}

void CatchSignals() {
  for (const int signal : kSignals) {
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;  // nohup: stays ignored
    action.sa_handler = OnSignal;
    action.sa_mask = SignalSet();
    sigaction(signal, &action, nullptr);
  }
}

[[noreturn]] void FailToWrite(const std::string &name, int error) {
  throw Failure(name + ": no place to write found (" + std::generic_category().message(error) +
                "), a writable file or folder wanted");
}

// Makes a file from a mkstemp template and arms the handler, with no signal in between. -1 and errno on failure.
int MakeTemporary(std::string *path) {
  if (path->size() >= sizeof(doomed)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  CatchSignals();
  const sigset_t set = SignalSet();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &set, &before);
  const int file = mkostemp(path->data(), O_CLOEXEC);
  const int error = errno;
  if (file >= 0) {
    std::memcpy(doomed, path->c_str(), path->size() + 1);
    armed.store(true, std::memory_order_release);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return file;
}

}  // namespace

OutputFile::OutputFile(const std::string &path) : name_(path == "-" ? "standard output" : path) {
  if (path == "-") {
    file_ = STDOUT_FILENO;
    return;
  }
  target_ = path;
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) throw Failure(name_ + ": a folder found, a file to write wanted");
  if (exists && !S_ISREG(info.st_mode)) {
    file_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file_ < 0) FailToWrite(name_, errno);
    return;
  }
  if (exists) {
    if (access(path.c_str(), W_OK) != 0) FailToWrite(name_, errno);  // a rename would not ask
    std::error_code error;
    target_ = std::filesystem::canonical(path, error).string();
    if (error) FailToWrite(name_, error.value());
  }
  const std::filesystem::path target(target_);
  const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
  temporary_ = (folder / ".haline-XXXXXX").string();
  file_ = MakeTemporary(&temporary_);
  if (file_ < 0) {
    const int error = errno;
    temporary_.clear();
    FailToWrite(name_, error);
  }
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(file_, exists ? info.st_mode & 07777 : 0666 & ~mask);  // mkostemp's is 0600
}

OutputFile::~OutputFile() {
  if (file_ >= 0 && file_ != STDOUT_FILENO) close(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
  armed.store(false, std::memory_order_release);
}

void OutputFile::Write(const void *from, size_t count) {
  const auto *at = static_cast<const char *>(from);
  while (count > 0) {
    const ssize_t n = write(file_, at, count);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) FailToWrite(name_, errno);
    at += n;
    count -= static_cast<size_t>(n);
  }
}

void OutputFile::Commit() {
  if (file_ == STDOUT_FILENO) return;
  const int closed = close(file_);
  file_ = -1;
  if (closed != 0) FailToWrite(name_, errno);
  if (temporary_.empty()) return;
  if (rename(temporary_.c_str(), target_.c_str()) != 0) FailToWrite(name_, errno);
  temporary_.clear();
}

}  // namespace haline::tool

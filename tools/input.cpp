// SPDX-License-Identifier: MIT
#include "tools/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "tools/failure.h"

namespace haline::tool {
namespace {

[[noreturn]] void FailToRead(const std::string &name) {
  throw Failure(name + ": nothing readable found (" + std::generic_category().message(errno) + "), a file wanted");
}

}  // namespace

Input::Input(const std::string &path)
    : name_(path == "-" ? "standard input" : path), file_(path == "-" ? STDIN_FILENO : -1) {
  if (file_ < 0) file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) FailToRead(name_);
}

Input::~Input() {
  if (file_ != STDIN_FILENO) close(file_);
}

size_t Input::ReadFile(uint8_t *to, size_t count) {
  size_t got = 0;
  while (got < count) {
    const ssize_t n = read(file_, to + got, count - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) FailToRead(name_);
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  return got;
}

size_t Input::Read(void *to, size_t count) {
  const size_t ready = std::min(count, peeked_.size());
  std::copy_n(peeked_.begin(), ready, static_cast<uint8_t *>(to));
  peeked_.erase(peeked_.begin(), peeked_.begin() + static_cast<ptrdiff_t>(ready));
  return ready + ReadFile(static_cast<uint8_t *>(to) + ready, count - ready);
}

const Bytes &Input::Peek(size_t count) {
  const size_t ready = peeked_.size();
  if (ready < count) {
    peeked_.resize(count);
    peeked_.resize(ready + ReadFile(peeked_.data() + ready, count - ready));
  }
  return peeked_;
}

Bytes Input::Rest() {
  Bytes bytes;
  size_t got = 0;
  do {
    bytes.resize(got + std::max(Expected() + 1, got + 65536));
    got += Read(bytes.data() + got, bytes.size() - got);
  } while (got == bytes.size());
  bytes.resize(got);
  return bytes;
}

size_t Input::Expected() const {
  struct stat info;
  if (fstat(file_, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  const off_t at = lseek(file_, 0, SEEK_CUR);
  const auto left = at < 0 || at > info.st_size ? 0 : static_cast<size_t>(info.st_size - at);
  return left + peeked_.size();
}

}  // namespace haline::tool

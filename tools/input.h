// A file or standard input, read once from the front.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_INPUT_H_
#define HALINE_TOOLS_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace haline::tool {

using Bytes = std::vector<uint8_t>;

class Input {
 public:
  explicit Input(const std::string &path);  // "-": standard input
  ~Input();
  Input(const Input &) = delete;
  Input &operator=(const Input &) = delete;

  const std::string &name() const { return name_; }

  // The next `count` bytes; fewer only where the input ends.
  size_t Read(void *to, size_t count);

  // The next bytes, which a later Read() gets again.
  const Bytes &Peek(size_t count);

  Bytes Rest();

  // Bytes that are still to come, as far as the file system knows; 0 where it does not (a pipe).
  size_t Expected() const;

 private:
  size_t ReadFile(uint8_t *to, size_t count);

  std::string name_;
  int file_;
  Bytes peeked_;
};

}  // namespace haline::tool

#endif  // HALINE_TOOLS_INPUT_H_

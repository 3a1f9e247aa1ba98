// A file that appears whole or not at all.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_OUTPUT_FILE_H_
#define HALINE_TOOLS_OUTPUT_FILE_H_

#include <cstddef>
#include <string>

namespace haline::tool {

// Writes to a temporary file in the folder of `path` and renames it in Commit(). Where Commit() is not reached, by an
// exception or by SIGINT, SIGTERM, SIGHUP or SIGXFSZ, the temporary file is removed and `path` is as it was. Symbolic
// links are followed. "-" is standard output; that, devices and pipes are written to as they are.
// One at a time, made before the process has other threads.
class OutputFile {
 public:
  explicit OutputFile(const std::string &path);
  ~OutputFile();
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  const std::string &name() const { return name_; }
  void Write(const void *from, size_t count);
  void Commit();

 private:
  std::string name_, target_, temporary_;
  int file_ = -1;
};

}  // namespace haline::tool

#endif  // HALINE_TOOLS_OUTPUT_FILE_H_

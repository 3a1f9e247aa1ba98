// Memory as the kernels take it, and what becomes of failures to get it.
#ifndef HALINE_RUNTIME_WINDOW_H_
#define HALINE_RUNTIME_WINDOW_H_

#include <atomic>
#include <cstdlib>
#include <memory>

#include "array.h"
#include "error.h"
#include "view.h"

namespace haline {

// The first failure of all tasks, brought back to the caller's thread.
class Outcome {
 public:
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  void Keep(haline_status status);  // whose message is in the calling thread
  haline_status Tell() const { return failed() ? Fail(status_, "%s", message_) : HALINE_OK; }

 private:
  std::atomic<bool> failed_{false};
  haline_status status_ = HALINE_OK;
  char message_[1024];  // of a failure
};

struct Free {
  void operator()(void *p) const { std::free(p); }
};
template <typename T>
using Memory = std::unique_ptr<T[], Free>;

// Elements [first, first + count) of the planes of a part, as the kernels take them: where they are, if their strides
// allow, or else in a copy.
class Window {
 public:
  enum Use { kRead, kWrite, kNone };

  Window(const Array &array, const Part &part, int64_t first, int64_t count, Use use, Outcome *outcome);

  View Elements() const { return Make(data_, first_, count_); }
  // As if the whole planes were there.
  View Planes() const { return Make(data_ - first_ * Size(array_.element), 0, part_.size); }
  // Call after writing.
  void Flush() const;

  // Whether kernels can take the array as it is.
  static bool Direct(const Array &array, const Part &part);

 private:
  View Make(const char *data, int64_t min, int64_t extent) const {
    return View(data, array_.element, {{extent, 1, min}, {part_.channels, row_}, {part_.batch, sample_}});
  }

  const Array array_;
  const Part part_;
  const int64_t first_, count_;
  int64_t row_, sample_;  // strides of a plane and of a sample
  char *data_ = nullptr;
  Memory<char> copy_;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_WINDOW_H_

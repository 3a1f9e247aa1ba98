// Memory as the kernels take it, and what becomes of failures to get it.
#ifndef HALINE_RUNTIME_WINDOW_H_
#define HALINE_RUNTIME_WINDOW_H_

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

#include "array.h"
#include "error.h"
#include "stream.h"
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

// Memory of windows that are done with, for those that follow: else the system would map and clear it for each. Safe to
// use from any thread.
class Spare {
 public:
  ~Spare();
  // At least `*bytes`, which tells how many there are then; null: there is none.
  Memory<char> Take(int64_t *bytes);
  void Give(Memory<char> memory, int64_t bytes);

 private:
  struct Block {  // at the beginning of each
    Block *next;
    int64_t bytes;
  };
  std::mutex mutex_;
  Block *first_ = nullptr;
};

// Planes that are copied lie an odd number of lines apart: by a power of two, they all would lie in few sets of L1.
constexpr int64_t CopiedRow(int64_t count, Element element) {
  const int64_t line = kLine / Size(element);
  return ((count + line - 1) / line | 1) * line;
}

// Elements [first, first + count) of the planes of a part, as the kernels take them: where they are, if their strides
// allow, or else in a copy.
class Window {
 public:
  enum Use { kRead, kWrite, kNone };

  Window(const Array &array, const Part &part, int64_t first, int64_t count, Use use, Spare *spare, Outcome *outcome);
  ~Window() {
    if (copy_) spare_->Give(std::move(copy_), copy_bytes_);
  }

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
  int64_t row_ = 0, sample_ = 0;  // strides of a plane and of a sample
  char *data_ = nullptr;
  Memory<char> copy_;
  int64_t copy_bytes_ = 0;
  Spare *const spare_;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_WINDOW_H_

#include "window.h"

#include <cstring>
#include <limits>
#include <new>

namespace haline {

void Outcome::Keep(haline_status status) {
  if (status == HALINE_OK || failed_.exchange(true)) return;
  status_ = status;
  std::strncpy(message_, ErrorMessage(), sizeof(message_) - 1);
  message_[sizeof(message_) - 1] = '\0';
}

Spare::~Spare() {
  while (first_) {
    Block *const next = first_->next;
    std::free(first_);
    first_ = next;
  }
}

Memory<char> Spare::Take(int64_t *bytes) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Block **at = &first_; *at; at = &(*at)->next) {
      if ((*at)->bytes < *bytes) continue;
      Block *const found = *at;
      *at = found->next;
      *bytes = found->bytes;
      return Memory<char>(reinterpret_cast<char *>(found));
    }
  }
  return Memory<char>(static_cast<char *>(std::malloc(*bytes)));
}

void Spare::Give(Memory<char> memory, int64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  first_ = new (memory.release()) Block{first_, bytes};
}

bool Window::Direct(const Array &array, const Part &part) {
  if (!array.data || !array.contiguous()) return false;  // null is no place to write, even for planes of one element
  // Halide's strides, and the distances that they add up to, are 32 bits wide.
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const int64_t channels = (part.channels - 1) * array.c_stride, batch = (part.batch - 1) * array.n_stride;
  return (part.channels == 1 || array.c_stride >= 0) && (part.batch == 1 || array.n_stride >= 0) && channels <= kMost &&
         batch <= kMost && part.size + channels + batch <= kMost;
}

Window::Window(const Array &array, const Part &part, int64_t first, int64_t count, Use use, Spare *spare,
               Outcome *outcome)
    : array_(array), part_(part), first_(first), count_(count), spare_(spare) {
  if (use == kNone) return;
  const int64_t size = Size(array.element);
  if (Direct(array, part)) {
    row_ = array.c_stride;
    sample_ = array.n_stride;
    data_ = array.plane(part.n, part.c) + first * size;
    return;
  }
  row_ = CopiedRow(count, array.element);
  sample_ = part.channels * row_;
  copy_bytes_ = part.planes() * row_ * size;
  copy_ = spare->Take(&copy_bytes_);
  if (!(data_ = copy_.get())) {
    outcome->Keep(Fail(HALINE_OUT_OF_MEMORY,
                       "out of memory: %lld bytes wanted to copy planes whose strides the "
                       "kernels don't take",
                       static_cast<long long>(copy_bytes_)));
  } else if (use == kRead) {
    Pack(array, part, first, count, data_, row_);
  }
}

void Window::Flush() const {
  if (copy_) Unpack(array_, part_, first_, count_, data_, row_);
}

}  // namespace haline

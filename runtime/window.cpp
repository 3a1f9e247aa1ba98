#include "window.h"

#include <cstring>
#include <limits>

namespace haline {

void Outcome::Keep(haline_status status) {
  if (status == HALINE_OK || failed_.exchange(true)) return;
  status_ = status;
  std::strncpy(message_, ErrorMessage(), sizeof(message_) - 1);
  message_[sizeof(message_) - 1] = '\0';
}

bool Window::Direct(const Array &array, const Part &part) {
  if (!array.data || !array.contiguous()) return false;  // null is no place to write, even for planes of one element
  // Halide's strides, and the distances that they add up to, are 32 bits wide.
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const int64_t channels = (part.channels - 1) * array.c_stride, batch = (part.batch - 1) * array.n_stride;
  return (part.channels == 1 || array.c_stride >= 0) && (part.batch == 1 || array.n_stride >= 0) && channels <= kMost &&
         batch <= kMost && part.size + channels + batch <= kMost;
}

Window::Window(const Array &array, const Part &part, int64_t first, int64_t count, Use use, Outcome *outcome)
    : array_(array), part_(part), first_(first), count_(count) {
  const int64_t size = Size(array.element);
  if (Direct(array, part)) {
    row_ = array.c_stride;
    sample_ = array.n_stride;
    data_ = array.plane(part.n, part.c) + first * size;
    return;
  }
  row_ = count;
  sample_ = part.channels * count;
  copy_.reset(static_cast<char *>(std::malloc(part.planes() * count * size)));
  if (!(data_ = copy_.get())) {
    outcome->Keep(Fail(HALINE_OUT_OF_MEMORY,
                       "out of memory: %lld bytes wanted to copy planes whose strides the "
                       "kernels don't take",
                       static_cast<long long>(part.planes() * count * size)));
  } else if (use == kRead) {
    Pack(array, part, first, count, data_, row_);
  }
}

void Window::Flush() const {
  if (copy_) Unpack(array_, part_, first_, count_, data_, row_);
}

}  // namespace haline

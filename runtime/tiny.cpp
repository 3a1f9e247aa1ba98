#include "tiny.h"

#include <cstring>

namespace haline {
namespace {

// Whether the planes lie where the kernels can take them.
bool Direct(const Array &array, const TinyPart &tiny) {
  const Part &part = tiny.part;
  if (!Window::Direct(array, part)) return false;
  if (tiny.list && part.batch > 1 && array.n_stride != part.channels * array.c_stride) return false;
  return part.size >= kLeast || array.c_stride == part.size;
}

}  // namespace

TinyArray::TinyArray(const Array &array, const TinyPart &tiny, Window::Use use, Outcome *outcome)
    : array_(array), tiny_(tiny), size_(tiny.part.size * Size(array.element)) {
  if (use == Window::kNone) return;
  const Part &part = tiny.part;
  direct_ = Direct(array, tiny);
  if (direct_) {
    row_ = array.c_stride;
    sample_ = array.n_stride;
    data_ = array.plane(part.n, part.c);
    if (use == Window::kRead && tiny.whole < tiny.columns) {
      const Part rest{part.n, 1, part.c + tiny.whole, tiny.columns - tiny.whole, part.size};
      Pack(array, rest, 0, part.size, rest_, part.size);
      std::memset(rest_ + rest.channels * size_, 0, (kGroup - rest.channels) * size_);
    }
    return;
  }
  row_ = part.size;
  sample_ = part.channels * part.size;
  const int64_t bytes = tiny.rows * tiny.padded * size_;
  copy_.reset(static_cast<char *>(std::malloc(bytes)));
  if (!(data_ = copy_.get())) {
    outcome->Keep(Fail(HALINE_OUT_OF_MEMORY,
                       "out of memory: %lld bytes wanted to copy planes whose strides the "
                       "kernels don't take",
                       static_cast<long long>(bytes)));
  } else if (use == Window::kRead) {
    Pack(array, part, 0, part.size, data_, row_);
    if (tiny.list) std::memset(data_ + tiny.columns * size_, 0, (tiny.padded - tiny.columns) * size_);
  }
}

View TinyArray::Elements(bool rest) const {
  const int64_t size = tiny_.part.size;
  if (rest) {
    return View(direct_ ? rest_ : data_ + tiny_.whole * size_, array_.element, {{size, 1}, {kGroup, size}, {1, 0}});
  }
  return View(data_, array_.element, {{size, 1}, {tiny_.whole, row_}, {tiny_.rows, sample_}});
}

void TinyArray::Flush() const {
  const Part &part = tiny_.part;
  if (!array_.data) return;
  if (copy_) {
    Unpack(array_, part, 0, part.size, data_, row_);
  } else if (tiny_.whole < tiny_.columns) {
    const Part rest{part.n, 1, part.c + tiny_.whole, tiny_.columns - tiny_.whole, part.size};
    Unpack(array_, rest, 0, part.size, rest_, part.size);
  }
}

TinyValues::TinyValues(const PerPlane &values, double otherwise, Element math, const TinyPart &tiny, Outcome *outcome)
    : tiny_(tiny), math_(math) {
  const Part &part = tiny.part;
  const bool plain = values && values.element == math && (values.c_stride == 1 || part.channels == 1);
  if (plain && !tiny.list && (part.batch == 1 || (values.n_stride >= 0 && values.n_stride < (1 << 20)))) {
    data_ = values.at(part.n, part.c);
    sample_ = values.n_stride;
    return;
  }
  // Samples without values of their own are written once, unless the kernels see all planes as one row.
  const int64_t batch = tiny.list || (values && values.n_stride != 0) ? part.batch : 1;
  char *to = reinterpret_cast<char *>(own_);
  const int64_t bytes = std::max(tiny.padded, batch * part.channels) * Size(math);
  if (bytes > static_cast<int64_t>(sizeof(own_))) {
    heap_.reset(to = static_cast<char *>(std::malloc(bytes)));
    if (!to) {
      outcome->Keep(Fail(HALINE_OUT_OF_MEMORY, "out of memory: %lld bytes wanted for numbers of the planes",
                         static_cast<long long>(bytes)));
      return;
    }
  }
  data_ = to;
  for (int64_t n = 0; n < batch; n++) {
    if (plain) {
      std::memcpy(to, values.at(part.n + n, part.c), part.channels * Size(math));
      to += part.channels * Size(math);
      continue;
    }
    for (int64_t c = 0; c < part.channels; c++, to += Size(math)) {
      haline::Write(math, to, values ? values.Get(part.n + n, part.c + c) : otherwise);
    }
  }
  if (tiny.list) std::memset(to, 0, (tiny.padded - tiny.columns) * Size(math));
  sample_ = batch == 1 ? 0 : part.channels;
}

View TinyValues::Columns(bool rest, Element as) const {
  return View(data_ + (rest ? tiny_.whole * Size(math_) : 0), as,
              {{rest ? kGroup : tiny_.whole, 1}, {tiny_.rows, sample_}});
}

}  // namespace haline

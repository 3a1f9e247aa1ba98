#include "array.h"

#include <algorithm>
#include <cstring>

namespace haline {
namespace {

// Where a plane's elements lie: an odometer over the loops, element by element along the innermost.
class Cursor {
 public:
  Cursor(const Array &array, int64_t s) : array_(array) {
    for (int i = 0; i < array.loop_count; i++) {
      index_[i] = s % array.loops[i].extent;
      s /= array.loops[i].extent;
      offset_ += index_[i] * array.loops[i].stride;
    }
  }

  int64_t offset() const { return offset_; }                           // in elements
  int64_t left() const { return array_.loops[0].extent - index_[0]; }  // of this row, with the current one

  void Advance(int64_t by) {  // by <= left()
    index_[0] += by;
    offset_ += by * array_.loops[0].stride;
    for (int i = 0; i + 1 < array_.loop_count && index_[i] == array_.loops[i].extent; i++) {
      offset_ += array_.loops[i + 1].stride - index_[i] * array_.loops[i].stride;
      index_[i] = 0;
      index_[i + 1]++;
    }
  }

 private:
  const Array &array_;
  int64_t index_[kMostLoops] = {};
  int64_t offset_ = 0;
};

// Calls copy(array element, packed element, run length, channel count) for runs that cover the window. Channels that
// lie beside each other are walked together, a tile at a time, so that each cache line is read once.
template <typename T, typename F>
void Walk(const Array &array, const Part &part, int64_t first, int64_t count, T *packed, int64_t row, const F &copy) {
  const bool across = array.c_stride == 1 && array.loops[0].stride != 1;
  constexpr int64_t kRun = 16;  // elements of a tile when walking across channels
  for (int64_t n = 0; n < part.batch; n++) {
    for (int64_t c = 0; c < part.channels; c += across ? part.channels : 1) {
      T *const base = reinterpret_cast<T *>(array.plane(part.n + n, part.c + c));
      T *const out = packed + (n * part.channels + c) * row;
      Cursor cursor(array, first);
      for (int64_t s = 0; s < count;) {
        const int64_t run = std::min({cursor.left(), count - s, across ? kRun : count});
        copy(base + cursor.offset(), out + s, run, across ? part.channels : 1);
        s += run;
        if (s < count) cursor.Advance(run);
      }
    }
  }
}

template <typename T>
void PackAs(const Array &array, const Part &part, int64_t first, int64_t count, char *to, int64_t row) {
  const int64_t stride = array.loops[0].stride;
  Walk(array, part, first, count, reinterpret_cast<T *>(to), row,
       [&](const T *from, T *out, int64_t run, int64_t channels) {
         if (stride == 1) {
           std::copy_n(from, run, out);
           return;
         }
         for (int64_t c = 0; c < channels; c++) {
           for (int64_t i = 0; i < run; i++) out[c * row + i] = from[i * stride + c];
         }
       });
}

template <typename T>
void UnpackAs(const Array &array, const Part &part, int64_t first, int64_t count, const char *from, int64_t row) {
  const int64_t stride = array.loops[0].stride;
  Walk(array, part, first, count, reinterpret_cast<T *>(const_cast<char *>(from)), row,
       [&](T *to, const T *in, int64_t run, int64_t channels) {
         if (stride == 1) {
           std::copy_n(in, run, to);
           return;
         }
         for (int64_t i = 0; i < run; i++) {
           for (int64_t c = 0; c < channels; c++) to[i * stride + c] = in[c * row + i];
         }
       });
}

// The planes' bytes, where each follows the other, packed as in the array and nothing beside them: one run; else 0.
int64_t Dense(const Array &array, const Part &part, int64_t first, int64_t count, int64_t row) {
  const bool dense = array.contiguous() && first == 0 && row == count &&
                     (part.channels == 1 || array.c_stride == row) &&
                     (part.batch == 1 || array.n_stride == part.channels * row);
  return dense ? part.planes() * row * Size(array.element) : 0;
}

}  // namespace

void Pack(const Array &array, const Part &part, int64_t first, int64_t count, char *to, int64_t row) {
  if (const int64_t bytes = Dense(array, part, first, count, row)) {
    std::memcpy(to, array.plane(part.n, part.c), bytes);
    return;
  }
  switch (Size(array.element)) {
    case 2:
      return PackAs<uint16_t>(array, part, first, count, to, row);
    case 4:
      return PackAs<uint32_t>(array, part, first, count, to, row);
    default:
      return PackAs<uint64_t>(array, part, first, count, to, row);
  }
}

void Unpack(const Array &array, const Part &part, int64_t first, int64_t count, const char *from, int64_t row) {
  if (const int64_t bytes = Dense(array, part, first, count, row)) {
    std::memcpy(array.plane(part.n, part.c), from, bytes);
    return;
  }
  switch (Size(array.element)) {
    case 2:
      return UnpackAs<uint16_t>(array, part, first, count, from, row);
    case 4:
      return UnpackAs<uint32_t>(array, part, first, count, from, row);
    default:
      return UnpackAs<uint64_t>(array, part, first, count, from, row);
  }
}

void FillRows(const Array &array, int64_t n, int64_t channels, int64_t valid, int64_t extent) {
  if (valid >= extent) return;
  const int64_t size = Size(array.element), stride = array.loops[0].stride;
  int64_t rows = 1;
  for (int i = 1; i < array.loop_count; i++) rows *= array.loops[i].extent;
  Array starts = array;  // the starts of the rows: all loops but the innermost
  for (int i = 1; i < array.loop_count; i++) starts.loops[i - 1] = array.loops[i];
  starts.loop_count = std::max(1, array.loop_count - 1);
  if (array.loop_count == 1) starts.loops[0] = Loop{};
  for (int64_t c = 0; c < channels; c++) {
    Cursor cursor(starts, 0);
    for (int64_t r = 0; r < rows; r++) {
      char *const row = array.plane(n, c) + cursor.offset() * size;
      for (int64_t i = valid; i < extent; i++) std::memset(row + i * stride * size, 0, size);
      if (r + 1 < rows) cursor.Advance(1);
    }
  }
}

// (Of the usual type, floats side by side, in vectors.)
void PerPlane::GetRow(int64_t n, int64_t c, int64_t channels, double *values) const {
  const char *const from = at(n, c);
  if (element == Element::kF32 && c_stride == 1) {
    for (int64_t i = 0; i < channels; i++) values[i] = Read(Element::kF32, from + i * Size(Element::kF32));
  } else {
    for (int64_t i = 0; i < channels; i++) values[i] = Get(n, c + i);
  }
}

void PerPlane::SetRow(int64_t n, int64_t c, int64_t channels, const double *values) const {
  char *const to = at(n, c);
  if (element == Element::kF32 && c_stride == 1) {
    for (int64_t i = 0; i < channels; i++) Write(Element::kF32, to + i * Size(Element::kF32), values[i]);
  } else {
    for (int64_t i = 0; i < channels; i++) Set(n, c + i, values[i]);
  }
}

}  // namespace haline

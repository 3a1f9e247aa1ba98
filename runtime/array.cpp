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

// to[c][r] = from[r][c], rows of `from_row` and `to_row` elements: squares of whole vectors, by as many rounds of
// interleaving halves as they have bits of an index, and the rest one by one.
template <typename T>
void Transpose(const T *from, int64_t from_row, int64_t rows, int64_t columns, T *to, int64_t to_row) {
  constexpr int kBytes = 16, kSide = kBytes / sizeof(T);
  using Vector [[gnu::vector_size(kBytes)]] = T;
  const int64_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  for (int64_t r = 0; r < whole_rows; r += kSide) {
    for (int64_t c = 0; c < whole_columns; c += kSide) {
      Vector v[kSide], w[kSide];
      for (int i = 0; i < kSide; i++) std::memcpy(&v[i], from + (r + i) * from_row + c, kBytes);
      for (int bit = 1; bit < kSide; bit *= 2) {
        for (int i = 0; i < kSide / 2; i++) {
          const Vector low = v[i], high = v[i + kSide / 2];
          if constexpr (kSide == 8) {
            w[2 * i] = __builtin_shufflevector(low, high, 0, 8, 1, 9, 2, 10, 3, 11);
            w[2 * i + 1] = __builtin_shufflevector(low, high, 4, 12, 5, 13, 6, 14, 7, 15);
          } else if constexpr (kSide == 4) {
            w[2 * i] = __builtin_shufflevector(low, high, 0, 4, 1, 5);
            w[2 * i + 1] = __builtin_shufflevector(low, high, 2, 6, 3, 7);
          } else {
            w[2 * i] = __builtin_shufflevector(low, high, 0, 2);
            w[2 * i + 1] = __builtin_shufflevector(low, high, 1, 3);
          }
        }
        std::copy_n(w, kSide, v);
      }
      for (int i = 0; i < kSide; i++) std::memcpy(to + (c + i) * to_row + r, &v[i], kBytes);
    }
  }
  const auto one_by_one = [=](int64_t r, int64_t first) {
    for (int64_t c = first; c < columns; c++) to[c * to_row + r] = from[r * from_row + c];
  };
  for (int64_t r = 0; r < whole_rows; r++) one_by_one(r, whole_columns);
  for (int64_t r = whole_rows; r < rows; r++) one_by_one(r, 0);
}

// std::copy_n without its call where that takes longer than the copy.
template <typename T>
void CopyRow(const T *from, int64_t count, T *to) {
  constexpr int64_t kPiece = 16 / sizeof(T), kMostPieces = 8;
  if (count < kPiece) {
    for (int64_t i = 0; i < count; i++) to[i] = from[i];
  } else if (count <= kMostPieces * kPiece) {
    for (int64_t i = 0; i + kPiece < count; i += kPiece) std::memcpy(to + i, from + i, sizeof(T) * kPiece);
    std::memcpy(to + count - kPiece, from + count - kPiece, sizeof(T) * kPiece);
  } else {
    std::copy_n(from, count, to);
  }
}

// Elements of a plane that lie one after the other along its innermost loop: `length` of them, from the `s`-th on,
// which lies at `offset`.
struct Run {
  int64_t s, offset, length;
};

// Calls f(runs, how many) for runs that cover elements [first, first + count), each of at most `most`: some runs at a
// time, for all planes. (To find out where they lie takes divisions.)
template <typename F>
void ForRuns(const Array &array, int64_t first, int64_t count, int64_t most, const F &f) {
  constexpr int kTogether = 64;
  Run runs[kTogether];
  Cursor cursor(array, first);
  for (int64_t s = first; s < first + count;) {
    int found = 0;
    while (found < kTogether && s < first + count) {
      const int64_t length = std::min({cursor.left(), first + count - s, most});
      runs[found++] = {s, cursor.offset(), length};
      s += length;
      if (s < first + count) cursor.Advance(length);
    }
    f(runs, found);
  }
}

// Calls copy(array element, packed element, run length, channel count) for runs that cover the window. Channels that
// lie beside each other are walked together, a tile at a time, so that each cache line is read once.
template <typename T, typename F>
void Walk(const Array &array, const Part &part, int64_t first, int64_t count, T *packed, int64_t row, const F &copy) {
  const bool across = array.across();
  constexpr int64_t kTile = 16;  // elements, when walking across channels
  ForRuns(array, first, count, across ? kTile : count, [&](const Run *runs, int found) {
    for (int64_t n = 0; n < part.batch; n++) {
      for (int64_t c = 0; c < part.channels; c += across ? part.channels : 1) {
        T *const base = reinterpret_cast<T *>(array.plane(part.n + n, part.c + c));
        T *const out = packed + (n * part.channels + c) * row - first;
        for (int i = 0; i < found; i++) {
          copy(base + runs[i].offset, out + runs[i].s, runs[i].length, across ? part.channels : 1);
        }
      }
    }
  });
}

template <typename T>
void PackAs(const Array &array, const Part &part, int64_t first, int64_t count, char *to, int64_t row) {
  const int64_t stride = array.loops[0].stride;
  Walk(array, part, first, count, reinterpret_cast<T *>(to), row,
       [&](const T *from, T *out, int64_t run, int64_t channels) {
         stride == 1 ? CopyRow(from, run, out) : Transpose(from, stride, run, channels, out, row);
       });
}

template <typename T>
void UnpackAs(const Array &array, const Part &part, int64_t first, int64_t count, const char *from, int64_t row) {
  const int64_t stride = array.loops[0].stride;
  Walk(array, part, first, count, reinterpret_cast<T *>(const_cast<char *>(from)), row,
       [&](T *to, const T *in, int64_t run, int64_t channels) {
         stride == 1 ? CopyRow(in, run, to) : Transpose(in, row, channels, run, to, stride);
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

// Calls copy(array element, packed element, bytes) for pieces that cover the part's planes.
template <typename F>
static void WalkLast(const Array &array, const Part &part, char *packed, const F &copy) {
  const int64_t pixel = part.channels * Size(array.element), step = array.loops[0].stride * Size(array.element);
  ForRuns(array, 0, part.size, part.size, [&](const Run *runs, int found) {
    for (int64_t n = 0; n < part.batch; n++) {
      for (int i = 0; i < found; i++) {
        char *const base = array.plane(part.n + n, part.c) + runs[i].offset * Size(array.element);
        char *const out = packed + (n * part.size + runs[i].s) * pixel;
        const int64_t pieces = step == pixel ? 1 : runs[i].length,
                      bytes = step == pixel ? runs[i].length * pixel : pixel;
        for (int64_t k = 0; k < pieces; k++) copy(base + k * step, out + k * pixel, bytes);
      }
    }
  });
}

void PackLast(const Array &array, const Part &part, char *to) {
  WalkLast(array, part, to, [](const char *from, char *out, int64_t bytes) { CopyRow(from, bytes, out); });
}

void UnpackLast(const Array &array, const Part &part, const char *from) {
  WalkLast(array, part, const_cast<char *>(from),
           [](char *to, const char *in, int64_t bytes) { CopyRow(in, bytes, to); });
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

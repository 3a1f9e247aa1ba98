// A tensor of N x C planes somewhere in memory, with any strides, and windows on it that the kernels can take.
#ifndef HALINE_RUNTIME_ARRAY_H_
#define HALINE_RUNTIME_ARRAY_H_

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "element.h"

namespace haline {

// Element s of a plane, 0 <= s < size, lies at the sum of its loops' indices times their strides; the first loop is the
// innermost, and together they count s.
struct Loop {
  int64_t extent = 1, stride = 0;
};
constexpr int kMostLoops = 4;

struct Array {
  char *data = nullptr;  // null: there is none
  Element element = Element::kF32;
  int64_t n_stride = 0, c_stride = 0;  // in elements, as all strides
  Loop loops[kMostLoops];
  int loop_count = 1;

  bool contiguous() const { return loop_count == 1 && (loops[0].stride == 1 || loops[0].extent == 1); }
  bool across() const { return c_stride == 1 && loops[0].stride != 1; }  // channels lie side by side, elements don't
  char *plane(int64_t n, int64_t c) const { return data + (n * n_stride + c * c_stride) * Size(element); }
  // Its planes without their first elements; contiguous.
  Array From(int64_t first) const {
    Array rest = *this;
    if (data) rest.data += first * Size(element);
    return rest;
  }
};

// Planes [c, c + channels) of the samples [n, n + batch), with `size` elements each.
struct Part {
  int64_t n, batch, c, channels, size;

  // Its n-th sample.
  Part Sample(int64_t nth) const { return {n + nth, 1, c, channels, size}; }
  // Rows of scratch memory are padded to whole vectors.
  static constexpr int64_t kPad = 8;
  Part Piece(int64_t elements) const { return {n, batch, c, channels, elements}; }  // of each plane
  int64_t padded() const { return (channels + kPad - 1) / kPad * kPad; }
  int64_t planes() const { return batch * channels; }
  bool SameSize(const Part &p) const { return size == p.size && channels == p.channels && batch == p.batch; }
};

// Copies elements [first, first + count) of the planes of `part` to `to`, a plane every `row` elements; and back.
void Pack(const Array &array, const Part &part, int64_t first, int64_t count, char *to, int64_t row);
void Unpack(const Array &array, const Part &part, int64_t first, int64_t count, const char *from, int64_t row);
// The same of whole planes to and from memory with channels side by side, as `array` has them, and nothing beside them.
void PackLast(const Array &array, const Part &part, char *to);
void UnpackLast(const Array &array, const Part &part, const char *from);

// Zeros for the elements of each row (the innermost loop) past the first `valid`, up to `extent`.
void FillRows(const Array &array, int64_t n, int64_t channels, int64_t valid, int64_t extent);

// A number for each plane: scale, shift, mean, rstd and the like. A missing stride is 0.
struct PerPlane {
  char *data = nullptr;
  Element element = Element::kF32;
  int64_t n_stride = 0, c_stride = 0;

  explicit operator bool() const { return data != nullptr; }
  char *at(int64_t n, int64_t c) const { return data + (n * n_stride + c * c_stride) * Size(element); }
  double Get(int64_t n, int64_t c) const { return Read(element, at(n, c)); }
  void Set(int64_t n, int64_t c, double value) const { Write(element, at(n, c), value); }
  // Whether any of them differs from sample to sample.
  static bool Varies(std::initializer_list<const PerPlane *> values) {
    return std::any_of(values.begin(), values.end(), [](const PerPlane *v) { return v->n_stride != 0; });
  }
  // Those of some channels, from the c-th on.
  void GetRow(int64_t n, int64_t c, int64_t channels, double *values) const;
  void SetRow(int64_t n, int64_t c, int64_t channels, const double *values) const;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_ARRAY_H_

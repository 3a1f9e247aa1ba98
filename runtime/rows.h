// Channels-last tensors of few channels, as rows: 16 elements of all planes, which lie side by side. Vectors along a
// row are full whatever the channels are; vectors across 3 channels would be nearly empty.
#ifndef HALINE_RUNTIME_ROWS_H_
#define HALINE_RUNTIME_ROWS_H_

#include <initializer_list>

#include "plan.h"
#include "view.h"

namespace haline {

// Whether the part's elements in the arrays are such rows. (Absent arrays don't matter.)
bool AreRows(const Part &part, std::initializer_list<const Array *> arrays);
// The same, and vectors across channels would not be full.
bool WantRows(const Part &part, std::initializer_list<const Array *> arrays);

// The numbers of a part's planes, those of a sample as often as it has elements in a row.
class RowNumbers {
 public:
  // `which` numbers of each plane: a sample's are `which` rows of `row`, every `sample`.
  RowNumbers(const double *numbers, const Part &part, int64_t which, int64_t row, int64_t sample);

  // Those of the n-th sample's first `width` places of a row: as (c, which, n), or, where it is one number, (c, n).
  View Columns(int64_t n, int64_t width) const { return View(at(n), {{width, 1}, {which_, row_}, {1, 0}}); }
  View Numbers(int64_t n, int64_t width) const { return View(at(n), {{width, 1}, {1, 0}}); }

 private:
  const double *at(int64_t n) const { return data_ + n * which_ * row_; }

  const int64_t which_, row_;
  double data_[3 * kSlots];
};

// Elements [first, first + count) of sample n in rows: whole ones, each of `width` places, or some places of one.
class Rows {
 public:
  Rows(const Part &p, int64_t n, int64_t first, int64_t count, int64_t width)
      : n(n), width(width), part(p), first(first), count(count) {}

  View Of(const Array &array) const { return At(array.plane(part.n + n, part.c), first, array.element); }
  // Of results that go to where `to` begins with element `origin` of the part's first sample.
  View To(const Array &to, int64_t origin) const { return At(to.plane(n, 0), first - origin, to.element); }
  // For the kernels that sum, of `count` elements: (s, c, n), where c is within the row that starts at element s.
  View Summed(const Array &array) const {
    return View(array.plane(part.n + n, part.c), array.element, {{count, part.channels}, {width, 1}, {1, 0}});
  }

  // Whether these are whole ones, several.
  bool whole() const { return count > 1 && width == kLanes * part.channels; }

  const int64_t n, width;

 private:
  View At(const char *data, int64_t element, Element type) const {
    const int64_t row = kLanes * part.channels;
    return View(data + element * part.channels * Size(type), type, {{count, row}, {width, 1}, {1, 0}});
  }

  const Part &part;
  const int64_t first, count;
};

// Calls f(rows) for what makes up elements [first, first + count) of the part's samples.
template <typename F>
void ForRows(const Part &part, int64_t first, int64_t count, const F &f) {
  const int64_t whole = count / kLanes, rest = count % kLanes;
  for (int64_t n = 0; n < part.batch; n++) {
    if (whole > 0) f(Rows(part, n, first, whole, kLanes * part.channels));
    if (rest > 0) f(Rows(part, n, first + whole * kLanes, 1, rest * part.channels));
  }
}

}  // namespace haline

#endif  // HALINE_RUNTIME_ROWS_H_

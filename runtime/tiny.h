// Tiny planes as their kernels take them: whole groups of planes, with the elements of a plane beside each other. There
// are two kernels: one for planes of few elements that lie beside each other, one for four elements and more.
#ifndef HALINE_RUNTIME_TINY_H_
#define HALINE_RUNTIME_TINY_H_

#include "engine.h"

namespace haline {

// A part's planes as rows of `columns`: samples of channels, or, where the channels are no whole groups, one row of all
// planes. The kernels are called twice then: for the first `whole` of them, and for the rest in memory of its own.
struct TinyPart {
  explicit TinyPart(const Part &p)
      : part(p),
        list(p.channels % kGroup != 0),
        rows(list ? 1 : p.batch),
        columns(list ? p.planes() : p.channels),
        whole(columns / kGroup * kGroup),
        padded((columns + kGroup - 1) / kGroup * kGroup) {}

  // Where sample n's numbers `which` of `count` begin in memory that the kernels have filled.
  int64_t At(int64_t n, int which, int count) const {
    return list ? which * padded + n * part.channels : (n * count + which) * columns;
  }
  // Without `data` the kernels keep none of them: a stride of 0 tells them. (Without memory they would tell its bounds,
  // where they check their arguments, and do nothing else.)
  View Numbers(const double *data, int count, bool rest) const {
    static constexpr double kNone = 0;
    const int64_t row = data ? padded : 0;
    return View(data ? data + (rest ? whole : 0) : &kNone,
                {{rest ? kGroup : whole, 1}, {count, row}, {rows, count * row}});
  }

  const Part part;
  const bool list;
  const int64_t rows, columns, whole, padded;
};

// The elements of a part's planes: where they are, if the kernels can take them, or else in a copy.
class TinyArray {
 public:
  // An array without memory is one that nobody reads after the kernels have written it. kNone: it is not used at all.
  // (std::optional of it zeroes all 8 KiB first: 50 ns, a tenth of a small call.)
  TinyArray(const Array &array, const TinyPart &tiny, Window::Use use, Outcome *outcome);

  View Elements(bool rest) const;
  bool dense(bool rest) const { return rest || row_ == tiny_.part.size; }  // whether planes lie beside each other
  void Flush() const;                                                      // call after writing

 private:
  const Array array_;
  const TinyPart &tiny_;
  const int64_t size_;  // bytes of a plane
  int64_t row_ = 0, sample_ = 0;
  bool direct_ = false;
  char *data_ = nullptr;
  Memory<char> copy_;
  alignas(64) char rest_[kGroup * kTiny * sizeof(double)];
};

// scale or shift, say.
class TinyValues {
 public:
  TinyValues(const PerPlane &values, double otherwise, Element math, const TinyPart &tiny, Outcome *outcome);

  View Columns(bool rest) const { return Columns(rest, math_); }
  // For a kernel that takes them in one of two types, and does not look at the others.
  View Columns(bool rest, Element as) const;

 private:
  const TinyPart &tiny_;
  const Element math_;
  const char *data_ = nullptr;
  int64_t sample_ = 0;  // stride
  double own_[kSlots];
  Memory<char> heap_;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_TINY_H_

#include "rows.h"

#include <algorithm>

namespace haline {

bool AreRows(const Part &part, std::initializer_list<const Array *> arrays) {
  if (part.channels > kMostRowChannels || part.size < kLeastRows || part.batch * kLanes * part.channels > kSlots)
    return false;
  for (const Array *array : arrays) {
    if (array->data && (array->c_stride != 1 || array->loops[0].stride != part.channels)) return false;
  }
  return true;
}

bool WantRows(const Part &part, std::initializer_list<const Array *> arrays) {
  return part.channels % kVector != 0 && AreRows(part, arrays);
}

RowNumbers::RowNumbers(const double *numbers, const Part &part, int64_t which, int64_t row, int64_t sample)
    : which_(which), row_(kLanes * part.channels) {
  double *to = data_;
  for (int64_t n = 0; n < part.batch; n++) {
    for (int64_t i = 0; i < which; i++) {
      const double *const from = numbers + n * sample + i * row;
      for (int64_t u = 0; u < kLanes; u++) to = std::copy_n(from, part.channels, to);
    }
  }
}

}  // namespace haline

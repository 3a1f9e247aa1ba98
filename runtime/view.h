// A Halide buffer over memory that someone else owns.
#ifndef HALINE_RUNTIME_VIEW_H_
#define HALINE_RUNTIME_VIEW_H_

#include <HalideRuntime.h>

#include <cstdint>

#include "element.h"

namespace haline {

inline halide_type_t HalideType(Element e) {
  if (e == Element::kF64) return halide_type_t(halide_type_float, 64);
  if (e == Element::kF32) return halide_type_t(halide_type_float, 32);
  return halide_type_t(halide_type_uint, 16);  // 16-bit floats travel as bits
}

class View {
 public:
  struct Dim {
    int64_t extent, stride;
    int64_t min = 0;
  };

  // `data` is where the coordinates are all at their minimum.
  template <int kDims>
  View(const void *data, Element element, const Dim (&dims)[kDims]) {
    buffer_.host = static_cast<uint8_t *>(const_cast<void *>(data));
    buffer_.type = HalideType(element);
    buffer_.dimensions = kDims;
    buffer_.dim = dims_;
    for (int i = 0; i < kDims; i++) {
      const Dim &dim = dims[i];
      // The stride of a single element does not matter, and may not fit. (Unless it is the 1 that the kernels demand.)
      const int64_t stride = dim.extent > 1 || dim.stride == 1 ? dim.stride : i == 0 ? 1 : 0;
      dims_[i] = {static_cast<int32_t>(dim.min), static_cast<int32_t>(dim.extent), static_cast<int32_t>(stride), 0};
    }
  }
  template <int kDims>
  View(const double *data, const Dim (&dims)[kDims]) : View(data, Element::kF64, dims) {}

  View(const View &) = delete;
  View &operator=(const View &) = delete;

  operator halide_buffer_t *() { return &buffer_; }  // as the kernels take it

 private:
  halide_dimension_t dims_[4];
  halide_buffer_t buffer_ = {};
};

}  // namespace haline

#endif  // HALINE_RUNTIME_VIEW_H_

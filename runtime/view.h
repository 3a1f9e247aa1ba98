// A Halide buffer over memory that someone else owns.
#ifndef HALINE_RUNTIME_VIEW_H_
#define HALINE_RUNTIME_VIEW_H_

#include <HalideRuntime.h>

#include <cstdint>
#include <initializer_list>

namespace haline {

class View {
 public:
  struct Dim {
    int64_t extent, stride;
    int64_t min = 0;
  };

  // `data` is where the coordinates are all at their minimum.
  template <typename T>
  View(const T *data, std::initializer_list<Dim> dims) {
    buffer_.host = reinterpret_cast<uint8_t *>(const_cast<T *>(data));
    buffer_.type = halide_type_of<T>();
    buffer_.dimensions = static_cast<int32_t>(dims.size());
    buffer_.dim = dims_;
    int i = 0;
    for (const Dim &dim : dims) {
      // The stride of a single element does not matter, and may not fit.
      const int64_t stride = dim.extent == 1 && i > 0 ? 0 : dim.stride;
      dims_[i++] = {static_cast<int32_t>(dim.min), static_cast<int32_t>(dim.extent), static_cast<int32_t>(stride), 0};
    }
  }

  View(const View &) = delete;
  View &operator=(const View &) = delete;

  operator halide_buffer_t *() { return &buffer_; }  // as the kernels take it

 private:
  halide_dimension_t dims_[4];
  halide_buffer_t buffer_ = {};
};

}  // namespace haline

#endif  // HALINE_RUNTIME_VIEW_H_

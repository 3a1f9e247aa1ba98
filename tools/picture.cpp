// SPDX-License-Identifier: MIT
#include "tools/picture.h"

#include <algorithm>
#include <cmath>

#include "tools/failure.h"

namespace haline::tool {

namespace {

// The colours, as many of them as `colors`, one after the other or, `last`, together.
template <typename T>
Bytes Numbers(const Pixels &pixels, size_t colors, bool last) {
  const size_t plane = pixels.width * pixels.height, step = static_cast<size_t>(pixels.channels);
  const T most = static_cast<T>((1 << pixels.bits) - 1);
  Bytes numbers(colors * plane * sizeof(T));
  auto *to = reinterpret_cast<T *>(numbers.data());
  for (size_t c = 0; c < colors; c++) {
    for (size_t i = 0; i < plane; i++) {
      to[last ? i * colors + c : c * plane + i] = static_cast<T>(pixels.samples[i * step + c]) / most;
    }
  }
  return numbers;
}

}  // namespace

Data ToData(const Pixels &pixels, Dtype dtype, Layout layout) {
  const size_t plane = pixels.width * pixels.height, step = static_cast<size_t>(pixels.channels);
  const size_t colors = step >= 3 ? 3 : 1;
  const bool last = layout == Layout::kChannelsLast, wide = dtype == Dtype::kFloat64;
  const auto c = static_cast<int64_t>(colors), h = static_cast<int64_t>(pixels.height),
             w = static_cast<int64_t>(pixels.width);
  Data data;
  data.shape = last ? Shape{1, h, w, c} : Shape{1, c, h, w};
  data.dtype = dtype;
  data.bits = pixels.bits;
  data.numbers = wide ? Numbers<double>(pixels, colors, last) : Numbers<float>(pixels, colors, last);
  Convert(&data.numbers, wide ? Dtype::kFloat64 : Dtype::kFloat32, false, dtype);
  if (step > colors) {
    data.alpha.resize(plane);
    for (size_t i = 0; i < plane; i++) data.alpha[i] = pixels.samples[i * step + colors];
  }
  return data;
}

Pixels ToPixels(const Data &data, const ConstTensorView &y, bool full, const std::string &name) {
  const Shape &shape = y.shape(), &strides = y.strides();
  Pixels pixels;
  const size_t colors = static_cast<size_t>(shape[1]);
  const bool alpha = full && !data.alpha.empty();
  const size_t step = colors + (alpha ? 1 : 0);
  pixels.height = static_cast<size_t>(shape[2]);
  pixels.width = static_cast<size_t>(shape[3]);
  pixels.channels = static_cast<int>(step);
  pixels.bits = full && data.bits == 16 ? 16 : 8;
  const size_t plane = pixels.width * pixels.height;
  const float most = static_cast<float>((1 << pixels.bits) - 1);
  pixels.samples.resize(plane * step);
  const auto *values = static_cast<const float *>(y.data());
  for (int64_t c = 0; c < shape[1]; c++) {
    uint16_t *to = pixels.samples.data() + c;
    for (int64_t h = 0; h < shape[2]; h++) {
      for (int64_t w = 0; w < shape[3]; w++, to += step) {
        const float value = values[c * strides[1] + h * strides[2] + w * strides[3]];
        if (std::isnan(value)) {
          throw Failure(name + ": NaN in channel " + std::to_string(c) + " found, numbers wanted for a picture");
        }
        *to = static_cast<uint16_t>(std::lround(std::clamp(value, 0.f, 1.f) * most));
      }
    }
  }
  for (size_t i = 0; alpha && i < plane; i++) pixels.samples[i * step + colors] = data.alpha[i];
  return pixels;
}

}  // namespace haline::tool

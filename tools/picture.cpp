// SPDX-License-Identifier: MIT
#include "tools/picture.h"

#include <algorithm>
#include <cmath>

#include "tools/failure.h"

namespace haline::tool {

Data ToData(const Pixels &pixels) {
  const size_t plane = pixels.width * pixels.height, step = static_cast<size_t>(pixels.channels);
  const size_t colors = step >= 3 ? 3 : 1;
  const float most = static_cast<float>((1 << pixels.bits) - 1);
  Data data;
  data.shape = {1, static_cast<int64_t>(colors), static_cast<int64_t>(pixels.height),
                static_cast<int64_t>(pixels.width)};
  data.bits = pixels.bits;
  data.values.resize(colors * plane);
  for (size_t c = 0; c < colors; c++) {
    for (size_t i = 0; i < plane; i++)
      data.values[c * plane + i] = static_cast<float>(pixels.samples[i * step + c]) / most;
  }
  if (step > colors) {
    data.alpha.resize(plane);
    for (size_t i = 0; i < plane; i++) data.alpha[i] = pixels.samples[i * step + colors];
  }
  return data;
}

Pixels ToPixels(const Data &data, bool full, const std::string &name) {
  Pixels pixels;
  const size_t colors = static_cast<size_t>(data.shape[1]);
  const bool alpha = full && !data.alpha.empty();
  const size_t step = colors + (alpha ? 1 : 0);
  pixels.height = static_cast<size_t>(data.shape[2]);
  pixels.width = static_cast<size_t>(data.shape[3]);
  pixels.channels = static_cast<int>(step);
  pixels.bits = full && data.bits == 16 ? 16 : 8;
  const size_t plane = pixels.width * pixels.height;
  const float most = static_cast<float>((1 << pixels.bits) - 1);
  pixels.samples.resize(plane * step);
  for (size_t c = 0; c < colors; c++) {
    for (size_t i = 0; i < plane; i++) {
      const float y = data.values[c * plane + i];
      if (std::isnan(y)) {
        throw Failure(name + ": NaN in channel " + std::to_string(c) + " found, numbers wanted for a picture");
      }
      pixels.samples[i * step + c] = static_cast<uint16_t>(std::lround(std::clamp(y, 0.f, 1.f) * most));
    }
  }
  for (size_t i = 0; alpha && i < plane; i++) pixels.samples[i * step + colors] = data.alpha[i];
  return pixels;
}

}  // namespace haline::tool

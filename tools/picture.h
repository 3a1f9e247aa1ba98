// Pictures: PNG and JPEG files to samples and back, samples to a tensor and back.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_PICTURE_H_
#define HALINE_TOOLS_PICTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/data.h"
#include "tools/input.h"

namespace haline::tool {

struct Pixels {
  size_t width = 0, height = 0;
  int channels = 0;               // gray, gray and alpha, RGB, RGB and alpha: 1 to 4
  int bits = 8;                   // of a sample, 8 or 16
  std::vector<uint16_t> samples;  // [height, width, channels]
};

// `name` is for messages. The libraries' errors come as Failure; they print nothing. Warnings that say that pixels are
// missing or wrong are errors, others are ignored.
Pixels DecodePng(const Bytes &file, const std::string &name);
Pixels DecodeJpeg(const Bytes &file, const std::string &name);
Bytes EncodePng(const Pixels &pixels, const std::string &name);
Bytes EncodeJpeg(const Pixels &pixels, const std::string &name);  // quality 95; 1 or 3 channels of 8 bits

// Samples are mapped to 0..1.
Data ToData(const Pixels &pixels, Dtype dtype, Layout layout);

// `y`, float32 [1, 1 or 3, H, W], rounded to the number of bits of the picture that `data` was, with its alpha behind
// the colours; `full` false: to 8 and without.
Pixels ToPixels(const Data &data, const ConstTensorView &y, bool full, const std::string &name);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_PICTURE_H_

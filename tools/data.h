// What the tool reads, normalises and writes: a tensor, and where it was a picture what is needed to make it one again.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_DATA_H_
#define HALINE_TOOLS_DATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "haline/haline.hpp"
#include "tools/input.h"

namespace haline::tool {

struct Data {
  Shape shape;
  std::vector<float> values;
  int bits = 0;                 // of a sample of the picture it was, 8 or 16; 0: it was none
  std::vector<uint16_t> alpha;  // [H, W], or empty
};

enum class Format { kNpy, kPng, kJpeg };

std::string ShapeText(const Shape &shape);  // "[1, 3, 512, 512]"

// The format is told by the content. The input must end where a tensor does; what follows a picture is ignored.
Data ReadData(Input &input);

// From a name ("png", "jpeg", "jpg", "npy"), or where it is empty from the extension of `path`.
Format ChooseFormat(const std::string &name, const std::string &path);

// Throws where `data` can't be written in this format: pictures want [1, 1 or 3, H, W].
void CheckFits(const Data &data, Format format, const std::string &out);

// The bytes of a picture file. Values are clamped to 0..1; NaN is refused.
Bytes EncodePicture(const Data &data, Format format, const std::string &out);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_DATA_H_

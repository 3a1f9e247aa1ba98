// What the tool reads, normalises and writes: an array, and where it was a picture what is needed to make it one again.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_DATA_H_
#define HALINE_TOOLS_DATA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "haline/haline.hpp"
#include "tools/dtype.h"
#include "tools/input.h"

namespace haline::tool {

struct Data {
  Shape shape;           // as the file has it
  bool fortran = false;  // the first dimension is the innermost, else the last
  Dtype dtype = Dtype::kFloat32;
  Bytes numbers;
  int bits = 0;                 // of a sample of the picture it was, 8 or 16; 0: it was none
  std::vector<uint16_t> alpha;  // [H, W], or empty
};

// What the dimensions of an array mean.
enum class Layout {
  kChannelsFirst,  // [N, C, *]
  kChannelsLast    // [N, *, C]
};

enum class Format { kNpy, kPng, kJpeg };

std::string ShapeText(const Shape &shape);  // "[1, 3, 512, 512]"

// Its numbers are of type `dtype`; nothing: of DefaultDtype()'s (pictures: float32). A picture gets the dimensions of
// `layout`. The format is told by the content. The input must end where an array does; what follows a picture is
// ignored.
Data ReadData(Input &input, std::optional<Dtype> dtype, Layout layout = Layout::kChannelsFirst);

// [N, C, *]: the dimensions that `layout` makes of the array's, of which there are two or more. No copy.
TensorView Planes(Data &data, Layout layout);

// From a name ("png", "jpeg", "jpg", "npy"), or where it is empty from the extension of `path`.
Format ChooseFormat(const std::string &name, const std::string &path);

// Throws where `data` can't be written in this format: pictures want [1, 1 or 3, H, W].
void CheckFits(Data &data, Layout layout, Format format, const std::string &out);

// The bytes of a picture file. Values are clamped to 0..1; NaN is refused.
Bytes EncodePicture(Data &data, Layout layout, Format format, const std::string &out);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_DATA_H_

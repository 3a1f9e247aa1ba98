// SPDX-License-Identifier: MIT
#include "tools/data.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <utility>

#include "tools/failure.h"
#include "tools/npy.h"
#include "tools/picture.h"

namespace haline::tool {
namespace {

constexpr uint8_t kNpyMagic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
constexpr uint8_t kPngMagic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr uint8_t kJpegMagic[] = {0xff, 0xd8, 0xff};

template <size_t n>
bool StartsWith(const Bytes &bytes, const uint8_t (&magic)[n]) {
  return bytes.size() >= n && std::equal(std::begin(magic), std::end(magic), bytes.begin());
}

}  // namespace

std::string ShapeText(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Data ReadData(Input &input, std::optional<Dtype> dtype, Layout layout) {
  const Bytes &start = input.Peek(8);
  if (start.empty()) throw Failure(input.name() + ": an empty file found, a PNG, JPEG or .npy file wanted");
  if (StartsWith(start, kNpyMagic)) return ReadNpy(input, dtype);
  const Dtype of_picture = dtype.value_or(Dtype::kFloat32);
  if (StartsWith(start, kPngMagic)) return ToData(DecodePng(input.Rest(), input.name()), of_picture, layout);
  if (StartsWith(start, kJpegMagic)) return ToData(DecodeJpeg(input.Rest(), input.name()), of_picture, layout);
  throw Failure(input.name() + ": other content found, a PNG, JPEG or .npy file wanted");
}

TensorView Planes(Data &data, Layout layout) {
  const size_t rank = data.shape.size();
  Shape strides(rank), order(rank);  // order: the innermost dimension first
  for (size_t i = 0; i < rank; i++) order[i] = static_cast<int64_t>(data.fortran ? i : rank - 1 - i);
  int64_t stride = 1;
  for (const int64_t i : order) {
    strides[i] = stride;
    if (!data.numbers.empty()) stride *= data.shape[i];  // what has no elements may have any extents
  }
  const auto move_channels = [&](Shape *dimensions) {
    if (layout == Layout::kChannelsLast) std::rotate(dimensions->begin() + 1, dimensions->end() - 1, dimensions->end());
  };
  Shape shape = data.shape;
  move_channels(&shape);
  move_channels(&strides);
  return {data.numbers.data(), HalineDtype(data.dtype), std::move(shape), std::move(strides)};
}

Format ChooseFormat(const std::string &name, const std::string &path) {
  std::string text = name;
  if (text.empty()) {
    text = std::filesystem::path(path).extension().string();
    if (!text.empty()) text.erase(0, 1);
  }
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text == "npy") return Format::kNpy;
  if (text == "png") return Format::kPng;
  if (text == "jpg" || text == "jpeg") return Format::kJpeg;
  if (!name.empty()) throw UsageError("--format: \"" + name + "\" found, png, jpeg or npy wanted");
  if (path == "-") throw UsageError("OUT: standard output without a format found, --format png, jpeg or npy wanted");
  throw UsageError(path + ": " + (text.empty() ? "no extension" : "extension ." + text) +
                   " found, .png, .jpg, .jpeg or .npy wanted (or --format)");
}

void CheckFits(Data &data, Layout layout, Format format, const std::string &out) {
  if (format == Format::kNpy) return;
  const Shape s = Planes(data, layout).shape();
  if (s.size() != 4 || s[0] != 1 || (s[1] != 1 && s[1] != 3) || s[2] < 1 || s[3] < 1) {
    throw Failure(out + ": shape " + ShapeText(data.shape) + " found, " +
                  (layout == Layout::kChannelsFirst ? "[1, 1 or 3, H, W]" : "[1, H, W, 1 or 3]") +
                  " wanted for a picture");
  }
  const auto opaque = [&](uint16_t a) { return a == (1 << data.bits) - 1; };
  if (format == Format::kJpeg && !std::all_of(data.alpha.begin(), data.alpha.end(), opaque)) {
    throw Failure(out + ": a picture with transparency found, one without wanted for JPEG (PNG keeps it)");
  }
}

Bytes EncodePicture(Data &data, Layout layout, Format format, const std::string &out) {
  const bool png = format == Format::kPng;
  Convert(&data.numbers, data.dtype, false, Dtype::kFloat32);  // what gets infinite is cut off anyway
  data.dtype = Dtype::kFloat32;
  const Pixels pixels = ToPixels(data, Planes(data, layout), png, out);
  return png ? EncodePng(pixels, out) : EncodeJpeg(pixels, out);
}

}  // namespace haline::tool

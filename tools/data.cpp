// SPDX-License-Identifier: MIT
#include "tools/data.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>

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

Data ReadData(Input &input) {
  const Bytes &start = input.Peek(8);
  if (start.empty()) throw Failure(input.name() + ": an empty file found, a PNG, JPEG or .npy file wanted");
  if (StartsWith(start, kNpyMagic)) return ReadNpy(input);
  if (StartsWith(start, kPngMagic)) return ToData(DecodePng(input.Rest(), input.name()));
  if (StartsWith(start, kJpegMagic)) return ToData(DecodeJpeg(input.Rest(), input.name()));
  throw Failure(input.name() + ": other content found, a PNG, JPEG or .npy file wanted");
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

void CheckFits(const Data &data, Format format, const std::string &out) {
  if (format == Format::kNpy) return;
  const Shape &s = data.shape;
  if (s.size() != 4 || s[0] != 1 || (s[1] != 1 && s[1] != 3) || s[2] < 1 || s[3] < 1) {
    throw Failure(out + ": shape " + ShapeText(s) + " found, [1, 1 or 3, H, W] wanted for a picture");
  }
  const auto opaque = [&](uint16_t a) { return a == (1 << data.bits) - 1; };
  if (format == Format::kJpeg && !std::all_of(data.alpha.begin(), data.alpha.end(), opaque)) {
    throw Failure(out + ": a picture with transparency found, one without wanted for JPEG (PNG keeps it)");
  }
}

Bytes EncodePicture(const Data &data, Format format, const std::string &out) {
  const bool png = format == Format::kPng;
  const Pixels pixels = ToPixels(data, png, out);
  return png ? EncodePng(pixels, out) : EncodeJpeg(pixels, out);
}

}  // namespace haline::tool

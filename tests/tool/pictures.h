// PNG and JPEG files for the tests, written and read straight through the libraries.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_TOOL_PICTURES_H_
#define HALINE_TESTS_TOOL_PICTURES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace haline::test {

struct Picture {
  int width = 0, height = 0;
  int type = 0;                   // PNG's: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGB and alpha
  int bits = 8;                   // 1 to 16
  std::vector<uint16_t> samples;  // as the file has them: palette indices for type 3

  // How it is written; not read back.
  std::vector<uint8_t> palette = {};        // RGB
  std::vector<uint8_t> palette_alpha = {};  // of the first entries
  int transparent = -1;                     // gray of type 0 that is transparent
  bool interlaced = false;

  int channels() const { return type == 2 ? 3 : type == 4 ? 2 : type == 6 ? 4 : 1; }
};

// Values that differ from sample to sample, all over the range.
Picture Pattern(int width, int height, int type, int bits, uint64_t seed = 1);

void WritePng(const std::filesystem::path &path, const Picture &picture);
Picture ReadPng(const std::filesystem::path &path);

// 1, 3 or 4 (CMYK) components of 8 bits; progressive or not.
void WriteJpeg(const std::filesystem::path &path, int width, int height, int components,
               const std::vector<uint16_t> &samples, bool progressive = false);
Picture ReadJpeg(const std::filesystem::path &path);  // of type 0 or 2

// [1, 1 or 3, H, W], of 0 to 1: the colours of a picture of type 0, 2, 4 or 6.
std::vector<float> Planes(const Picture &picture);

// What the tool's output should be: the picture with its colours normalised to `scale` and `shift`, of `bits`.
Picture Expected(const Picture &picture, int bits, float scale = 0.25f, float shift = 0.5f);

}  // namespace haline::test

#endif  // HALINE_TESTS_TOOL_PICTURES_H_

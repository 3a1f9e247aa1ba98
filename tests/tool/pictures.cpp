// SPDX-License-Identifier: MIT
#include "tool/pictures.h"

// In this order: jpeglib.h wants cstdio before it.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <png.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>

#include "support/random.h"
#include "tool/npy.h"

namespace haline::test {
namespace {

using File = std::unique_ptr<FILE, int (*)(FILE *)>;

File Open(const std::filesystem::path &path, const char *mode) {
  File file(std::fopen(path.c_str(), mode), std::fclose);
  if (!file) throw std::runtime_error("can't open " + path.string());
  return file;
}

}  // namespace

Picture Pattern(int width, int height, int type, int bits, uint64_t seed) {
  Picture p{width, height, type, bits, {}};
  Random random(seed);
  p.samples.resize(static_cast<size_t>(width) * height * p.channels());
  for (uint16_t &sample : p.samples) sample = static_cast<uint16_t>(random.Below(int64_t{1} << bits));
  return p;
}

void WritePng(const std::filesystem::path &path, const Picture &p) {
  const File file = Open(path, "wb");
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file.get());
  png_set_IHDR(png, info, p.width, p.height, p.bits, p.type, p.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!p.palette.empty()) {
    png_set_PLTE(png, info, reinterpret_cast<png_const_colorp>(p.palette.data()),
                 static_cast<int>(p.palette.size() / 3));
  }
  png_color_16 transparent = {};
  transparent.gray = static_cast<png_uint_16>(p.transparent);
  if (p.transparent >= 0) png_set_tRNS(png, info, nullptr, 0, &transparent);
  if (!p.palette_alpha.empty()) {
    png_set_tRNS(png, info, p.palette_alpha.data(), static_cast<int>(p.palette_alpha.size()), nullptr);
  }
  png_write_info(png, info);
  if (p.bits < 8) png_set_packing(png);
  const size_t row = static_cast<size_t>(p.width) * p.channels(), bytes = p.bits == 16 ? 2 : 1;
  std::vector<uint8_t> data;
  for (const uint16_t sample : p.samples) {
    if (bytes == 2) data.push_back(static_cast<uint8_t>(sample >> 8));
    data.push_back(static_cast<uint8_t>(sample & 255));
  }
  std::vector<png_bytep> rows(static_cast<size_t>(p.height));
  for (size_t y = 0; y < rows.size(); y++) rows[y] = data.data() + y * row * bytes;
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
}

Picture ReadPng(const std::filesystem::path &path) {
  const File file = Open(path, "rb");
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file.get());
  png_read_png(png, info, PNG_TRANSFORM_PACKING, nullptr);
  Picture p;
  p.width = static_cast<int>(png_get_image_width(png, info));
  p.height = static_cast<int>(png_get_image_height(png, info));
  p.type = png_get_color_type(png, info);
  p.bits = png_get_bit_depth(png, info);
  png_bytepp rows = png_get_rows(png, info);
  for (int y = 0; y < p.height; y++) {
    const size_t count = static_cast<size_t>(p.width) * p.channels();
    for (size_t i = 0; i < count; i++) {
      p.samples.push_back(p.bits == 16 ? static_cast<uint16_t>(rows[y][2 * i] << 8 | rows[y][2 * i + 1]) : rows[y][i]);
    }
  }
  png_destroy_read_struct(&png, &info, nullptr);
  return p;
}

void WriteJpeg(const std::filesystem::path &path, int width, int height, int components,
               const std::vector<uint16_t> &samples, bool progressive) {
  const File file = Open(path, "wb");
  jpeg_compress_struct jpeg = {};
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file.get());
  jpeg.image_width = width;
  jpeg.image_height = height;
  jpeg.input_components = components;
  jpeg.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg.optimize_coding = TRUE;  // a small file
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<JSAMPLE> data(samples.begin(), samples.end());
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row = data.data() + static_cast<size_t>(jpeg.next_scanline) * width * components;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
}

Picture ReadJpeg(const std::filesystem::path &path) {
  const File file = Open(path, "rb");
  jpeg_decompress_struct jpeg = {};
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_stdio_src(&jpeg, file.get());
  jpeg_read_header(&jpeg, TRUE);
  jpeg_start_decompress(&jpeg);
  Picture p;
  p.width = static_cast<int>(jpeg.output_width);
  p.height = static_cast<int>(jpeg.output_height);
  p.type = jpeg.output_components == 1 ? 0 : 2;
  std::vector<JSAMPLE> data(static_cast<size_t>(p.width) * jpeg.output_components);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = data.data();
    jpeg_read_scanlines(&jpeg, &row, 1);
    p.samples.insert(p.samples.end(), data.begin(), data.end());
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return p;
}

std::vector<float> Planes(const Picture &p) {
  const size_t plane = static_cast<size_t>(p.width) * p.height, step = p.channels(), colors = step < 3 ? 1 : 3;
  std::vector<float> values;
  for (size_t c = 0; c < colors; c++) {
    for (size_t i = 0; i < plane; i++) {
      values.push_back(static_cast<float>(p.samples[i * step + c]) / static_cast<float>((1 << p.bits) - 1));
    }
  }
  return values;
}

Picture Expected(const Picture &picture, int bits, float scale, float shift) {
  const int64_t step = picture.channels(), colors = step < 3 ? 1 : 3;
  const std::vector<float> y = Normalized({1, colors, picture.height, picture.width}, Planes(picture),
                                          std::vector<float>(colors, scale), std::vector<float>(colors, shift));
  Picture p = picture;
  p.bits = bits;
  const size_t plane = p.samples.size() / step;
  for (size_t i = 0; i < p.samples.size(); i++) {
    const size_t c = i % step;
    if (c >= static_cast<size_t>(colors)) continue;  // alpha
    const float v = std::min(1.f, std::max(0.f, y[c * plane + i / step]));
    p.samples[i] = static_cast<uint16_t>(std::lround(v * static_cast<float>((1 << bits) - 1)));
  }
  return p;
}

}  // namespace haline::test

// PNG through libpng. Its errors are long jumps: each function that calls setjmp holds nothing that has a destructor.
//
// SPDX-License-Identifier: MIT
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>

#include "tools/failure.h"
#include "tools/picture.h"

namespace haline::tool {
namespace {

// What libpng's callbacks see.
struct Png {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const uint8_t *at = nullptr, *end = nullptr;  // of the file to decode
  Bytes *file = nullptr;                        // that is encoded
  size_t raw_row = 0;                           // bytes of a row as the file has it
  char message[256] = "out of memory";
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  Png &p = *static_cast<Png *>(png_get_error_ptr(png));
  (void)std::snprintf(p.message, sizeof(p.message), "%s", message);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep to, size_t count) {
  Png &p = *static_cast<Png *>(png_get_io_ptr(png));
  if (count > static_cast<size_t>(p.end - p.at)) png_error(png, "the file ends early");
  std::copy_n(p.at, count, to);
  p.at += count;
}

void OnWrite(png_structp png, png_bytep from, size_t count) {
  Png &p = *static_cast<Png *>(png_get_io_ptr(png));
  bool enough = true;
  try {
    p.file->insert(p.file->end(), from, from + count);
  } catch (const std::exception &) {
    enough = false;  // no exception may pass through C
  }
  if (!enough) png_error(png, "out of memory");
}

// Up to the first row: gray, gray and alpha, RGB or RGBA of 8 or 16 bits is what rows will hold.
bool Begin(Png &p) {
  p.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &p, OnError, OnWarning);
  if (!p.png) return false;
  if (setjmp(png_jmpbuf(p.png))) return false;  // NOLINT(cert-err52-cpp): libpng's interface
  p.info = png_create_info_struct(p.png);
  if (!p.info) return false;
  png_set_read_fn(p.png, &p, OnRead);
  png_read_info(p.png, p.info);
  p.raw_row = png_get_rowbytes(p.png, p.info);
  png_set_expand(p.png);  // palettes, fewer than 8 bits, a transparent colour
  png_set_swap(p.png);    // 16 bits as this machine has them
  png_set_interlace_handling(p.png);
  png_read_update_info(p.png, p.info);
  return true;
}

bool ReadRows(Png &p, png_bytepp rows) {
  if (setjmp(png_jmpbuf(p.png))) return false;  // NOLINT(cert-err52-cpp): libpng's interface
  png_read_image(p.png, rows);
  png_read_end(p.png, nullptr);
  return true;
}

bool Write(Png &p, const Pixels &pixels, png_bytepp rows) {
  constexpr int kTypes[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                            PNG_COLOR_TYPE_RGB_ALPHA};
  p.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &p, OnError, OnWarning);
  if (!p.png) return false;
  if (setjmp(png_jmpbuf(p.png))) return false;  // NOLINT(cert-err52-cpp): libpng's interface
  p.info = png_create_info_struct(p.png);
  if (!p.info) return false;
  png_set_write_fn(p.png, &p, OnWrite, nullptr);
  png_set_IHDR(p.png, p.info, static_cast<png_uint_32>(pixels.width), static_cast<png_uint_32>(pixels.height),
               pixels.bits, kTypes[pixels.channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(p.png, p.info);
  png_set_swap(p.png);
  png_write_image(p.png, rows);
  png_write_end(p.png, p.info);
  return true;
}

std::vector<png_bytep> Rows(Bytes &buffer, size_t row_bytes) {
  std::vector<png_bytep> rows(buffer.size() / row_bytes);
  for (size_t i = 0; i < rows.size(); i++) rows[i] = buffer.data() + i * row_bytes;
  return rows;
}

struct Reader : Png {
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writer : Png {
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

}  // namespace

Pixels DecodePng(const Bytes &file, const std::string &name) {
  Reader p;
  p.at = file.data();
  p.end = p.at + file.size();
  const auto fail = [&](const std::string &why) {
    throw Failure(name + ": a PNG that can't be decoded found (" + why + "), a whole and sound one wanted");
  };
  if (!Begin(p)) fail(p.message);

  Pixels pixels;
  pixels.width = png_get_image_width(p.png, p.info);
  pixels.height = png_get_image_height(p.png, p.info);
  pixels.channels = png_get_channels(p.png, p.info);
  pixels.bits = png_get_bit_depth(p.png, p.info);
  const size_t row_bytes = png_get_rowbytes(p.png, p.info);
  if (p.raw_row * pixels.height > 1032 * file.size()) {  // the most that deflate makes of a byte
    fail(std::to_string(pixels.width) + " x " + std::to_string(pixels.height) + " pixels in " +
         std::to_string(file.size()) + " bytes");
  }
  Bytes buffer(row_bytes * pixels.height);
  std::vector<png_bytep> rows = Rows(buffer, row_bytes);
  if (!ReadRows(p, rows.data())) fail(p.message);

  pixels.samples.resize(pixels.width * pixels.height * static_cast<size_t>(pixels.channels));
  if (pixels.bits == 16) {
    std::copy(buffer.begin(), buffer.end(), reinterpret_cast<uint8_t *>(pixels.samples.data()));
  } else {
    std::copy(buffer.begin(), buffer.end(), pixels.samples.begin());
  }
  return pixels;
}

Bytes EncodePng(const Pixels &pixels, const std::string &name) {
  Bytes buffer;
  if (pixels.bits == 16) {
    const auto *first = reinterpret_cast<const uint8_t *>(pixels.samples.data());
    buffer.assign(first, first + pixels.samples.size() * 2);
  } else {
    buffer.assign(pixels.samples.begin(), pixels.samples.end());
  }
  std::vector<png_bytep> rows = Rows(buffer, buffer.size() / pixels.height);
  Bytes file;
  Writer p;
  p.file = &file;
  if (!Write(p, pixels, rows.data())) {
    throw Failure(name + ": a picture that can't be encoded as PNG found (" + p.message + "), another wanted");
  }
  return file;
}

}  // namespace haline::tool

// JPEG through libjpeg. Its errors are long jumps: each function that calls setjmp holds nothing that has a destructor.
//
// SPDX-License-Identifier: MIT
// In this order: jpeglib.h wants cstdio before it, jerror.h wants jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <cstdlib>

#include "tools/failure.h"
#include "tools/picture.h"

namespace haline::tool {
namespace {

struct Errors {
  jpeg_error_mgr base;  // first: libjpeg knows this member alone
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];

  void Attach(jpeg_common_struct *jpeg) {
    jpeg->err = jpeg_std_error(&base);
    base.error_exit = OnError;
    base.emit_message = OnMessage;
  }

  [[noreturn]] static void OnError(j_common_ptr jpeg) {
    auto *errors = reinterpret_cast<Errors *>(jpeg->err);
    errors->base.format_message(jpeg, errors->message);
    std::longjmp(errors->jump, 1);  // NOLINT(cert-err52-cpp): libjpeg's interface
  }

  static void OnMessage(j_common_ptr jpeg, int level) {
    if (level >= 0) return;  // a trace
    switch (jpeg->err->msg_code) {
      case JWRN_EXTRANEOUS_DATA:  // these lose no pixels
      case JWRN_JFIF_MAJOR:
      case JWRN_ADOBE_XFORM:
        return;
      default:
        OnError(jpeg);
    }
  }
};

struct Decoder {
  jpeg_decompress_struct jpeg = {};
  Errors errors;

  Decoder() { errors.Attach(reinterpret_cast<j_common_ptr>(&jpeg)); }
  ~Decoder() { jpeg_destroy_decompress(&jpeg); }

  bool Header(const Bytes &file) {
    if (setjmp(errors.jump)) return false;  // NOLINT(cert-err52-cpp): libjpeg's interface
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, file.data(), static_cast<unsigned long>(file.size()));  // NOLINT(google-runtime-int)
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = jpeg.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    return true;
  }

  bool Rows(JSAMPLE *row, uint16_t *samples) {
    if (setjmp(errors.jump)) return false;  // NOLINT(cert-err52-cpp): libjpeg's interface
    jpeg_start_decompress(&jpeg);
    const size_t count = static_cast<size_t>(jpeg.output_width) * static_cast<size_t>(jpeg.output_components);
    while (jpeg.output_scanline < jpeg.output_height) {
      uint16_t *to = samples + jpeg.output_scanline * count;
      jpeg_read_scanlines(&jpeg, &row, 1);
      for (size_t i = 0; i < count; i++) to[i] = row[i];
    }
    jpeg_finish_decompress(&jpeg);
    return true;
  }
};

struct Encoder {
  jpeg_compress_struct jpeg = {};
  Errors errors;
  unsigned char *file = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's type

  Encoder() { errors.Attach(reinterpret_cast<j_common_ptr>(&jpeg)); }
  ~Encoder() {
    jpeg_destroy_compress(&jpeg);
    std::free(file);
  }

  bool Run(const Pixels &pixels, JSAMPLE *row) {
    if (setjmp(errors.jump)) return false;  // NOLINT(cert-err52-cpp): libjpeg's interface
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &file, &size);
    jpeg.image_width = static_cast<JDIMENSION>(pixels.width);
    jpeg.image_height = static_cast<JDIMENSION>(pixels.height);
    jpeg.input_components = pixels.channels;
    jpeg.in_color_space = pixels.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 95, TRUE);
    for (int c = 0; c < jpeg.num_components; c++) {
      jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;  // colours as sharp as brightness
    }
    jpeg.optimize_coding = TRUE;
    jpeg_start_compress(&jpeg, TRUE);
    const size_t count = pixels.width * static_cast<size_t>(pixels.channels);
    while (jpeg.next_scanline < jpeg.image_height) {
      const uint16_t *from = pixels.samples.data() + jpeg.next_scanline * count;
      for (size_t i = 0; i < count; i++) row[i] = static_cast<JSAMPLE>(from[i]);
      jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    return true;
  }
};

}  // namespace

Pixels DecodeJpeg(const Bytes &file, const std::string &name) {
  Decoder decoder;
  const auto fail = [&](const std::string &why) {
    throw Failure(name + ": a JPEG that can't be decoded found (" + why + "), a whole and sound one wanted");
  };
  if (!decoder.Header(file)) fail(decoder.errors.message);
  const jpeg_decompress_struct &jpeg = decoder.jpeg;
  if (jpeg.num_components != 1 && jpeg.num_components != 3) {
    throw Failure(name + ": a JPEG of " + std::to_string(jpeg.num_components) +
                  " components (CMYK?) found, gray or three colours wanted");
  }
  Pixels pixels;
  pixels.width = jpeg.image_width;
  pixels.height = jpeg.image_height;
  pixels.channels = jpeg.num_components;
  // Huffman codes take a bit or more for a block of 8 x 8: at most 512 pixels a byte.
  if (!jpeg.arith_code && pixels.width * pixels.height > 512 * file.size() + 65536) {
    fail(std::to_string(pixels.width) + " x " + std::to_string(pixels.height) + " pixels in " +
         std::to_string(file.size()) + " bytes");
  }
  const size_t count = pixels.width * static_cast<size_t>(pixels.channels);
  std::vector<JSAMPLE> row(count);
  pixels.samples.resize(count * pixels.height);
  if (!decoder.Rows(row.data(), pixels.samples.data())) fail(decoder.errors.message);
  return pixels;
}

Bytes EncodeJpeg(const Pixels &pixels, const std::string &name) {
  Encoder encoder;
  std::vector<JSAMPLE> row(pixels.width * static_cast<size_t>(pixels.channels));
  if (!encoder.Run(pixels, row.data())) {
    throw Failure(name + ": a picture that can't be encoded as JPEG found (" + encoder.errors.message +
                  "), another wanted");
  }
  return {encoder.file, encoder.file + encoder.size};
}

}  // namespace haline::tool

// Real pictures, of HALINE_TEST_DATA: accuracy on what cameras see, and what instance norm is for: pictures that differ
// in contrast and brightness come out the same.
//
// SPDX-License-Identifier: MIT
#include <cmath>

#include "support/backends.h"
#include "support/files.h"
#include "support/random.h"

#ifdef HALINE_TEST_PNG
#include <png.h>
#endif

namespace haline::test {

const int kLeastCases = 0;  // the pictures may be absent; each test counts its own

namespace {

// [1, 3, height, width], 0 to 255; nothing where this build can't read pictures.
Array ReadPicture([[maybe_unused]] const std::string &path) {
  Array picture;
#ifdef HALINE_TEST_PNG
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&image, path.c_str())) throw std::runtime_error(path + ": " + image.message);
  image.format = PNG_FORMAT_RGB;
  std::vector<uint8_t> pixels(PNG_IMAGE_SIZE(image));
  if (!png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr)) {
    throw std::runtime_error(path + ": " + image.message);
  }
  const size_t size = size_t{image.width} * image.height;
  picture.shape = {1, 3, image.height, image.width};
  picture.values.resize(3 * size);
  for (size_t i = 0; i < 3 * size; i++) picture.values[i % 3 * size + i / 3] = pixels[i];
#endif
  return picture;
}

class PictureTest : public BackendTest {
 protected:
  // False, and the test is skipped, where the picture can't be had.
  bool Load(const std::string &name) {
    const std::optional<std::string> path = DataFile(name);
    if (path) picture_ = ReadPicture(*path);
    return !picture_.values.empty();
  }

  Case MakeCase(const std::string &name, float gain, float offset) {
    Case c{name, picture_.shape, picture_.values};
    for (float &v : c.x) v = v * gain + offset;
    return c;
  }

  void CheckPicture(const std::string &name) {
    Check(MakeCase(name, 1, 0));
    Check(MakeCase(name + " / 255", 1.f / 255, 0));
    Check(MakeCase(name + ", -1 to 1", 2.f / 255, -1));
    Case c = MakeCase(name + ", eps 0", 1, 0);
    c.eps = 0;
    const std::vector<float> y = Run(c);
    Case other = MakeCase(name + ", a sixteenth of the contrast, brighter", 1.f / 16, 192);  // exact in float
    other.eps = 0;
    const std::vector<float> z = Run(other);
    ASSERT_EQ(y.size(), z.size());
    ASSERT_FALSE(y.empty());
    for (size_t i = 0; i < y.size(); i++) {
      ASSERT_TRUE(std::fabs(y[i] - z[i]) <= 2 * oracle::kForward * std::max(1.f, std::fabs(y[i]))) << i;
    }
  }

  Array picture_;
};

#define HALINE_NEEDS(file) \
  if (!Load(file)) GTEST_SKIP() << (file) << " is not in HALINE_TEST_DATA, or this build has no libpng"

TEST_P(PictureTest, Astronaut) {
  HALINE_NEEDS("images/astronaut.png");
  CheckPicture("astronaut");
}

TEST_P(PictureTest, Coffee) {
  HALINE_NEEDS("images/coffee.png");
  CheckPicture("coffee");
}

TEST_P(PictureTest, Chelsea) {
  HALINE_NEEDS("images/chelsea.png");
  CheckPicture("chelsea");
}

TEST_P(PictureTest, Camera) {
  HALINE_NEEDS("images/camera.png");
  CheckPicture("camera");
}

TEST_P(PictureTest, SixteenBits) {
  HALINE_NEEDS("images/halide-rgb_small16.png");
  CheckPicture("rgb_small16");
}

// 1000 pictures of 32 x 32, one a row.
TEST_P(PictureTest, Cifar10) {
  HALINE_NEEDS("cifar10/cifar10_batch_0.png");
  ASSERT_EQ(picture_.shape, (Shape{1, 3, 1000, 1024}));
  Case c{"cifar10", {1000, 3, 32, 32}, std::vector<float>(picture_.values.size())};
  constexpr size_t kSize = 1024;
  for (size_t i = 0; i < c.x.size(); i++) {
    const size_t channel = i / kSize / 1000, row = i / kSize % 1000;
    c.x[(row * 3 + channel) * kSize + i % kSize] = picture_.values[i];
  }
  Check(c);
  c.data += " with parameters";
  c.scale = {1.25f, -0.5f, 3.f};
  c.shift = {0.1f, 5.f, -0.75f};
  Check(c);
}

// What a first layer makes of a picture: 16 random filters of 3 x 3, 800 x 800 (the picture repeated), no ReLU.
TEST_P(PictureTest, ActivationsOfAFirstLayer) {
  HALINE_NEEDS("images/astronaut.png");
  constexpr int64_t kSide = 800, kFilters = 16;
  const int64_t height = picture_.shape[2], width = picture_.shape[3];
  const std::vector<float> weights = Normals(kFilters * 27, 5, 0, 0.2f);
  Case c{"filtered astronaut", {1, kFilters, kSide, kSide}, std::vector<float>(kFilters * kSide * kSide)};
  for (int64_t i = 0; i < Count(c.shape); i++) {
    const int64_t f = i / kSide / kSide, row = i / kSide % kSide, column = i % kSide;
    float sum = 0;
    for (int64_t k = 0; k < 27; k++) {
      const int64_t at = (k / 9 * height + (row + k / 3 % 3) % height) * width + (column + k % 3) % width;
      sum += weights[static_cast<size_t>(f * 27 + k)] * picture_.values[static_cast<size_t>(at)];
    }
    c.x[static_cast<size_t>(i)] = sum;
  }
  Check(c, 5e-7);
}

HALINE_ON_EVERY_PROCESSOR(PictureTest);

}  // namespace
}  // namespace haline::test

// `haline normalize` on pictures: every kind of PNG, JPEG, to and from .npy, and photographs.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "support/files.h"
#include "tool/child.h"
#include "tool/npy.h"
#include "tool/pictures.h"

namespace haline::test {
namespace {

enum Type { kGray = 0, kRgb = 2, kPalette = 3, kGrayAlpha = 4, kRgba = 6 };

class PictureTest : public ToolTest {
 protected:
  Outcome Normalize(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "normalize");
    Outcome outcome = Tool(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out + outcome.err, "");
    return outcome;
  }

  void ExpectPng(const std::string &name, const Picture &wanted) const {
    const Picture found = ReadPng(Path(name));
    EXPECT_EQ(found.width, wanted.width);
    EXPECT_EQ(found.height, wanted.height);
    EXPECT_EQ(found.type, wanted.type);
    EXPECT_EQ(found.bits, wanted.bits);
    EXPECT_TRUE(found.samples == wanted.samples);
  }
};

TEST_F(PictureTest, EveryKindOfPngKeepsItsKind) {
  int cases = 0;
  for (const int type : {kGray, kRgb, kGrayAlpha, kRgba}) {
    for (const int bits : {8, 16}) {
      for (const bool interlaced : {false, true}) {
        SCOPED_TRACE(testing::Message() << "type " << type << ", " << bits << " bits, interlaced " << interlaced);
        Picture p = Pattern(23, 17, type, bits, 1 + cases);
        p.interlaced = interlaced;
        WritePng(Path("in.png"), p);
        Normalize({"in.png", "out.png"});
        ExpectPng("out.png", Expected(p, bits));
        cases++;
      }
    }
  }
  EXPECT_EQ(cases, 16);
}

TEST_F(PictureTest, FewBitsAndPalettesBecomeEightBits) {
  for (const int bits : {1, 2, 4}) {
    const Picture p = Pattern(19, 11, kGray, bits);
    WritePng(Path("in.png"), p);
    Normalize({"in.png", "out.png"});
    ExpectPng("out.png", Expected(p, 8));
  }
  for (const int bits : {1, 2, 4, 8}) {
    for (const bool alpha : {false, true}) {
      SCOPED_TRACE(testing::Message() << bits << " bits of palette, alpha " << alpha);
      Picture p = Pattern(19, 11, kPalette, bits);
      for (int i = 0; i < 3 << bits; i++) p.palette.push_back(static_cast<uint8_t>(i * 89 % 256));
      if (alpha) p.palette_alpha = {0, 128};
      WritePng(Path("in.png"), p);
      Normalize({"in.png", "out.png"});
      Picture colors{p.width, p.height, alpha ? kRgba : kRgb, 8, {}};
      for (const uint16_t index : p.samples) {
        for (int c = 0; c < 3; c++) colors.samples.push_back(p.palette[3 * index + c]);
        if (alpha) colors.samples.push_back(index < 2 ? p.palette_alpha[index] : 255);
      }
      ExpectPng("out.png", Expected(colors, 8));
    }
  }
}

TEST_F(PictureTest, ATransparentGrayBecomesAlpha) {
  Picture p = Pattern(16, 16, kGray, 8);
  p.transparent = p.samples[5];
  WritePng(Path("in.png"), p);
  Normalize({"in.png", "out.png"});
  Picture with_alpha{16, 16, kGrayAlpha, 8, {}};
  for (const uint16_t v : p.samples) {
    with_alpha.samples.push_back(v);
    with_alpha.samples.push_back(v == p.transparent ? 0 : 255);
  }
  ExpectPng("out.png", Expected(with_alpha, 8));
}

TEST_F(PictureTest, ScaleAndShiftAreTheRangeAndItIsCutOff) {
  const Picture p = Pattern(30, 20, kRgb, 8);
  WritePng(Path("in.png"), p);
  Normalize({"in.png", "out.png", "--scale", "1", "--shift", "0.25"});
  const Picture wanted = Expected(p, 8, 1, 0.25f);
  ExpectPng("out.png", wanted);
  EXPECT_EQ(*std::min_element(wanted.samples.begin(), wanted.samples.end()), 0);
  EXPECT_EQ(*std::max_element(wanted.samples.begin(), wanted.samples.end()), 255);
}

TEST_F(PictureTest, ReadsJpegAndWritesIt) {
  for (const int components : {1, 3}) {
    for (const bool progressive : {false, true}) {
      SCOPED_TRACE(testing::Message() << components << " components, progressive " << progressive);
      std::vector<uint16_t> smooth;
      for (int i = 0; i < 40 * 30; i++) {
        for (int c = 0; c < components; c++)
          smooth.push_back(static_cast<uint16_t>(60 + i % 40 * 2 + i / 40 * (c + 1)));
      }
      WriteJpeg(Path("in.jpg"), 40, 30, components, smooth, progressive);
      const Picture wanted = Expected(ReadJpeg(Path("in.jpg")), 8);
      Normalize({"in.jpg", "out.png"});
      ExpectPng("out.png", wanted);

      Normalize({"in.jpg", "out.JPEG"});
      const Picture found = ReadJpeg(Path("out.JPEG"));
      EXPECT_EQ(found.type, wanted.type);
      ASSERT_EQ(found.samples.size(), wanted.samples.size());
      int most = 0;
      for (size_t i = 0; i < found.samples.size(); i++) {
        most = std::max(most, std::abs(found.samples[i] - wanted.samples[i]));
      }
      EXPECT_LE(most, 6);
    }
  }
}

TEST_F(PictureTest, GoesToNpyAndComesFromIt) {
  for (const int type : {kGray, kRgb, kRgba}) {
    const Picture p = Pattern(13, 9, type, 8);
    const Shape shape = {1, type == kGray ? 1 : 3, 9, 13};
    WritePng(Path("in.png"), p);
    Normalize({"in.png", "out.npy"});
    EXPECT_EQ(ReadFile(Path("out.npy")), Npy(shape, Normalized(shape, Planes(p))));

    Picture colors = p;
    if (type == kRgba) {
      colors = {13, 9, kRgb, 8, {}};
      for (size_t i = 0; i < p.samples.size(); i++) {
        if (i % 4 != 3) colors.samples.push_back(p.samples[i]);
      }
    }
    WriteFile(Path("in.npy"), Npy(shape, Planes(p)));
    Normalize({"in.npy", "out.png"});
    ExpectPng("out.png", Expected(colors, 8));
  }
}

TEST_F(PictureTest, ChannelsLastGoesBothWays) {
  const Picture p = Pattern(13, 9, kRgb, 8);
  WritePng(Path("in.png"), p);
  Normalize({"in.png", "first.npy", "--dtype", "float64"});
  Normalize({"in.png", "last.npy", "--dtype", "float64", "--layout", "channels-last"});
  std::vector<double> first, last;
  for (int c = 0; c < 3; c++) {
    for (int i = 0; i < 117; i++) first.push_back(p.samples[3 * i + c] / 255.);
  }
  std::string y = NormalizedBytes("f8", {1, 3, 9, 13}, Elements(first, "f8"), {});
  EXPECT_TRUE(ReadFile(Path("first.npy")) == RawNpy(NpyDict({1, 3, 9, 13}, "<f8"), y));
  std::string turned;
  for (int i = 0; i < 117; i++) {
    for (int c = 0; c < 3; c++) turned += y.substr(8 * (c * 117 + i), 8);
  }
  EXPECT_TRUE(ReadFile(Path("last.npy")) == RawNpy(NpyDict({1, 9, 13, 3}, "<f8"), turned));

  // Bytes as a camera has them, in C order and Fortran's.
  std::string samples(p.samples.begin(), p.samples.end()), fortran;
  for (int c = 0; c < 3; c++) {
    for (int w = 0; w < 13; w++) {
      for (int h = 0; h < 9; h++) fortran += samples[3 * (13 * h + w) + c];
    }
  }
  WriteFile(Path("in.npy"), RawNpy(NpyDict({1, 9, 13, 3}, "|u1"), samples));
  Normalize({"in.npy", "c.png", "--layout", "channels-last"});
  WriteFile(Path("in.npy"), RawNpy(NpyDict({1, 9, 13, 3}, "|u1", true), fortran));
  Normalize({"in.npy", "fortran.png", "--layout", "channels-last"});
  Picture wanted = Pattern(13, 9, kRgb, 8);
  const std::vector<float> values = Normalized({1, 3, 9, 13},
                                               [&] {
                                                 std::vector<float> x = Planes(p);
                                                 for (float &v : x) v = std::round(v * 255);
                                                 return x;
                                               }(),
                                               {0.25f, 0.25f, 0.25f}, {0.5f, 0.5f, 0.5f});
  for (int i = 0; i < 351; i++) {
    wanted.samples[i] = static_cast<uint16_t>(std::lround(std::clamp(values[i % 3 * 117 + i / 3], 0.f, 1.f) * 255.f));
  }
  ExpectPng("c.png", wanted);
  ExpectPng("fortran.png", wanted);
  ExpectRefused({"normalize", "in.npy", "out.png"}, 1, "out.png: shape [1, 9, 13, 3] found, [1, 1 or 3, H, W] wanted");
  WriteFile(Path("in.npy"), RawNpy(NpyDict({1, 3, 9, 13}, "|u1"), samples));
  ExpectRefused({"normalize", "in.npy", "out.png", "--layout", "channels-last"}, 1,
                "out.png: shape [1, 3, 9, 13] found, [1, H, W, 1 or 3] wanted");
}

TEST_F(PictureTest, IsComputedInTheTypeThatIsAskedFor) {
  const Picture p = Pattern(13, 9, kGray, 16);
  WritePng(Path("in.png"), p);
  std::vector<std::vector<uint16_t>> results;
  for (const std::string dtype : {"bfloat16", "float16", "float32", "float64"}) {
    SCOPED_TRACE(dtype);
    Normalize({"in.png", "out.png", "--dtype", dtype});
    results.push_back(ReadPng(Path("out.png")).samples);
    const Picture exact = Expected(p, 16);
    int most = 0;
    for (size_t i = 0; i < exact.samples.size(); i++) {
      most = std::max(most, std::abs(exact.samples[i] - results.back()[i]));
    }
    // Half a unit in the last place of 1 or less, and of x: 8, 11, 24, 53 bits.
    EXPECT_LE(most, dtype == "bfloat16" ? 512 : dtype == "float16" ? 64 : 1);
  }
  // bfloat16 exactly: the library's, of numbers rounded to their upper half.
  std::vector<bfloat16> x;
  for (const float v : Planes(p)) {
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    x.push_back({static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)});
  }
  const TensorView view(x.data(), {1, 1, 9, 13});
  const float scale = 0.25f, shift = 0.5f;
  instance_norm(view, view, &scale, &shift);
  for (size_t i = 0; i < x.size(); i++) {
    const uint32_t bits = static_cast<uint32_t>(x[i].bits) << 16;
    float y;
    std::memcpy(&y, &bits, 4);
    EXPECT_EQ(results[0][i], std::lround(std::clamp(y, 0.f, 1.f) * 65535.f));
  }
  EXPECT_NE(results[0], results[1]);
  EXPECT_NE(results[1], results[2]);
}

TEST_F(PictureTest, TellsFormatsByContentAndTakesPipes) {
  const Picture p = Pattern(20, 10, kRgb, 8);
  WritePng(Path("picture.jpg"), p);
  Normalize({"picture.jpg", "out", "--format", "PNG"});
  ExpectPng("out", Expected(p, 8));
  const Outcome piped = Tool({"normalize", "-", "-", "--format", "png"}, ReadFile(Path("picture.jpg")));
  EXPECT_EQ(piped.code, 0) << piped.err;
  EXPECT_TRUE(piped.out == ReadFile(Path("out")));
}

TEST_F(PictureTest, OpaqueAlphaMayGoToJpeg) {
  Picture p = Pattern(16, 8, kRgba, 16);
  for (size_t i = 3; i < p.samples.size(); i += 4) p.samples[i] = 65535;
  WritePng(Path("in.png"), p);
  Normalize({"in.png", "out.jpg"});
  EXPECT_EQ(ReadJpeg(Path("out.jpg")).type, kRgb);
}

class PhotographTest : public PictureTest, public testing::WithParamInterface<const char *> {};

TEST_P(PhotographTest, IsNormalizedWhateverItsContrast) {
  const auto path = DataFile(std::string("images/") + GetParam() + ".png");
  if (!path) GTEST_SKIP() << "images/" << GetParam() << ".png is not in HALINE_TEST_DATA";
  Normalize({*path, Path("out.png")});
  const Picture original = ReadPng(*path);
  ExpectPng("out.png", Expected(original, original.bits));

  // Dull and bright, in 16 bits so that no steps are lost: the same picture comes out.
  Picture dull = original;
  dull.bits = 16;
  const double most = (1 << original.bits) - 1;
  for (uint16_t &v : dull.samples) v = static_cast<uint16_t>(std::lround((v / most * 0.5 + 0.3) * 65535));
  WritePng(Path("dull.png"), dull);
  Normalize({"dull.png", "dull-out.png"});
  const Picture a = Expected(original, 16), b = ReadPng(Path("dull-out.png"));
  ASSERT_EQ(a.samples.size(), b.samples.size());
  int difference = 0;
  for (size_t i = 0; i < a.samples.size(); i++) {
    difference = std::max(difference, std::abs(a.samples[i] - b.samples[i]));
  }
  EXPECT_LE(difference, 128) << "half a step of 8 bits";
}

INSTANTIATE_TEST_SUITE_P(Photographs, PhotographTest,
                         testing::Values("astronaut", "coffee", "chelsea", "camera", "halide-rgb_small16"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace haline::test

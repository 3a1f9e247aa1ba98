// Files that are not what they should be: exit code 1, a message that names the file, nothing written, no crash.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "support/random.h"
#include "tool/child.h"
#include "tool/npy.h"
#include "tool/pictures.h"

namespace haline::test {
namespace {

class BadInputTest : public ToolTest {
 protected:
  void ExpectBad(const std::string &bytes, const std::string &message, const std::string &out = "y.npy") {
    SCOPED_TRACE(message);
    WriteFile(Path("bad"), bytes);
    ExpectRefused({"normalize", "bad", out}, 1, "haline: bad: " + message);
  }

  // Each of a small PNG, JPEG and .npy file, once.
  std::vector<std::string> SmallFiles() const {
    std::vector<std::string> files = {Npy({1, 2, 3}, Normals(6, 1))};
    WritePng(Path("small.png"), Pattern(5, 4, 2, 8));
    files.push_back(ReadFile(Path("small.png")));
    for (const bool progressive : {false, true}) {
      WriteJpeg(Path("small.jpg"), 9, 9, 1, Pattern(9, 9, 0, 8).samples, progressive);
      files.push_back(ReadFile(Path("small.jpg")));
    }
    std::filesystem::remove(Path("small.png"));
    std::filesystem::remove(Path("small.jpg"));
    return files;
  }
};

TEST_F(BadInputTest, NoFileAtAll) {
  ExpectRefused({"normalize", "absent.png", "y.png"}, 1, "haline: absent.png: nothing readable found");
  ExpectRefused({"normalize", "", "y.png"}, 1, "nothing readable found");
  std::filesystem::create_directory(Path("folder"));
  ExpectRefused({"normalize", "folder", "y.png"}, 1, "haline: folder: nothing readable found");
  ExpectRefused({"normalize", "-", "y.png"}, 1, "haline: standard input: an empty file found");
  ExpectRefused({"bench", "absent.npy"}, 1, "haline: absent.npy: nothing readable found");
  WriteFile(Path("x.npy"), Npy({1, 1, 1}, {1}));
  ExpectRefused({"normalize", "x.npy", "y.npy", "--scale", "@absent.npy"}, 1, "absent.npy: nothing readable found");
}

TEST_F(BadInputTest, OtherContent) {
  ExpectBad("", "an empty file found");
  ExpectBad("a", "other content found");
  ExpectBad("Not a picture at all.\n", "other content found");
  ExpectBad("GIF89a and more", "other content found");
}

TEST_F(BadInputTest, OtherArrays) {
  const std::string data(256, '\0');
  const std::string f4 = "'descr': '<f4', ", c = "'fortran_order': False, ";
  const std::pair<const char *, const char *> dtypes[] = {{"<c8", " (complex)"},
                                                          {"<c16", " (complex)"},
                                                          {">c8", " (complex)"},
                                                          {"<f16", " (extended float)"},
                                                          {"|O", " (Python objects)"},
                                                          {"|S4", " (strings)"},
                                                          {"<U2", " (strings)"},
                                                          {"|V2", " (raw bytes)"},
                                                          {"<M8[ns]", " (dates)"},
                                                          {"<m8[s]", " (time differences)"},
                                                          {"<i3", ""},
                                                          {"<u16", ""},
                                                          {"|f4", ""},
                                                          {"|i4", ""},
                                                          {"f4", ""},
                                                          {"i", ""},
                                                          {"<", ""},
                                                          {"", ""},
                                                          {"float32", ""},
                                                          {"!f4", ""}};
  for (const auto &[descr, kind] : dtypes) {
    ExpectBad(RawNpy(NpyDict({2, 3}, descr), data),
              "dtype '" + std::string(descr) + "'" + kind + " found, bool, int8 to int64, uint8 to uint64, float16,");
  }
  ExpectBad(RawNpy("{'descr': [('a', '<f4')], " + c + "'shape': (2, 3)}", data), "a structured dtype found");
  ExpectBad(Npy({}, {1}), "shape [] found");
  ExpectBad(Npy({2}, {1, 2}), "shape [2] found");
  ExpectBad(RawNpy(NpyDict({1, 2}, ">i2"), data.substr(0, 5)), "more than the 4 bytes of shape [1, 2] found");
  ExpectBad(RawNpy(NpyDict({1, 2}, "<f8", true), data.substr(0, 15)), "15 bytes of data found, 16 wanted");
  ExpectBad(RawNpy(NpyDict({1, 2}), data.substr(0, 9)), "more than the 8 bytes of shape [1, 2] found");
  ExpectBad(RawNpy(NpyDict({1, 2}), data.substr(0, 7)), "7 bytes of data found, 8 wanted");
  ExpectBad(RawNpy("{" + f4 + c + "}", data), "not all of descr, fortran_order and shape");
  ExpectBad(RawNpy("{" + f4 + c + "'shape': (2, -3)}", data), "an extent that is no number of 0 and up");
  ExpectBad(RawNpy("{" + f4 + c + "'shape': (2, 3.0)}", data), "no comma between extents");
  ExpectBad(RawNpy("{" + f4 + c + "'shape': (2, 99999999999999999999)}", data), "an extent that is no number");
  ExpectBad(RawNpy("{" + f4 + "'fortran_order': 0, 'shape': (2, 3)}", data), "no True or False");
  ExpectBad(RawNpy("{" + f4 + c + "'shape': (2, 3), 'more': 1}", data), "the key 'more'");
  ExpectBad(RawNpy("{" + f4 + c + "'shape': (2, 3)} and", data), "text after the dictionary");
  ExpectBad(RawNpy("{'descr': '<f4", data), "a string without an end");
  ExpectBad(RawNpy("{'descr': '\x1b[31m', " + c + "'shape': (2, 3)}", data), "a string of other characters");
  ExpectBad(RawNpy("", data), "no '{'");
  ExpectBad(RawNpy(NpyDict(Shape(65, 1)), data), "more than 64 dimensions");
  ExpectBad(RawNpy(std::string(70000, ' '), data, 2), "a .npy header of ");
  ExpectBad(std::string("\x93NUMPY\x02\0\xff\xff\xff\xff{", 13), "a .npy header of 4294967295 bytes found");
  ExpectBad(RawNpy(NpyDict({2, 3}), data, 4), ".npy version 4.0 found");
  ExpectBad(std::string("\x93NUMPY\x01", 7), "7 bytes of start found, 10 wanted");
}

// A header may claim what it likes: memory is taken for what is there.
TEST_F(BadInputTest, HugeClaims) {
  ExpectBad(RawNpy(NpyDict({1, 1 << 30, 1 << 20}), "data"), "4 bytes of data found, 4503599627370496 wanted");
  ExpectBad(RawNpy(NpyDict({INT64_MAX, INT64_MAX, 2}), "data"), "shape [9223372036854775807, 9223372036854775807, 2]");
  ExpectBad(RawNpy(NpyDict({1, 1 << 30, 1 << 20}, "|u1"), "data"), "4 bytes of data found, 1125899906842624 wanted");
  ExpectBad(RawNpy(NpyDict({1, 1, int64_t{1} << 60}, "<f8"), "data"), "shape [1, 1, 1152921504606846976] found");
  ExpectRefused({"normalize", "-", "y.npy"}, 1, "standard input: 4 bytes of data found",
                RawNpy(NpyDict({1, 1 << 30, 1 << 20}), "data"));

  WritePng(Path("small.png"), Pattern(5, 4, 2, 8));
  std::string png = ReadFile(Path("small.png"));
  for (const size_t at : {16, 20}) png.replace(at, 4, std::string("\0\x0f\0\0", 4));  // width and height
  const auto crc = static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef *>(png.data() + 12), 17));
  for (int i = 0; i < 4; i++) png[29 + i] = static_cast<char>(crc >> (24 - 8 * i) & 255);
  ExpectBad(png, "a PNG that can't be decoded found (983040 x 983040 pixels in");

  WriteJpeg(Path("small.jpg"), 9, 9, 1, Pattern(9, 9, 0, 8).samples);
  std::string jpeg = ReadFile(Path("small.jpg"));
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  ExpectBad(jpeg, "a JPEG that can't be decoded found (65500 x 65500 pixels in");
}

TEST_F(BadInputTest, PicturesThatCannotBe) {
  WriteJpeg(Path("cmyk.jpg"), 8, 8, 4, std::vector<uint16_t>(256, 9));
  ExpectRefused({"normalize", "cmyk.jpg", "y.png"}, 1, "cmyk.jpg: a JPEG of 4 components (CMYK?) found");
  WritePng(Path("clear.png"), Pattern(8, 8, 6, 8));
  ExpectRefused({"normalize", "clear.png", "y.jpg"}, 1, "y.jpg: a picture with transparency found");
  for (const Shape &shape : {Shape{2, 3}, {1, 2, 4, 4}, {2, 3, 4, 4}, {1, 3, 16}, {1, 3, 0, 4}, {1, 3, 4, 4, 1}}) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    WriteFile(Path("x.npy"), Npy(shape, Normals(count, 1)));
    ExpectRefused({"normalize", "x.npy", "y.png"}, 1, "y.png: shape [");
  }
  WriteFile(Path("x.npy"), Npy({1, 1, 1, 2}, {1, std::numeric_limits<float>::infinity()}));
  ExpectRefused({"normalize", "x.npy", "y.png"}, 1, "y.png: NaN in channel 0 found");
  WriteFile(Path("wide.npy"), Npy({1, 1, 1, 65536}, Normals(65536, 1)));
  ExpectRefused({"normalize", "wide.npy", "y.jpg"}, 1, "y.jpg: a picture that can't be encoded as JPEG found");
  ExpectRefused({"normalize", "wide.npy", "y.npy", "--scale", "@clear.png"}, 1, "--scale: a picture in clear.png");
}

TEST_F(BadInputTest, EveryTruncationIsFound) {
  int cases = 0;
  for (const std::string &file : SmallFiles()) {
    for (size_t length = 0; length < file.size(); length++) {
      SCOPED_TRACE(testing::Message() << file.substr(1, 3) << " of " << file.size() << " bytes cut to " << length);
      ExpectBad(file.substr(0, length), "");
      if (HasFailure()) return;
      cases++;
    }
  }
  EXPECT_GT(cases, 500);
}

// A changed byte may or may not matter; either way there is an end with an exit code and a whole file or none.
TEST_F(BadInputTest, NoChangedByteIsACrash) {
  int refused = 0, taken = 0;
  for (const std::string &file : SmallFiles()) {
    for (size_t at = 0; at < file.size(); at++) {
      std::string changed = file;
      changed[at] = static_cast<char>(~changed[at]);
      WriteFile(Path("bad"), changed);
      const Outcome outcome = Tool({"normalize", "bad", "y.npy"});
      ASSERT_TRUE(outcome.code == 0 || outcome.code == 1)
          << "byte " << at << ": signal " << outcome.signal << outcome.err;
      ASSERT_EQ(outcome.out, "");
      ASSERT_EQ(outcome.err.empty(), outcome.code == 0) << outcome.err;
      ASSERT_EQ(Files().size(), outcome.code == 0 ? 2u : 1u);
      std::filesystem::remove(Path("y.npy"));
      (outcome.code == 0 ? taken : refused)++;
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(taken, 10);
}

}  // namespace
}  // namespace haline::test

// The header is a Python literal, {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}; HeaderParser reads just as
// much of Python as that takes.
//
// SPDX-License-Identifier: MIT
#include "tools/npy.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "tools/failure.h"

namespace haline::tool {
namespace {

constexpr size_t kMostRank = 64;  // NumPy's

constexpr char kWantedDtype[] = "bool, int8 to int64, uint8 to uint64, float16, float32 or float64";

struct Header {
  Shape shape;
  bool fortran;
  Dtype dtype;
  bool swapped;  // big-endian
};

// What a dtype is that no plane can be made of; empty: who knows.
std::string KindOfDescr(const std::string &descr) {
  switch (descr.size() > 1 ? descr[1] : '\0') {
    case 'c':
      return " (complex)";
    case 'f':
      return descr.size() > 3 ? " (extended float)" : "";  // f10, f12, f16
    case 'O':
      return " (Python objects)";
    case 'S':
    case 'a':
    case 'U':
      return " (strings)";
    case 'V':
      return " (raw bytes)";
    case 'M':
      return " (dates)";
    case 'm':
      return " (time differences)";
    default:
      return "";
  }
}

class HeaderParser {
 public:
  HeaderParser(const std::string &text, std::string name)
      : at_(text.data()), end_(text.data() + text.size()), name_(std::move(name)) {}

  Header Parse() {
    Want('{');
    while (!Skip('}')) {
      const std::string key = String();
      Want(':');
      if (key == "descr") {
        descr_ = Descr();
      } else if (key == "fortran_order") {
        fortran_ = Bool();
      } else if (key == "shape") {
        shape_ = Tuple();
      } else {
        Malformed("the key '" + key + "'");
      }
      if (!Skip(',') && Peek() != '}') Malformed("no comma between keys");
    }
    if (Peek() != '\0' || at_ != end_) Malformed("text after the dictionary");
    if (!descr_ || !fortran_ || !shape_) Malformed("not all of descr, fortran_order and shape");
    const char order = descr_->empty() ? '\0' : descr_->front();
    const std::optional<Dtype> dtype = order ? DtypeOfNumpy(descr_->substr(1)) : std::nullopt;
    const bool ordered = order == '<' || order == '>' || order == '=' || (order == '|' && dtype && SizeOf(*dtype) == 1);
    if (!dtype || !ordered) Refuse("dtype '" + *descr_ + "'" + KindOfDescr(*descr_), kWantedDtype);
    return {*shape_, *fortran_, *dtype, order == '>'};
  }

 private:
  [[noreturn]] void Refuse(const std::string &found, const std::string &wanted) const {
    throw Failure(name_ + ": " + found + " found, " + wanted + " wanted");
  }
  [[noreturn]] void Malformed(const std::string &found) const {
    Refuse(found + " in the .npy header", "{'descr': ..., 'fortran_order': ..., 'shape': ...}");
  }

  char Peek() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t')) at_++;
    return at_ == end_ ? '\0' : *at_;
  }
  bool Skip(char c) {
    if (Peek() != c || at_ == end_) return false;
    at_++;
    return true;
  }
  void Want(char c) {
    if (!Skip(c)) Malformed(std::string("no '") + c + "' where one belongs");
  }

  std::string String() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') Malformed("no string where one belongs");
    const char *const first = ++at_;
    at_ = std::find(first, end_, quote);
    if (at_ == end_) Malformed("a string without an end");
    std::string text(first, at_++);
    // It may go to a terminal.
    const auto plain = [](char c) { return c >= ' ' && c <= '~'; };
    if (text.size() > 64 || !std::all_of(text.begin(), text.end(), plain)) Malformed("a string of other characters");
    return text;
  }
  std::string Descr() {
    if (Peek() == '[') Refuse("a structured dtype", kWantedDtype);
    return String();
  }
  bool Bool() {
    const std::string rest(at_, static_cast<size_t>(end_ - at_));
    Peek();
    for (const char *word : {"True", "False"}) {
      const std::string_view text(word);
      if (std::string_view(at_, static_cast<size_t>(end_ - at_)).substr(0, text.size()) == text) {
        at_ += text.size();
        return *word == 'T';
      }
    }
    Malformed("no True or False where one belongs");
  }
  Shape Tuple() {
    Shape shape;
    Want('(');
    while (!Skip(')')) {
      Peek();
      int64_t extent;
      const auto [next, error] = std::from_chars(at_, end_, extent);
      if (error != std::errc() || extent < 0) Malformed("an extent that is no number of 0 and up");
      at_ = next;
      Skip('L');  // Python 2
      shape.push_back(extent);
      if (shape.size() > kMostRank) Malformed("more than " + std::to_string(kMostRank) + " dimensions");
      if (!Skip(',') && Peek() != ')') Malformed("no comma between extents");
    }
    return shape;
  }

  const char *at_, *const end_;
  const std::string name_;
  std::optional<std::string> descr_;
  std::optional<bool> fortran_;
  std::optional<Shape> shape_;
};

[[noreturn]] void Truncated(const Input &input, const char *what, size_t found, size_t wanted) {
  throw Failure(input.name() + ": " + std::to_string(found) + " bytes of " + what + " found, " +
                std::to_string(wanted) + " wanted: the file ends early");
}

std::string ReadHeader(Input &input) {
  uint8_t start[12];
  if (const size_t got = input.Read(start, 10); got < 10) Truncated(input, "start", got, 10);
  const int major = start[6], minor = start[7];
  if (major < 1 || major > 3 || minor != 0) {
    throw Failure(input.name() + ": .npy version " + std::to_string(major) + "." + std::to_string(minor) +
                  " found, 1.0, 2.0 or 3.0 wanted");
  }
  size_t length = start[8] | static_cast<size_t>(start[9]) << 8;
  if (major > 1) {
    if (const size_t got = input.Read(start + 10, 2); got < 2) Truncated(input, "start", 10 + got, 12);
    length |= static_cast<size_t>(start[10]) << 16 | static_cast<size_t>(start[11]) << 24;
  }
  // 64 dimensions of 20 digits take less; NumPy itself stops at 10,000.
  if (length > 65535) {
    throw Failure(input.name() + ": a .npy header of " + std::to_string(length) + " bytes found, at most 65535 wanted");
  }
  std::string header(length, '\0');
  if (const size_t got = input.Read(header.data(), length); got < length) Truncated(input, "header", got, length);
  return header;
}

// The number of elements, of `size` bytes each.
size_t Count(const Shape &shape, size_t size, const std::string &name) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  size_t count = 1;
  const size_t most = std::numeric_limits<int64_t>::max() / size;
  for (const int64_t extent : shape) {
    if (count > most / static_cast<size_t>(extent)) {
      throw Failure(name + ": shape " + ShapeText(shape) + " found, one that memory can hold wanted");
    }
    count *= static_cast<size_t>(extent);
  }
  return count;
}

}  // namespace

Data ReadNpy(Input &input, std::optional<Dtype> dtype) {
  const Header header = HeaderParser(ReadHeader(input), input.name()).Parse();
  Data data;
  data.shape = header.shape;
  data.fortran = header.fortran;
  data.dtype = dtype.value_or(DefaultDtype(header.dtype));
  const size_t size = SizeOf(header.dtype), bytes = Count(data.shape, size, input.name()) * size;
  const size_t expected = input.Expected();
  if (expected > 0 && expected < bytes) Truncated(input, "data", expected, bytes);
  size_t got = 0;
  while (got < bytes) {
    const size_t step = std::min(bytes - got, expected > 0 ? bytes : std::max<size_t>(got, 1 << 22));
    data.numbers.resize(got + step);
    const size_t n = input.Read(data.numbers.data() + got, step);
    if (n < step) Truncated(input, "data", got + n, bytes);
    got += step;
  }
  if (!input.Peek(1).empty()) {
    throw Failure(input.name() + ": more than the " + std::to_string(bytes) + " bytes of shape " +
                  ShapeText(data.shape) + " found, one array and no more wanted");
  }
  if (!Convert(&data.numbers, header.dtype, header.swapped, data.dtype)) {
    throw Failure(input.name() + ": " + Name(header.dtype) + " numbers beyond the largest " + Name(data.dtype) +
                  " found, smaller ones wanted, or another --dtype");
  }
  return data;
}

std::string NpyHeader(const Data &data) {
  const Shape &shape = data.shape;
  std::string text = "{'descr': '" + NumpyDescr(data.dtype) +
                     "', 'fortran_order': " + (data.fortran ? "True" : "False") + ", 'shape': (";
  for (size_t i = 0; i < shape.size(); i++) text += (i ? ", " : "") + std::to_string(shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";
  const size_t length = (10 + text.size() + 1 + 63) / 64 * 64 - 10;  // the data start at a multiple of 64
  text.resize(length - 1, ' ');
  const char start[] = {
      '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<char>(length & 255), static_cast<char>(length >> 8)};
  return std::string(start, sizeof(start)) + text + '\n';
}

}  // namespace haline::tool

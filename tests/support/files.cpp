// SPDX-License-Identifier: MIT
#include "support/files.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace haline::test {
namespace {

// As much of the protocol buffers' wire format as a TensorProto needs.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool done() const { return bytes_.empty(); }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(Take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw std::runtime_error("a varint of more than 64 bits");
  }

  std::string_view Take(uint64_t count) {
    if (count > bytes_.size()) throw std::runtime_error("truncated");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

 private:
  std::string_view bytes_;
};

void AppendFloats(std::string_view bytes, std::vector<float> &values) {
  const size_t old = values.size();
  values.resize(old + bytes.size() / sizeof(float));
  std::memcpy(values.data() + old, bytes.data(), (values.size() - old) * sizeof(float));
}

}  // namespace

std::optional<std::string> DataFile(const std::string &name) {
  const char *folder = std::getenv("HALINE_TEST_DATA");
  const std::filesystem::path path = std::filesystem::path(folder ? folder : HALINE_TEST_DATA_DEFAULT) / name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path.string();
}

Array ReadTensorProto(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  Array array;
  uint64_t type = 0;
  for (Reader reader(bytes); !reader.done();) {
    const uint64_t key = reader.Varint();
    const uint64_t field = key >> 3, wire = key & 7;
    uint64_t number = 0;
    std::string_view data;
    if (wire == 0) {
      number = reader.Varint();
    } else if (wire == 2) {
      data = reader.Take(reader.Varint());
    } else if (wire == 1 || wire == 5) {
      data = reader.Take(wire == 1 ? 8 : 4);
    } else {
      throw std::runtime_error(path + ": not a TensorProto");
    }
    if (field == 1 && wire == 0) array.shape.push_back(static_cast<int64_t>(number));
    if (field == 1 && wire == 2) {
      for (Reader dims(data); !dims.done();) array.shape.push_back(static_cast<int64_t>(dims.Varint()));
    }
    if (field == 2) type = number;
    if (field == 4 || field == 9) AppendFloats(data, array.values);  // float_data, raw_data
  }
  if (type != 1 || static_cast<int64_t>(array.values.size()) != Count(array.shape)) {
    throw std::runtime_error(path + ": not a whole float32 TensorProto");
  }
  return array;
}

}  // namespace haline::test

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

// As much of the protocol buffers' wire format as ONNX's tensors need.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  // The next field, in the members below; false at the end.
  bool Next() {
    if (bytes_.empty()) return false;
    const uint64_t key = Varint();
    field = key >> 3;
    switch (key & 7) {
      case 0:
        number = Varint();
        data = {};
        return true;
      case 1:
        data = Take(8);
        return true;
      case 2:
        data = Take(Varint());
        return true;
      case 5:
        data = Take(4);
        return true;
    }
    throw std::runtime_error("not a protocol buffer");
  }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(Take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw std::runtime_error("a varint of more than 64 bits");
  }

  bool done() const { return bytes_.empty(); }

  uint64_t field = 0, number = 0;
  std::string_view data;

 private:
  std::string_view Take(uint64_t count) {
    if (count > bytes_.size()) throw std::runtime_error("truncated protocol buffer");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  std::string_view bytes_;
};

void AppendFloats(std::string_view bytes, std::vector<float> &values) {
  const size_t old = values.size();
  values.resize(old + bytes.size() / sizeof(float));
  std::memcpy(values.data() + old, bytes.data(), (values.size() - old) * sizeof(float));
}

Array ParseTensor(std::string_view bytes) {
  Array array;
  uint64_t type = 0;
  for (Reader reader(bytes); reader.Next();) {
    if (reader.field == 1 && reader.data.empty()) array.shape.push_back(static_cast<int64_t>(reader.number));
    if (reader.field == 1) {
      for (Reader dims(reader.data); !dims.done();) array.shape.push_back(static_cast<int64_t>(dims.Varint()));
    }
    if (reader.field == 2) type = reader.number;
    if (reader.field == 4 || reader.field == 9) AppendFloats(reader.data, array.values);  // float_data, raw_data
  }
  if (type != 1 || static_cast<int64_t>(array.values.size()) != Count(array.shape)) {
    throw std::runtime_error("not a whole float32 TensorProto");
  }
  return array;
}

std::string ReadAll(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::optional<std::string> DataFile(const std::string &name) {
  const char *folder = std::getenv("HALINE_TEST_DATA");
  const std::filesystem::path path = std::filesystem::path(folder ? folder : HALINE_TEST_DATA_DEFAULT) / name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path.string();
}

Array ReadTensorProto(const std::string &path) { return ParseTensor(ReadAll(path)); }

std::vector<Array> ReadInitializers(const std::string &path) {
  const std::string bytes = ReadAll(path);
  std::vector<Array> arrays;
  for (Reader model(bytes); model.Next();) {
    if (model.field != 7) continue;  // the graph
    for (Reader graph(model.data); graph.Next();) {
      if (graph.field == 5) arrays.push_back(ParseTensor(graph.data));
    }
  }
  return arrays;
}

}  // namespace haline::test

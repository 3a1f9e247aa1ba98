// The bytes of y, across processors: hashes.txt was written on one machine, and every back end of every other must give
// the same. A change of the numerics changes it on purpose: hashes_test --regenerate writes it anew.
//
// SPDX-License-Identifier: MIT
#include <fstream>
#include <iomanip>
#include <limits>
#include <map>
#include <sstream>

#include "support/backends.h"
#include "support/random.h"

namespace haline::test {

const int kLeastCases = 43;

namespace {

std::vector<Case> Cases() {
  std::vector<Case> cases;
  uint64_t seed = 1;
  const auto add = [&](const std::string &name, const Shape &shape, float mean, float deviation) -> Case & {
    cases.push_back({name, shape, Normals(Count(shape), seed++, mean, deviation)});
    return cases.back();
  };
  const auto parameters = [](Case &c, float shift) {
    c.scale = Normals(c.shape[1], 1001, 1, 0.5f);
    c.shift = Normals(c.shape[1], 1002, shift);
  };
  for (const int64_t size :
       {1, 2, 4, 16, 31, 49, 63, 64, 65, 100, 255, 511, 512, 513, 1000, 4095, 65536, 65537, 200001}) {
    add("normal", {2, 3, size}, 0.5f, 2);
  }
  for (const int64_t size : {8, 49, 64, 600}) parameters(add("normal", {3, 17, size}, 0, 1), 0);
  for (const int64_t size : {8, 64, 600}) parameters(add("normal", {2, 9, size}, 0, 1), 10);
  for (const int64_t size : {50, 100, 1000}) add("magnitude 1e30", {1, 4, size}, 0, 1e30f);
  for (const int64_t size : {50, 100, 1000}) add("offset 1e7", {1, 4, size}, 1e7f, 4);
  for (const int64_t size : {50, 100, 1000}) add("denormal", {1, 4, size}, 0, 1e-40f).eps = 0;
  for (const int64_t size : {50, 100, 1000}) add("tiny", {1, 4, size}, 0, 1e-18f).eps = 0;
  for (const int64_t size : {50, 100, 1000}) {
    Case &c = add("not finite", {1, 4, size}, 0, 1);
    c.x[3] = std::numeric_limits<float>::quiet_NaN();
    c.x[static_cast<size_t>(size + 20)] = std::numeric_limits<float>::infinity();
    c.x[static_cast<size_t>(2 * size)] = -std::numeric_limits<float>::infinity();
  }
  add("normal", {1, 1, 1048577}, 3, 1);
  parameters(add("normal", {65, 1030, 2, 2}, 0, 1), 0);
  return cases;
}

// FNV-1a, 64 bits, of the little-endian bytes.
std::string Hash(const std::vector<float> &y) {
  uint64_t hash = 0xcbf29ce484222325u;
  const auto *bytes = reinterpret_cast<const unsigned char *>(y.data());
  for (size_t i = 0; i < y.size() * sizeof(float); i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << hash;
  return text.str();
}

class HashesTest : public BackendTest {};

TEST_P(HashesTest, AreThoseOfEveryOtherMachine) {
  std::map<std::string, std::string> wanted;
  std::ifstream file(HALINE_TEST_HASHES);
  for (std::string line; std::getline(file, line);) wanted[line.substr(17)] = line.substr(0, 16);
  const std::vector<Case> cases = Cases();
  EXPECT_EQ(wanted.size(), cases.size()) << HALINE_TEST_HASHES << " has other cases: hashes_test --regenerate";
  for (const Case &c : cases) EXPECT_EQ(Hash(Run(c)), wanted[Describe(c)]) << Describe(c);
}

HALINE_ON_EVERY_BACKEND(HashesTest);

}  // namespace

int Regenerate() {
  std::ofstream file(HALINE_TEST_HASHES);
  for (const Case &c : Cases()) file << Hash(Run(c, RunnableBackends().front())) << ' ' << Describe(c) << '\n';
  return file.flush() ? 0 : 1;
}

}  // namespace haline::test

int main(int argc, char **argv) {
  if (argc == 2 && std::string(argv[1]) == "--regenerate") return haline::test::Regenerate();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

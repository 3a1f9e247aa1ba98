// The CUDA kernels' code, as it lies in the library: nothing in it may round otherwise than the processors' kernels do,
// and NVIDIA's assembler takes it for every generation of cards without spilling registers.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace haline::test {
namespace {

// The text of every module in the library.
std::vector<std::string> Modules() {
  std::ifstream file(HALINE_LIBRARY, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> modules;
  for (size_t at = 0; (at = bytes.find("\n.version ", at)) != std::string::npos;) {
    const size_t end = bytes.find('\0', at);
    modules.push_back(bytes.substr(at, end - at));
    at = end;
  }
  return modules;
}

bool Has(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

TEST(PtxTest, NothingRoundsOtherwise) {
  const std::vector<std::string> modules = Modules();
  ASSERT_GE(modules.size(), 40u);
  const std::regex product(R"(^\s*mul(\.rn)?\.f(32|64)\s)"), carrier(R"(^\s*(neg|selp|mov)\.)"),
      sum(R"(^\s*(add|sub)(\.rn)?\.f(32|64)\s)"), name(R"(%\w+)"), zero(R"(mov\.b(32|64)\s+%\w+, 0[df]0+;)");
  int products = 0, quotients = 0;
  for (const std::string &module : modules) {
    std::istringstream lines(module);
    std::set<std::string> zeros, products_as_they_are;  // which the assembler could fuse with a sum
    for (std::string line; std::getline(lines, line);) {
      // Flushed denormals, approximations, fused products.
      for (const char *wrong : {".ftz", ".approx", ".full", "fma.", "mad.f", "mad.rn.f"}) {
        EXPECT_FALSE(Has(line, wrong)) << line;
      }
      for (const char *exact : {"div.", "sqrt.", "rcp."}) {
        if (!Has(line, exact) || !std::regex_search(line, std::regex(R"(\.f(32|64)\s)"))) continue;
        quotients++;
        EXPECT_TRUE(Has(line, ".rn.")) << line;
      }
      if (Has(line, ".entry")) {
        zeros.clear();
        products_as_they_are.clear();
      }
      // The first register of a line is what it defines (but for stores and jumps, which define none that matters).
      std::vector<std::string> registers;
      for (auto it = std::sregex_iterator(line.begin(), line.end(), name); it != std::sregex_iterator(); ++it) {
        registers.push_back(it->str());
      }
      if (registers.empty()) continue;
      bool uses = false;
      for (size_t i = 1; i < registers.size(); i++) uses = uses || products_as_they_are.count(registers[i]) > 0;
      // (To add it to 0 rounds nothing: that is how absolute values are written.)
      const bool to_zero = registers.size() > 1 && zeros.count(registers[1]) > 0;
      EXPECT_FALSE(uses && !to_zero && std::regex_search(line, sum)) << "a product is added as it is: " << line;
      zeros.erase(registers[0]);
      if (std::regex_search(line, zero)) zeros.insert(registers[0]);
      const bool is_product = std::regex_search(line, product);
      products += is_product;
      if (is_product || (uses && std::regex_search(line, carrier))) {
        products_as_they_are.insert(registers[0]);
      } else {
        products_as_they_are.erase(registers[0]);
      }
    }
  }
  EXPECT_GE(products, 100);
  EXPECT_GE(quotients, 20);
}

// Runs a command; what it printed.
std::string Output(const std::string &command, int *status) {
  std::string output;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (pipe && std::fgets(buffer, sizeof(buffer), pipe)) output += buffer;
  *status = pipe ? pclose(pipe) : -1;
  return output;
}

TEST(PtxTest, AssemblesWithoutSpills) {
  int status = 0;
  std::string ptxas = "ptxas";
  Output(ptxas + " --version", &status);
  if (status != 0) {
    ptxas = "/usr/local/cuda/bin/ptxas";
    Output(ptxas + " --version", &status);
  }
  if (status != 0) GTEST_SKIP() << "no CUDA toolkit here";
  // The oldest and the newest that this toolkit knows, and those between that matter.
  const std::string help = Output(ptxas + " --help", &status);
  std::set<int> known;
  const std::regex name(R"(sm_(\d+)\b)");
  for (auto it = std::sregex_iterator(help.begin(), help.end(), name); it != std::sregex_iterator(); ++it) {
    if (std::stoi((*it)[1]) >= 70) known.insert(std::stoi((*it)[1]));
  }
  ASSERT_FALSE(known.empty()) << help;
  std::set<int> wanted = {*known.rbegin()};
  for (const int arch : {75, 80, 90}) {
    if (known.count(arch)) wanted.insert(arch);
  }

  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("haline_ptx_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  // Blocks have up to 512 threads (support/fake_cuda.cpp), who share a multiprocessor's 65,536 registers.
  constexpr int kMostRegisters = 128;
  size_t i = 0, kernels = 0;
  for (const std::string &module : Modules()) {
    const std::string file = (folder / (std::to_string(i++) + ".ptx")).string();
    std::ofstream(file) << module;
    for (const int arch : wanted) {
      const std::string output =
          Output(ptxas + " -v -arch=sm_" + std::to_string(arch) + " -o /dev/null " + file, &status);
      EXPECT_EQ(status, 0) << "sm_" << arch << ": " << output;
      EXPECT_TRUE(Has(output, "0 bytes spill stores, 0 bytes spill loads")) << "sm_" << arch << ": " << output;
      const std::regex spill(R"([1-9]\d* bytes spill)");
      EXPECT_FALSE(std::regex_search(output, spill)) << "sm_" << arch << ": " << output;
      const std::regex used(R"(Used (\d+) registers)");
      for (auto it = std::sregex_iterator(output.begin(), output.end(), used); it != std::sregex_iterator(); ++it) {
        EXPECT_LE(std::stoi((*it)[1]), kMostRegisters) << "sm_" << arch << ": " << output;
        kernels++;
      }
    }
  }
  EXPECT_GE(kernels, i * wanted.size());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace haline::test

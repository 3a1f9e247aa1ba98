// A CUDA driver without a GPU: devices, contexts, streams, memory and modules are bookkeeping, kernels are not run but
// held against a GPU's limits and against their own PTX. Its functions fail as faults.h says.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_FAKE_CUDA_H_
#define HALINE_TESTS_SUPPORT_FAKE_CUDA_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace haline::test {

struct FakeContext {
  int device = 0;
  bool primary = false;
};
struct FakeStream {
  FakeContext *context = nullptr;
};
struct FakeKernel {
  std::string name;
  std::vector<bool> pointers;  // of each parameter: is it one, or a number
  FakeContext *context = nullptr;
};
struct FakeLaunch {
  std::string kernel;
  FakeContext *context;
  void *stream;
  uint64_t grid[3];
};

class FakeCuda {
 public:
  static constexpr int kDevices = 3;       // the last is too old
  static constexpr int kWithoutPools = 1;  // which has no memory in a stream's order

  static FakeCuda &Get();

  // Back to no allocations and no log, and to the caller's own contexts alone: what haline has keeps.
  void Reset();
  // Memory of the caller's: an address, of which nothing is there.
  uint64_t Memory(uint64_t bytes);
  void Push(FakeContext *context) { stack.push_back(context); }
  void Pop() { stack.pop_back(); }

  FakeContext primary[kDevices] = {{0, true}, {1, true}, {2, true}};
  std::vector<FakeContext *> stack;  // of the one thread that the tests have
  std::vector<FakeLaunch> launches;
  std::vector<std::string> complaints;  // what a driver would refuse, or a GPU trip over
  uint64_t capacity = uint64_t{1} << 40, used = 0;
  int64_t copied_there = 0, copied_back = 0;  // bytes

  bool Owns(uint64_t address) const;

  std::map<uint64_t, uint64_t> memory;  // of each allocation: how many bytes
  uint64_t next = uint64_t{1} << 44;
};

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_FAKE_CUDA_H_

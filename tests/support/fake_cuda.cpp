// SPDX-License-Identifier: MIT
#include "support/fake_cuda.h"

#include <cstring>
#include <regex>

#include "support/faults.h"

namespace haline::test {
namespace {

constexpr int kInvalidValue = 1, kOutOfMemory = 2, kNoDevice = 100, kInvalidContext = 201, kInvalidHandle = 400,
              kNotFound = 500;

struct Module {
  FakeContext *context;
  std::vector<FakeKernel *> kernels;
};

FakeCuda &Cuda() { return FakeCuda::Get(); }
FakeContext *Current() { return Cuda().stack.empty() ? nullptr : Cuda().stack.back(); }

int Complain(int code, const std::string &what) {
  Cuda().complaints.push_back(what);
  return code;
}

int Init(unsigned) { return DriverScenario() == "no-device" ? kNoDevice : 0; }
int DeviceGetCount(int *count) { return *count = FakeCuda::kDevices, 0; }
int DeviceGet(int *device, int id) { return *device = id, id >= 0 && id < FakeCuda::kDevices ? 0 : kInvalidValue; }
int DeviceGetAttribute(int *value, int attribute, int device) {
  const bool old = DriverScenario() == "incapable" || device == FakeCuda::kDevices - 1;
  *value = attribute == 75 ? (old ? 6 : 9) : attribute == 115 && device != FakeCuda::kWithoutPools;
  return 0;
}
int PrimaryRetain(void **context, int device) { return *context = &Cuda().primary[device], 0; }
int CtxGetCurrent(void **context) { return *context = Current(), 0; }
int CtxPush(void *context) {
  if (!context) return kInvalidContext;
  Cuda().stack.push_back(static_cast<FakeContext *>(context));
  return 0;
}
int CtxPop(void **context) {
  if (!Current()) return Complain(kInvalidContext, "more contexts popped than pushed");
  *context = Current();
  Cuda().stack.pop_back();
  return 0;
}
int CtxGetDevice(int *device) { return Current() ? (*device = Current()->device, 0) : kInvalidContext; }
int StreamGetCtx(void *stream, void **context) {
  *context = static_cast<FakeStream *>(stream)->context;
  return *context ? 0 : kInvalidHandle;
}
int Synchronize(void *) { return 0; }
int CtxSynchronize() { return 0; }

// The kernels of a module: the names and parameters that its PTX declares.
int ModuleLoadData(void **module, const void *image) {
  if (!Current()) return Complain(kInvalidContext, "a module without a context");
  const std::string text = static_cast<const char *>(image);
  static const std::regex entry(R"(\.entry (\w+)\(([^)]*)\))"), parameter(R"(\.param [^,]*)");
  auto *made = new Module{Current(), {}};  // for good, as are all modules
  for (auto it = std::sregex_iterator(text.begin(), text.end(), entry); it != std::sregex_iterator(); ++it) {
    auto *kernel = new FakeKernel{(*it)[1], {}, Current()};
    const std::string parameters = (*it)[2];
    for (auto p = std::sregex_iterator(parameters.begin(), parameters.end(), parameter); p != std::sregex_iterator();
         ++p) {
      kernel->pointers.push_back(p->str().find(".ptr") != std::string::npos);
    }
    made->kernels.push_back(kernel);
  }
  *module = made;
  return made->kernels.empty() ? Complain(kInvalidValue, "a module without kernels") : 0;
}
int ModuleUnload(void *) { return 0; }
int ModuleGetFunction(void **function, void *module, const char *name) {
  for (FakeKernel *kernel : static_cast<Module *>(module)->kernels) {
    if (kernel->name == name) return *function = kernel, 0;
  }
  return Complain(kNotFound, std::string("no kernel ") + name);
}

int MemAlloc(uint64_t *address, size_t bytes) {
  FakeCuda &cuda = Cuda();
  if (!Current() || bytes == 0) return Complain(kInvalidValue, "memory without a context, or none of it");
  if (bytes > cuda.capacity - cuda.used) return kOutOfMemory;
  cuda.used += bytes;
  *address = cuda.Memory(bytes);
  return 0;
}
int MemFree(uint64_t address) {
  FakeCuda &cuda = Cuda();
  if (!cuda.memory.count(address)) return Complain(kInvalidValue, "memory freed that is none");
  cuda.used -= cuda.memory[address];
  cuda.memory.erase(address);
  return 0;
}
// A pool is its device.
int PoolCreate(void **pool, const void *properties) {
  int32_t fields[4];  // pinned memory, no handles, on a device, which
  std::memcpy(fields, properties, sizeof(fields));
  if (fields[0] != 1 || fields[1] != 0 || fields[2] != 1) return Complain(kInvalidValue, "a pool of something else");
  return *pool = &Cuda().primary[fields[3]], 0;
}
int PoolSetAttribute(void *, int, void *) { return 0; }
int MemAllocFromPool(uint64_t *address, size_t bytes, void *pool, void *) {
  const bool here = Current() && static_cast<FakeContext *>(pool)->device == Current()->device;
  return here ? MemAlloc(address, bytes) : Complain(kInvalidContext, "another device's pool");
}
int MemFreeAsync(uint64_t address, void *) { return MemFree(address); }
int CopyThere(uint64_t to, const void *, size_t bytes) {
  if (!Cuda().Owns(to) || !Cuda().Owns(to + bytes - 1)) return Complain(kInvalidValue, "a copy to no memory");
  Cuda().copied_there += static_cast<int64_t>(bytes);
  return 0;
}
int CopyBack(void *to, uint64_t from, size_t bytes) {
  if (!Cuda().Owns(from) || !Cuda().Owns(from + bytes - 1)) return Complain(kInvalidValue, "a copy from no memory");
  std::memset(to, 0, bytes);
  Cuda().copied_back += static_cast<int64_t>(bytes);
  return 0;
}
int CopyThereAsync(uint64_t to, const void *from, size_t bytes, void *) { return CopyThere(to, from, bytes); }
int CopyBackAsync(void *to, uint64_t from, size_t bytes, void *) { return CopyBack(to, from, bytes); }

int LaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned x, unsigned y, unsigned z,
                 unsigned shared, void *stream, void **parameters, void **) {
  const auto &kernel = *static_cast<FakeKernel *>(function);
  FakeCuda &cuda = Cuda();
  const auto refuse = [&](const std::string &what) { return Complain(kInvalidValue, kernel.name + ": " + what); };
  // CUDA's limits, those of every compute capability from 7.0 up. And a multiprocessor has 65,536 registers: no more
  // threads than may have 128 each, which is what ptx_test.cpp holds kernels to.
  constexpr unsigned kMostThreads = 512;
  if (grid_x < 1 || grid_x > 0x7fffffff || grid_y < 1 || grid_y > 65535 || grid_z < 1 || grid_z > 65535) {
    return refuse("blocks " + std::to_string(grid_x) + " x " + std::to_string(grid_y) + " x " + std::to_string(grid_z));
  }
  if (x < 1 || y < 1 || z < 1 || uint64_t{x} * y * z > kMostThreads || z > 64) return refuse("threads");
  if (shared > 48 * 1024) return refuse("shared memory");
  if (Current() != kernel.context) return refuse("another context");
  for (size_t i = 0; i < kernel.pointers.size(); i++) {
    uint64_t address = 0;
    if (!parameters[i]) return refuse("a parameter is missing");
    if (!kernel.pointers[i]) continue;
    std::memcpy(&address, parameters[i], sizeof(address));
    if (!cuda.Owns(address)) return refuse("argument " + std::to_string(i) + " points nowhere");
  }
  cuda.launches.push_back({kernel.name, Current(), stream, {grid_x, grid_y, grid_z}});
  return 0;
}

// What Halide's runtime looks for and haline never uses.
int Unused() { return Complain(kInvalidValue, "a call that haline never makes"); }

}  // namespace

void *CudaSymbol(const char *name) {
  static const DriverFunction kFunctions[] = {
      MakeFaulty<Init>("cuInit"),
      MakeFaulty<DeviceGetCount>("cuDeviceGetCount"),
      MakeFaulty<DeviceGet>("cuDeviceGet"),
      MakeFaulty<DeviceGetAttribute>("cuDeviceGetAttribute"),
      MakeFaulty<PrimaryRetain>("cuDevicePrimaryCtxRetain"),
      MakeFaulty<CtxGetCurrent>("cuCtxGetCurrent"),
      MakeFaulty<CtxPush>("cuCtxPushCurrent_v2"),
      MakeFaulty<CtxPop>("cuCtxPopCurrent_v2"),
      MakeFaulty<CtxGetDevice>("cuCtxGetDevice"),
      MakeFaulty<StreamGetCtx>("cuStreamGetCtx"),
      MakeFaulty<Synchronize>("cuStreamSynchronize"),
      MakeFaulty<CtxSynchronize>("cuCtxSynchronize"),
      MakeFaulty<ModuleLoadData>("cuModuleLoadData"),
      MakeFaulty<ModuleUnload>("cuModuleUnload"),
      MakeFaulty<ModuleGetFunction>("cuModuleGetFunction"),
      MakeFaulty<MemAlloc>("cuMemAlloc_v2"),
      MakeFaulty<MemFree>("cuMemFree_v2"),
      MakeFaulty<PoolCreate>("cuMemPoolCreate"),
      MakeFaulty<PoolSetAttribute>("cuMemPoolSetAttribute"),
      MakeFaulty<MemAllocFromPool>("cuMemAllocFromPoolAsync"),
      MakeFaulty<MemFreeAsync>("cuMemFreeAsync"),
      MakeFaulty<CopyThere>("cuMemcpyHtoD_v2"),
      MakeFaulty<CopyBack>("cuMemcpyDtoH_v2"),
      MakeFaulty<CopyThereAsync>("cuMemcpyHtoDAsync_v2"),
      MakeFaulty<CopyBackAsync>("cuMemcpyDtoHAsync_v2"),
      MakeFaulty<LaunchKernel>("cuLaunchKernel"),
  };
  for (const DriverFunction &function : kFunctions) {
    if (std::strcmp(name, function.name) == 0) return function.symbol;
  }
  static const DriverFunction unused = MakeFaulty<Unused>("unused");
  return unused.symbol;
}

FakeCuda &FakeCuda::Get() {
  static FakeCuda *const cuda = new FakeCuda;  // for good: the driver is called until the process has ended
  return *cuda;
}

void FakeCuda::Reset() {
  stack.clear();
  launches.clear();
  complaints.clear();
  capacity = uint64_t{1} << 40;
  copied_there = copied_back = 0;
}

uint64_t FakeCuda::Memory(uint64_t bytes) {
  const uint64_t address = next;
  next += (bytes + 511) / 512 * 512 + 512;
  memory[address] = bytes;
  return address;
}

bool FakeCuda::Owns(uint64_t address) const {
  auto it = memory.upper_bound(address);
  return it != memory.begin() && address - (--it)->first < it->second;
}

}  // namespace haline::test

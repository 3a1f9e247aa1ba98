// CUDA: the caller's stream and its context; without a stream, the thread's current context, or where that is another
// device's the primary one, which is what CUDA's runtime interface and PyTorch use. Device memory has addresses
// already.
#include <HalideRuntimeCuda.h>

#include <cstdio>
#include <cstring>
#include <mutex>

#include "error.h"
#include "gpu_api.h"
#include "gpu_driver.h"

namespace haline {
namespace {

// As much of the driver's interface as is needed here: its headers need not be installed.
using Handle = void *;
constexpr int32_t kMajor = 75, kPools = 115;  // a device's compute capability; whether it has memory pools
constexpr int32_t kKept = 4;                  // a pool's attribute: bytes that it keeps when nothing uses them

struct PoolProperties {
  int32_t pinned = 1, handles = 0, on_device = 1, device;
  void *security = nullptr;
  uint64_t unused[8] = {};
};
static_assert(sizeof(PoolProperties) == 88);

struct Library {
  int32_t (*cuInit)(uint32_t);
  int32_t (*cuDeviceGetCount)(int32_t *);
  int32_t (*cuDeviceGet)(int32_t *, int32_t);
  int32_t (*cuDeviceGetAttribute)(int32_t *, int32_t, int32_t);
  int32_t (*cuDevicePrimaryCtxRetain)(Handle *, int32_t);
  int32_t (*cuCtxGetCurrent)(Handle *);
  int32_t (*cuCtxPushCurrent)(Handle);
  int32_t (*cuCtxPopCurrent)(Handle *);
  int32_t (*cuCtxGetDevice)(int32_t *);
  int32_t (*cuStreamGetCtx)(Handle, Handle *);
  int32_t (*cuModuleLoadData)(Handle *, const void *);
  int32_t (*cuMemAlloc)(uint64_t *, size_t);
  int32_t (*cuMemFree)(uint64_t);
  // CUDA 11.2 and up:
  int32_t (*cuMemPoolCreate)(Handle *, const PoolProperties *);
  int32_t (*cuMemPoolSetAttribute)(Handle, int32_t, void *);
  int32_t (*cuMemAllocFromPoolAsync)(uint64_t *, size_t, Handle, Handle);
  int32_t (*cuMemFreeAsync)(uint64_t, Handle);

  GpuDriver driver{"libcuda.so.1"};
  int32_t count = 0;  // of devices
  char why_not[128] = "";

  Library() { std::snprintf(why_not, sizeof(why_not), "%s", Load()); }

  const char *Load() {
    driver.Load(&cuInit, "cuInit");
    driver.Load(&cuDeviceGetCount, "cuDeviceGetCount");
    driver.Load(&cuDeviceGet, "cuDeviceGet");
    driver.Load(&cuDeviceGetAttribute, "cuDeviceGetAttribute");
    driver.Load(&cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
    driver.Load(&cuCtxGetCurrent, "cuCtxGetCurrent");
    driver.Load(&cuCtxPushCurrent, "cuCtxPushCurrent_v2");
    driver.Load(&cuCtxPopCurrent, "cuCtxPopCurrent_v2");
    driver.Load(&cuCtxGetDevice, "cuCtxGetDevice");
    driver.Load(&cuStreamGetCtx, "cuStreamGetCtx");
    driver.Load(&cuModuleLoadData, "cuModuleLoadData");
    driver.Load(&cuMemAlloc, "cuMemAlloc_v2");
    driver.Load(&cuMemFree, "cuMemFree_v2");
    driver.Load(&cuMemPoolCreate, "cuMemPoolCreate", false);
    driver.Load(&cuMemPoolSetAttribute, "cuMemPoolSetAttribute", false);
    driver.Load(&cuMemAllocFromPoolAsync, "cuMemAllocFromPoolAsync", false);
    driver.Load(&cuMemFreeAsync, "cuMemFreeAsync", false);
    if (!driver.found()) return "needs an NVIDIA driver: no libcuda.so.1 was found";
    if (!driver.complete()) return "needs a newer NVIDIA driver than this libcuda.so.1";
    if (cuInit(0) != 0 || cuDeviceGetCount(&count) != 0 || count == 0) return "needs an NVIDIA GPU";
    return !Capable(0) ? "needs an NVIDIA GPU of compute capability 7.0 or more" : "";
  }

  bool Capable(int32_t id) const { return Attribute(id, kMajor) >= 7; }

  int32_t Attribute(int32_t id, int32_t which) const {
    int32_t device = 0, value = 0;
    return cuDeviceGet(&device, id) == 0 && cuDeviceGetAttribute(&value, which, device) == 0 ? value : 0;
  }

  // Scratch memory in the order of the stream: cuMemAlloc and cuMemFree wait for the device.
  Handle NewPool(int32_t id) const {
    Handle pool = nullptr;
    PoolProperties properties{.device = id};
    uint64_t kept = uint64_t{64} << 20;
    if (!cuMemPoolCreate || !cuMemPoolSetAttribute || !cuMemAllocFromPoolAsync || !cuMemFreeAsync) return nullptr;
    if (Attribute(id, kPools) == 0 || cuMemPoolCreate(&pool, &properties) != 0) return nullptr;
    cuMemPoolSetAttribute(pool, kKept, &kept);
    return pool;
  }

  Handle NewPrimaryContext(int32_t id) const {
    int32_t device = 0;
    Handle context = nullptr;
    if (cuDeviceGet(&device, id) != 0 || cuDevicePrimaryCtxRetain(&context, device) != 0) return nullptr;
    return context;
  }
};

Library &library() {
  static Library *const library = new Library;  // for good: kernels may be in flight when the process ends
  return *library;
}

// What a call of this thread uses, between Enter and Leave.
thread_local Handle current_context, current_stream, current_pool;

int AcquireContext(void *, Handle *context, bool) {
  *context = current_context;
  return 0;
}
int ReleaseContext(void *) { return 0; }
int GetStream(void *, Handle, Handle *stream) {
  *stream = current_stream;
  return 0;
}

class CudaApi final : public GpuApi {
 public:
  const halide_device_interface_t *interface() const override { return halide_cuda_device_interface(); }
  const char *WhyNot() const override { return library().why_not; }

  haline_status Enter(const char *name, const haline_device &device, void *queue, bool own) override {
    Library &cuda = library();
    if (*cuda.why_not) return Fail(HALINE_UNSUPPORTED, "cuda: %s", cuda.why_not);
    const int32_t id = own ? 0 : device.id;
    if (id < 0 || id >= cuda.count) {
      return Fail(HALINE_INVALID_ARGUMENT, "%s: device id %d found, 0 to %d wanted", name, id, cuda.count - 1);
    }
    if (!cuda.Capable(id)) {
      return Fail(HALINE_UNSUPPORTED, "%s: a GPU of compute capability below 7.0 found, 7.0 or more wanted", name);
    }
    static const bool set_up = [] {
      halide_set_cuda_acquire_context(AcquireContext);
      halide_set_cuda_release_context(ReleaseContext);
      halide_set_cuda_get_stream(GetStream);
      return true;
    }();
    (void)set_up;
    Handle context = nullptr;
    const auto is_stream = reinterpret_cast<uintptr_t>(queue) > 2;  // 0, 1, 2 are default streams of any context
    if (is_stream && !own) {
      if (cuda.cuStreamGetCtx(queue, &context) != 0 || DeviceOf(context) != id) {
        return Fail(HALINE_INVALID_ARGUMENT, "queue: what is no stream of device %d found, one wanted", id);
      }
    } else if (own || cuda.cuCtxGetCurrent(&context) != 0 || !context || DeviceOf(context) != id) {
      context = Kept<&Library::NewPrimaryContext, true>(id);
      if (!context) return Fail(HALINE_UNSUPPORTED, "cuda: the driver gives haline no context of device %d", id);
    }
    current_context = context;
    current_stream = own ? nullptr : queue;
    current_pool = Kept<&Library::NewPool, false>(id);
    return HALINE_OK;
  }

  void Leave() override { current_context = current_stream = current_pool = nullptr; }

  Address AddressOf(void *data) override { return reinterpret_cast<Address>(data); }
  Address AddressOf(halide_buffer_t *allocated) override { return halide_cuda_get_device_ptr(nullptr, allocated); }
  int Wrap(halide_buffer_t *buffer, Address address) override {
    return halide_cuda_wrap_device_ptr(nullptr, buffer, address);
  }
  void Unwrap(halide_buffer_t *buffer) override {
    if (buffer->device) halide_cuda_detach_device_ptr(nullptr, buffer);
  }

 private:
  static int32_t DeviceOf(Handle context) {
    Library &cuda = library();
    int32_t device = -1;
    if (cuda.cuCtxPushCurrent(context) != 0) return -1;
    if (cuda.cuCtxGetDevice(&device) != 0) device = -1;
    cuda.cuCtxPopCurrent(&context);
    return device;
  }

  // Of each device one, for as long as the process lives. Where there is none, it is asked for again or not.
  template <Handle (Library::*kMake)(int32_t) const, bool kAgain>
  static Handle Kept(int32_t id) {
    constexpr int32_t kMost = 64;
    static std::mutex mutex;
    static Handle kept[kMost];
    static bool tried[kMost];
    if (id >= kMost) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex);
    if (!kept[id] && (kAgain || !tried[id])) kept[id] = (library().*kMake)(id);
    tried[id] = true;
    return kept[id];
  }
};

// cuModuleLoadDataEx, but for the options: Halide's runtime limits kernels to 64 registers, and some would spill.
int32_t LoadModule(Handle *module, const void *image, uint32_t, void *, void *) {
  return library().cuModuleLoadData(module, image);
}

// cuMemAlloc and cuMemFree.
int32_t Allocate(uint64_t *address, size_t bytes) {
  const Library &cuda = library();
  if (!current_pool) return cuda.cuMemAlloc(address, bytes);
  return cuda.cuMemAllocFromPoolAsync(address, bytes, current_pool, current_stream);
}
int32_t Free(uint64_t address) {
  return current_pool ? library().cuMemFreeAsync(address, current_stream) : library().cuMemFree(address);
}

}  // namespace

GpuApi *Cuda() {
  static CudaApi api;
  return &api;
}

}  // namespace haline

// In place of that of Halide's runtime, which looks for libcuda.so alone, a file of the toolkit's.
extern "C" void *halide_cuda_get_symbol(void *, const char *name) {
  if (std::strcmp(name, "cuModuleLoadDataEx") == 0) return reinterpret_cast<void *>(haline::LoadModule);
  if (std::strcmp(name, "cuMemAlloc_v2") == 0) return reinterpret_cast<void *>(haline::Allocate);
  if (std::strcmp(name, "cuMemFree_v2") == 0) return reinterpret_cast<void *>(haline::Free);
  return haline::library().driver.Symbol(name);
}

// Where there is no pool, Halide's runtime keeps scratch memory, by stream.
extern "C" bool halide_can_reuse_device_allocations(void *) { return !haline::current_pool; }

// CUDA: the caller's stream and its context; without a stream, the thread's current context, or where that is another
// device's the primary one, which is what CUDA's runtime interface and PyTorch use. Device memory has addresses
// already.
#include <HalideRuntimeCuda.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <mutex>

#include "error.h"
#include "gpu_api.h"

namespace haline {
namespace {

// As much of the driver's interface as is needed here: its headers need not be installed.
using Handle = void *;
constexpr int32_t kMajor = 75;  // a device's compute capability

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

  void *library = nullptr;
  int32_t count = 0;  // of devices
  char why_not[128] = "";

  Library() { std::snprintf(why_not, sizeof(why_not), "%s", Load()); }

  const char *Load() {
    library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    bool all = library != nullptr;
    const auto load = [&](auto *function, const char *name) {
      void *symbol = library ? dlsym(library, name) : nullptr;
      all = all && symbol;
      std::memcpy(function, &symbol, sizeof(symbol));
    };
    load(&cuInit, "cuInit");
    load(&cuDeviceGetCount, "cuDeviceGetCount");
    load(&cuDeviceGet, "cuDeviceGet");
    load(&cuDeviceGetAttribute, "cuDeviceGetAttribute");
    load(&cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
    load(&cuCtxGetCurrent, "cuCtxGetCurrent");
    load(&cuCtxPushCurrent, "cuCtxPushCurrent_v2");
    load(&cuCtxPopCurrent, "cuCtxPopCurrent_v2");
    load(&cuCtxGetDevice, "cuCtxGetDevice");
    load(&cuStreamGetCtx, "cuStreamGetCtx");
    if (!all) return "needs an NVIDIA driver: no libcuda.so.1 was found";
    if (cuInit(0) != 0 || cuDeviceGetCount(&count) != 0 || count == 0) return "needs an NVIDIA GPU";
    return !Capable(0) ? "needs an NVIDIA GPU of compute capability 7.0 or more" : "";
  }

  bool Capable(int32_t id) const {
    int32_t device = 0, major = 0;
    return cuDeviceGet(&device, id) == 0 && cuDeviceGetAttribute(&major, kMajor, device) == 0 && major >= 7;
  }
};

Library &library() {
  static Library *const library = new Library;  // for good: kernels may be in flight when the process ends
  return *library;
}

// What a call of this thread uses, between Enter and Leave.
thread_local Handle current_context, current_stream;

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

  haline_status Enter(const haline_device &device, void *queue, bool own) override {
    Library &cuda = library();
    if (*cuda.why_not) return Fail(HALINE_UNSUPPORTED, "cuda: %s", cuda.why_not);
    const int32_t id = own ? 0 : device.id;
    if (id < 0 || id >= cuda.count) {
      return Fail(HALINE_INVALID_ARGUMENT, "x: device id %d found, 0 to %d wanted", id, cuda.count - 1);
    }
    if (!cuda.Capable(id)) {
      return Fail(HALINE_UNSUPPORTED, "x: a GPU of compute capability below 7.0 found, 7.0 or more wanted");
    }
    static const bool set_up = [] {
      halide_set_cuda_acquire_context(AcquireContext);
      halide_set_cuda_release_context(ReleaseContext);
      halide_set_cuda_get_stream(GetStream);
      // Scratch memory is kept by stream: cuMemFree would wait for all that runs.
      halide_reuse_device_allocations(nullptr, true);
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
      context = PrimaryContext(id);
      if (!context) return Fail(HALINE_UNSUPPORTED, "cuda: the driver gives haline no context of device %d", id);
    }
    current_context = context;
    current_stream = own ? nullptr : queue;
    return HALINE_OK;
  }

  void Leave() override { current_context = current_stream = nullptr; }

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

  // Retained once, for as long as the process lives.
  static Handle PrimaryContext(int32_t id) {
    constexpr int32_t kMost = 64;
    static std::mutex mutex;
    static Handle kept[kMost];
    if (id >= kMost) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex);
    int32_t device = 0;
    if (!kept[id] && library().cuDeviceGet(&device, id) == 0) {
      library().cuDevicePrimaryCtxRetain(&kept[id], device);
    }
    return kept[id];
  }
};

// cuModuleLoadDataEx, but for the options: Halide's runtime limits kernels to 64 registers, and some would spill.
int32_t LoadModule(Handle *module, const void *image, uint32_t, void *, void *) {
  int32_t (*load)(Handle *, const void *);
  void *symbol = dlsym(library().library, "cuModuleLoadData");
  std::memcpy(&load, &symbol, sizeof(symbol));
  return load(module, image);
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
  void *library = haline::library().library;
  return library ? dlsym(library, name) : nullptr;
}

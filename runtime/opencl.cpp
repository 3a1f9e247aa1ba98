// OpenCL: the caller's queue (with the context and device that it belongs to), or one of haline's own on the first GPU
// or, where there is none, the first device of any kind. Both need double precision.
#include <HalideRuntimeOpenCL.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "error.h"
#include "gpu_api.h"
#include "gpu_driver.h"

namespace haline {
namespace {

// As much of the interface as is needed here: its headers need not be installed.
using Handle = void *;
constexpr uint32_t kTypeGpu = 1 << 2, kTypeAll = 0xffffffff, kFp64Config = 0x1032, kQueueContext = 0x1090,
                   kQueueDevice = 0x1091, kAlignment = 0x1019, kLocalBytes = 0x1023;

struct Library {
  int32_t (*clGetPlatformIDs)(uint32_t, Handle *, uint32_t *);
  int32_t (*clGetDeviceIDs)(Handle, uint64_t, uint32_t, Handle *, uint32_t *);
  int32_t (*clGetDeviceInfo)(Handle, uint32_t, size_t, void *, size_t *);
  Handle (*clCreateContext)(const intptr_t *, uint32_t, const Handle *, void *, void *, int32_t *);
  Handle (*clCreateCommandQueue)(Handle, Handle, uint64_t, int32_t *);
  int32_t (*clGetCommandQueueInfo)(Handle, uint32_t, size_t, void *, size_t *);
  int32_t (*clRetainContext)(Handle);

  GpuDriver driver{"libOpenCL.so.1", "libOpenCL.so"};
  Handle device = nullptr;  // haline's own choice
  char why_not[128] = "";

  Library() { std::snprintf(why_not, sizeof(why_not), "%s", Load()); }

  const char *Load() {
    driver.Load(&clGetPlatformIDs, "clGetPlatformIDs");
    driver.Load(&clGetDeviceIDs, "clGetDeviceIDs");
    driver.Load(&clGetDeviceInfo, "clGetDeviceInfo");
    driver.Load(&clCreateContext, "clCreateContext");
    driver.Load(&clCreateCommandQueue, "clCreateCommandQueue");
    driver.Load(&clGetCommandQueueInfo, "clGetCommandQueueInfo");
    driver.Load(&clRetainContext, "clRetainContext");
    if (!driver.found()) return "needs an OpenCL driver: no libOpenCL.so.1 was found";
    if (!driver.complete()) return "needs a newer OpenCL driver than this libOpenCL.so.1";
    Handle platforms[16];
    uint32_t count = 0;
    if (clGetPlatformIDs(16, platforms, &count) != 0 || count == 0) return "needs an OpenCL driver";
    for (const uint32_t type : {kTypeGpu, kTypeAll}) {
      for (uint32_t i = 0; i < count && i < 16 && !device; i++) {
        Handle devices[16];
        uint32_t found = 0;
        if (clGetDeviceIDs(platforms[i], type, 16, devices, &found) != 0) continue;
        for (uint32_t d = 0; d < found && d < 16 && !device; d++) {
          if (HasDoubles(devices[d])) device = devices[d];
        }
      }
    }
    return !device ? "needs an OpenCL device with double precision (cl_khr_fp64)" : "";
  }

  bool HasDoubles(Handle candidate) const {
    uint64_t config = 0;
    return clGetDeviceInfo(candidate, kFp64Config, sizeof(config), &config, nullptr) == 0 && config != 0;
  }
};

Library &library() {
  static Library *const library = new Library;  // for good: kernels may be in flight when the process ends
  return *library;
}

// What a call of this thread uses, between Enter and Leave.
struct Current {
  Handle context = nullptr, queue = nullptr;
  int64_t shared_bytes = 0;
  int64_t alignment = 1;  // of the start of a part of a memory object, in bytes
};
thread_local Current current;

// The handles of a call are numbered from 1; a number and an offset make an address.
constexpr int kOffsetBits = 48;
constexpr size_t kMostHandles = (1 << (64 - kOffsetBits)) - 1;
thread_local std::vector<Handle> handles;

class OpenClApi final : public GpuApi {
 public:
  const halide_device_interface_t *interface() const override { return halide_opencl_device_interface(); }
  const char *WhyNot() const override { return library().why_not; }

  haline_status Enter(const char *name, const haline_device &device, void *queue, bool own) override {
    Library &cl = library();
    if (*cl.why_not) return Fail(HALINE_UNSUPPORTED, "opencl: %s", cl.why_not);
    Handle found = cl.device;
    if (own) {
      ForgetAll();
      const haline_status status = OwnQueue();
      if (status != HALINE_OK) return status;
    } else {
      if (!queue) return Fail(HALINE_INVALID_ARGUMENT, "queue: null found, the cl_command_queue of %s wanted", name);
      if (device.id < 0)
        return Fail(HALINE_INVALID_ARGUMENT, "%s: device id %d found, 0 and up wanted", name, device.id);
      if (cl.clGetCommandQueueInfo(queue, kQueueContext, sizeof(Handle), &current.context, nullptr) != 0 ||
          cl.clGetCommandQueueInfo(queue, kQueueDevice, sizeof(Handle), &found, nullptr) != 0) {
        return Fail(HALINE_INVALID_ARGUMENT, "queue: what is no cl_command_queue found, that of %s wanted", name);
      }
      if (!cl.HasDoubles(found)) {
        return Fail(HALINE_UNSUPPORTED,
                    "queue: a device without double precision (cl_khr_fp64) found, one with wanted");
      }
      current.queue = queue;
      // Halide keeps programs by their context's address, which must not become another's.
      KeepContext(current.context);
    }
    uint32_t bits = 0;
    cl.clGetDeviceInfo(found, kAlignment, sizeof(bits), &bits, nullptr);
    current.alignment = bits >= 8 ? bits / 8 : 1;
    uint64_t bytes = 0;
    cl.clGetDeviceInfo(found, kLocalBytes, sizeof(bytes), &bytes, nullptr);
    current.shared_bytes = static_cast<int64_t>(bytes);
    return HALINE_OK;
  }

  void Leave() override { current = {}; }

  Address AddressOf(void *data) override {
    if (!data) return 0;
    size_t slot = 0;
    while (slot < handles.size() && handles[slot] != data) slot++;
    for (size_t i = 0; slot == handles.size() && i < handles.size(); i++) {
      if (!handles[i]) slot = i;
    }
    if (slot == handles.size()) {
      try {
        handles.push_back(nullptr);
      } catch (const std::bad_alloc &) {
        return 0;
      }
    }
    if (slot >= kMostHandles) return 0;
    handles[slot] = data;
    return static_cast<Address>(slot + 1) << kOffsetBits;
  }
  Address AddressOf(halide_buffer_t *allocated) override {
    return AddressOf(reinterpret_cast<void *>(halide_opencl_get_cl_mem(nullptr, allocated)));
  }
  void Forget(Address address) override { handles[(address >> kOffsetBits) - 1] = nullptr; }
  void ForgetAll() override { handles.clear(); }

  int64_t OffsetOf(Address address) const override {
    return static_cast<int64_t>(address & ((Address{1} << kOffsetBits) - 1));
  }
  int64_t Alignment() const override { return current.alignment; }
  int64_t SharedBytes() const override { return std::min(current.shared_bytes, GpuApi::SharedBytes()); }

  int Wrap(halide_buffer_t *buffer, Address address) override {
    const uint64_t number = address >> kOffsetBits;
    if (number == 0) return halide_error_code_device_wrap_native_failed;  // more of them than a call can name
    const auto handle = reinterpret_cast<uint64_t>(handles[number - 1]);
    const int64_t offset = OffsetOf(address);
    if (offset == 0) return halide_opencl_wrap_cl_mem(nullptr, buffer, handle);
    // A part of the memory object, as a crop of a buffer over the whole.
    constexpr int64_t kRow = 1 << 20;
    halide_dimension_t whole_dims[2] = {{0, kRow, 1, 0}, {0, 1 << 28, kRow, 0}};
    halide_dimension_t part_dims[2] = {{static_cast<int32_t>(offset % kRow), 1, 1, 0},
                                       {static_cast<int32_t>(offset / kRow), 1, kRow, 0}};
    halide_buffer_t whole = {}, part = {};
    whole.type = part.type = halide_type_t(halide_type_uint, 8);
    whole.dimensions = part.dimensions = 2;
    whole.dim = whole_dims;
    part.dim = part_dims;
    int code = halide_opencl_wrap_cl_mem(nullptr, &whole, handle);
    if (code != 0) return code;
    code = halide_device_crop(nullptr, &whole, &part);
    halide_opencl_detach_cl_mem(nullptr, &whole);
    buffer->device = part.device;
    buffer->device_interface = part.device_interface;
    return code;
  }

  void Unwrap(halide_buffer_t *buffer) override {
    if (!buffer->device) return;
    if (halide_opencl_get_crop_offset(nullptr, buffer) == 0) {
      halide_opencl_detach_cl_mem(nullptr, buffer);
    } else {
      halide_device_release_crop(nullptr, buffer);
    }
  }

 private:
  // Made once and kept, as a queue in use can't be told from one that is not.
  static haline_status OwnQueue() {
    static const Current own = [] {
      Library &cl = library();
      Current made;
      made.context = cl.clCreateContext(nullptr, 1, &cl.device, nullptr, nullptr, nullptr);
      if (made.context) made.queue = cl.clCreateCommandQueue(made.context, cl.device, 0, nullptr);
      return made;
    }();
    if (!own.queue) return Fail(HALINE_UNSUPPORTED, "opencl: the driver gives haline no context and queue");
    current = own;
    return HALINE_OK;
  }

  static void KeepContext(Handle context) {
    constexpr int kMost = 64;
    static std::mutex mutex;
    static Handle kept[kMost];
    static int count = 0;
    const std::lock_guard<std::mutex> lock(mutex);
    bool known = false;
    for (int i = 0; i < count; i++) known = known || kept[i] == context;
    if (!known) {
      library().clRetainContext(context);
      if (count < kMost) kept[count++] = context;
    }
  }
};

}  // namespace

GpuApi *OpenCl() {
  static OpenClApi api;
  return &api;
}

}  // namespace haline

// In place of those of Halide's runtime, which would make a context of their own. The thread's call says which.
extern "C" int halide_acquire_cl_context(void *, void **context, void **queue, bool) {
  *context = haline::current.context;
  *queue = haline::current.queue;
  return 0;
}
extern "C" int halide_release_cl_context(void *) { return 0; }

// The one library, whatever its name.
extern "C" void *halide_opencl_get_symbol(void *, const char *name) { return haline::library().driver.Symbol(name); }

// Which GPU interfaces are built into the library: HALINE_WITH_CUDA, HALINE_WITH_OPENCL.
#include "gpu_api.h"

#include <cstring>

namespace haline {
namespace {

struct Interface {
  const char *backend;
  int32_t device_type;
  GpuApi *(*get)();
};

constexpr Interface kInterfaces[] = {
#ifdef HALINE_WITH_CUDA
    {"cuda", HALINE_CUDA, Cuda},
#endif
#ifdef HALINE_WITH_OPENCL
    {"opencl", HALINE_OPENCL, OpenCl},
#endif
    {"", 0, nullptr},
};

}  // namespace

GpuApi *FindGpuApi(const char *backend) {
  for (const Interface &i : kInterfaces) {
    if (i.get && std::strcmp(i.backend, backend) == 0) return i.get();
  }
  return nullptr;
}

const char *GpuBackendOf(int32_t device_type) {
  for (const Interface &i : kInterfaces) {
    if (i.get && i.device_type == device_type) return i.backend;
  }
  return nullptr;
}

const char *const kGpuDeviceTypes =
    ""
#ifdef HALINE_WITH_CUDA
    ", 2 (CUDA)"
#endif
#ifdef HALINE_WITH_OPENCL
    ", 4 (OpenCL)"
#endif
    ;

}  // namespace haline

#include "backend.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "error.h"
#include "gpu_api.h"
#include "gpu_kernels.h"

namespace haline {
namespace {

// Everything haline knows of a back end that is not in its kernels. Best first.
struct Description {
  const char *name;
  const char *needs;
  bool (*runs)();  // null: a GPU, which its own interface knows of
  int32_t device = HALINE_CPU;
};

#if defined(__x86_64__)
// The compiler's own detection: it asks the processor and, for the wide registers, the operating system.
bool HasAvx512() { return __builtin_cpu_supports("x86-64-v4"); }
bool HasAvx2() { return __builtin_cpu_supports("x86-64-v3"); }
bool HasSse41() { return __builtin_cpu_supports("sse4.1"); }
bool HasNeon() { return false; }
#else
bool HasAvx512() { return false; }
bool HasAvx2() { return false; }
bool HasSse41() { return false; }
bool HasNeon() { return true; }
#endif

constexpr Description kBackends[] = {
    {"x86-avx512", "needs an x86-64 processor with AVX-512 F, BW, CD, DQ and VL (x86-64-v4)", HasAvx512},
    {"x86-avx2", "needs an x86-64 processor with AVX2, FMA and F16C (x86-64-v3)", HasAvx2},
    {"x86-64", "needs an x86-64 processor with SSE4.1", HasSse41},
    {"arm-neon", "needs an AArch64 processor", HasNeon},
    // Never chosen for the host's tensors unless they are named.
    {"cuda", nullptr, nullptr, HALINE_CUDA},
    {"opencl", nullptr, nullptr, HALINE_OPENCL},
};
constexpr int kBackendCount = sizeof(kBackends) / sizeof(kBackends[0]);

const Description *Find(const char *name) {
  for (const Description &backend : kBackends) {
    if (std::strcmp(backend.name, name) == 0) return &backend;
  }
  return nullptr;
}

// The GPUs' tables, as sets of kernels.
const KernelSet *BuiltForGpu(const char *name) {
  static const KernelSet *const sets = [] {
    static KernelSet made[kBackendCount] = {};
    for (int i = 0; i < kGpuKernelsCount && i < kBackendCount; i++) {
      made[i].name = kGpuKernels[i].name;
      made[i].gpu = &kGpuKernels[i];
    }
    return made;
  }();
  for (int i = 0; i < kGpuKernelsCount; i++) {
    if (std::strcmp(sets[i].name, name) == 0) return &sets[i];
  }
  return nullptr;
}

const KernelSet *Built(const char *name) {
  for (int i = 0; i < kKernelSetCount; i++) {
    if (std::strcmp(kKernelSets[i].name, name) == 0) return &kKernelSets[i];
  }
  return BuiltForGpu(name);
}

// "" where the back end runs, or else the reason.
const char *WhyNot(const Description &backend) {
  if (backend.runs && !backend.runs()) return backend.needs;
  if (!Built(backend.name)) return "not built into this library";
  return backend.runs ? "" : FindGpuApi(backend.name)->WhyNot();
}

// The kernels of a back end if it runs here, else null. Found out once for the processors', as calls may name theirs
// each time; a GPU's driver, which may take its time to start, is opened for those alone who name the GPU.
const KernelSet *Runnable(int index) {
  static const std::array<const KernelSet *, kBackendCount> processors = [] {
    std::array<const KernelSet *, kBackendCount> kernels = {};
    for (int i = 0; i < kBackendCount; i++) {
      if (kBackends[i].runs && !*WhyNot(kBackends[i])) kernels[i] = Built(kBackends[i].name);
    }
    return kernels;
  }();
  const Description &backend = kBackends[index];
  return backend.runs ? processors[index] : *WhyNot(backend) ? nullptr : Built(backend.name);
}

haline_status Lookup(const char *name, const char *who, const KernelSet **kernels) {
  const Description *backend = Find(name);
  if (!backend) {
    return Fail(HALINE_INVALID_ARGUMENT,
                "%s: \"%s\" found, one of x86-avx512, x86-avx2, x86-64, arm-neon, cuda, opencl wanted", who, name);
  }
  *kernels = Runnable(static_cast<int>(backend - kBackends));
  if (*kernels) return HALINE_OK;
  return Fail(HALINE_UNSUPPORTED, "%s: \"%s\" found, which does not run here: %s", who, name, WhyNot(*backend));
}

// What no one forced: HALINE_BACKEND, or else the best. Worked out once; a wrong name in the variable is an error of
// every call that relies on it.
struct Automatic {
  const KernelSet *kernels = nullptr;
  char from_environment[64] = "";

  Automatic() {
    const char *name = std::getenv("HALINE_BACKEND");
    if (name && *name) {
      std::strncpy(from_environment, name, sizeof(from_environment) - 1);
      return;
    }
    for (const Description &backend : kBackends) {
      if (!kernels && backend.runs && !*WhyNot(backend)) kernels = Built(backend.name);
    }
  }
};

std::atomic<const KernelSet *> forced{nullptr};

}  // namespace

haline_status ChooseBackend(const char *name, int preferred, const KernelSet **kernels) {
  if (name) return Lookup(name, "backend", kernels);
  if ((*kernels = forced.load(std::memory_order_acquire))) return HALINE_OK;
  static const Automatic automatic;
  if (*automatic.from_environment) return Lookup(automatic.from_environment, "HALINE_BACKEND", kernels);
  if (preferred >= 0 && preferred < kBackendCount && (*kernels = Runnable(preferred))) return HALINE_OK;
  if (!automatic.kernels) return Fail(HALINE_UNSUPPORTED, "no back end of this library runs on this machine");
  *kernels = automatic.kernels;
  return HALINE_OK;
}

}  // namespace haline

using namespace haline;

int32_t haline_backend_count(void) { return kBackendCount; }

haline_status haline_backend_at(int32_t index, haline_backend *out) {
  if (index < 0 || index >= kBackendCount) {
    return Fail(HALINE_INVALID_ARGUMENT, "index: %d found, 0 to %d wanted", index, kBackendCount - 1);
  }
  if (!out || out->size < sizeof(haline_backend)) {
    return Fail(HALINE_INVALID_ARGUMENT, "backend: null or size too small found, size = sizeof(haline_backend) wanted");
  }
  const Description &backend = kBackends[index];
  const KernelSet *kernels = Built(backend.name);
  out->name = backend.name;
  const auto metadata = !kernels       ? nullptr
                        : kernels->gpu ? kernels->gpu->elements[0].apply.metadata
                                       : kernels->elements[0].apply.metadata;
  out->target = metadata ? metadata()->target : "";
  out->built = kernels != nullptr;
  out->reason = WhyNot(backend);
  out->runs_here = !*out->reason;
  out->device = backend.device;
  return HALINE_OK;
}

haline_status haline_set_backend(const char *name) {
  const KernelSet *kernels = nullptr;
  if (name) {
    const haline_status status = Lookup(name, "backend", &kernels);
    if (status != HALINE_OK) return status;
  }
  forced.store(kernels, std::memory_order_release);
  return HALINE_OK;
}

const char *haline_current_backend(void) {
  const KernelSet *kernels = nullptr;
  return ChooseBackend(nullptr, -1, &kernels) == HALINE_OK ? kernels->name : nullptr;
}

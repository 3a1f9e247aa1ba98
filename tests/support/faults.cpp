// SPDX-License-Identifier: MIT
#include "support/faults.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

namespace haline::test {
namespace {

char cuda_library, opencl_library;  // what dlopen gives
int opened = 0;

}  // namespace

Faults &TheFaults() {
  static Faults *const faults = [] {
    auto *made = new Faults;  // for good: drivers are called until the process has ended
    if (DriverScenario() == "no-device") made->Fail("clGetPlatformIDs", 1, -1001, true);
    if (DriverScenario() == "incapable") made->Fail("clGetDeviceInfo", 1, -30, true);
    return made;
  }();
  return *faults;
}

void Faults::Fail(const std::string &name, int which, int with, bool from_then_on) {
  Reset();
  function = name;
  call = which;
  code = with;
  for_good = from_then_on;
}

bool Faults::Now(const char *name) {
  const int so_far = ++calls[name], all = ++calls["*"];
  const bool meant = function == "*" || function == name;
  const int count = function == "*" ? all : so_far;
  if (!meant || count < call || (count > call && !for_good)) return false;
  failed++;
  return true;
}

std::string DriverScenario() {
  const char *scenario = std::getenv("HALINE_TEST_DRIVERS");
  return scenario ? scenario : "";
}

int DriversOpened() { return opened; }

}  // namespace haline::test

using namespace haline::test;

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
extern "C" void *__real_dlopen(const char *name, int flags);
extern "C" void *__real_dlsym(void *library, const char *name);

extern "C" void *__wrap_dlopen(const char *name, int flags) {
  const bool cuda = name && std::strncmp(name, "libcuda.so", 10) == 0;
  if (!cuda && (!name || std::strncmp(name, "libOpenCL.so", 12) != 0)) return __real_dlopen(name, flags);
  opened++;
  if (DriverScenario() == "missing") return nullptr;
  return cuda ? &cuda_library : &opencl_library;
}

extern "C" void *__wrap_dlsym(void *library, const char *name) {
  if (library != &cuda_library && library != &opencl_library) return __real_dlsym(library, name);
  if (DriverScenario() == "old" &&
      (std::strcmp(name, "cuStreamGetCtx") == 0 || std::strcmp(name, "clRetainContext") == 0)) {
    return nullptr;
  }
  return library == &cuda_library ? CudaSymbol(name) : OpenClSymbol(name);
}
// NOLINTEND(bugprone-reserved-identifier)

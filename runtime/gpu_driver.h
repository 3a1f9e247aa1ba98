// A GPU's driver, looked for at run time: its library need not be there, nor its headers be installed.
#ifndef HALINE_RUNTIME_GPU_DRIVER_H_
#define HALINE_RUNTIME_GPU_DRIVER_H_

#include <dlfcn.h>

#include <cstring>
#include <initializer_list>

namespace haline {

class GpuDriver {
 public:
  // The first of these libraries that there is, for good: kernels may be in flight when the process ends.
  explicit GpuDriver(std::initializer_list<const char *> names) {
    for (const char *name : names) {
      if (!library_) library_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    complete_ = library_ != nullptr;
  }

  void *Symbol(const char *name) const { return library_ ? dlsym(library_, name) : nullptr; }

  template <typename F>
  void Load(F *function, const char *name, bool needed = true) {
    void *symbol = Symbol(name);
    complete_ = complete_ && (symbol || !needed);
    std::memcpy(function, &symbol, sizeof(symbol));
  }
  bool found() const { return library_ != nullptr; }
  // Found, with all that was needed of it.
  bool complete() const { return complete_; }

 private:
  void *library_ = nullptr;
  bool complete_;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_GPU_DRIVER_H_

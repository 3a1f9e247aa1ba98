// One array of a call, as the C library's tensor: NumPy's and others' memory through the buffer protocol (bfloat16, of
// which NumPy makes no buffers, through __array_struct__), everything else through DLPack. Nothing is copied; the
// memory is held until the Argument goes. The caller holds the GIL.
#ifndef HALINE_PYTHON_ARGUMENT_H_
#define HALINE_PYTHON_ARGUMENT_H_

#include <nanobind/nanobind.h>

#include <cstdint>

#include "haline/haline.h"

namespace haline_python {

// Once, when the module is imported.
void LookUp();

// Sets a Python error and throws it.
[[noreturn]] void Raise(PyObject *type, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum class Access { kRead, kWrite };
enum class Elements { kFloat, kLength };

class Argument {
 public:
  Argument() {}  // NOLINT: shape_ and strides_ are left as they are, as most of them are never used
  ~Argument();
  Argument(const Argument &) = delete;
  Argument &operator=(const Argument &) = delete;

  // None stays a null tensor. Raises TypeError, or ValueError for what is not writable, with `name` first.
  void Open(const char *name, nanobind::handle object, Access access = Access::kRead,
            Elements elements = Elements::kFloat);

  // Moves an axis to 1, where the library wants the channels: by its strides.
  void MoveAxis(int64_t axis);

  haline_tensor *tensor() { return present_ ? &tensor_ : nullptr; }

 private:
  static constexpr int kMostAxes = 64;  // as NumPy

  bool OpenBuffer(const char *name, nanobind::handle object, Access access);
  bool OpenStruct(const char *name, nanobind::handle object, Access access);
  void OpenDlpack(const char *name, nanobind::handle object, Access access);
  bool SetType(const char *format, Py_ssize_t item_size);
  void SetMemory(const char *name, Access access, bool writable, void *data, int ndim, const Py_ssize_t *shape,
                 const Py_ssize_t *strides);

  bool present_ = false, buffer_open_ = false;
  haline_tensor tensor_;
  nanobind::object capsule_;
  Py_buffer buffer_;
  int64_t shape_[kMostAxes], strides_[kMostAxes];
};

// Defines a function all of whose arguments may be None, so that our own messages tell what is wrong with one.
template <typename Result, typename... Arguments>
void Define(nanobind::module_ &module, const char *name, Result (*function)(Arguments...)) {
  module.def(name, function, (static_cast<void>(sizeof(Arguments)), nanobind::arg().none())...);
}

// The module's functions that look at an array and make memory for results (memory.cpp).
void DefineMemory(nanobind::module_ &module);

}  // namespace haline_python

#endif  // HALINE_PYTHON_ARGUMENT_H_

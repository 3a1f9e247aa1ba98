#include "argument.h"

#include <atomic>
#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

namespace nb = nanobind;

namespace haline_python {
namespace {

// DLPack's managed tensors (dlpack.h of version 1), as far as they are read here.
struct DlpackVersioned {
  uint32_t major, minor;
  void *manager_context;
  void (*deleter)(DlpackVersioned *);
  uint64_t flags;  // bit 0: read-only
  haline_tensor tensor;
};

constexpr int32_t kCudaHost = 3, kRocmHost = 11;  // memory that the processor reads as its own

nb::object NumPy(const char *name) { return nb::module_::import_("numpy").attr(name); }

// Looked up once, by LookUp().
PyObject *array_type, *masked_array_type, *dlpack_version, *dtype_name, *struct_name;

// ml_dtypes' bfloat16, once an array of it has come.
std::atomic<PyObject *> bfloat16_dtype = nullptr;

// What NumPy's __array_struct__ is a capsule of (numpy.org: the array interface protocol).
struct ArrayInterface {
  int two, ndim;
  char kind;
  int item_size, flags;
  Py_ssize_t *shape, *strides;  // strides in bytes
  void *data;
  PyObject *description;
};
constexpr int kNative = 0x200, kWritable = 0x400;  // flags

// str(object)
std::string Text(nb::handle object) {
  const nb::object text = nb::steal(PyObject_Str(object.ptr()));
  const char *const bytes = text ? PyUnicode_AsUTF8AndSize(text.ptr(), nullptr) : nullptr;
  if (!bytes) throw nb::python_error();
  return bytes;
}

// "float32", as NumPy says it of an array; the class of anything else.
std::string TypeText(nb::handle object) {
  if (!nb::hasattr(object, "dtype")) return nb::type_name(object.type()).c_str();
  return "dtype " + Text(nb::object(object.attr("dtype")));
}

[[noreturn]] void RaiseElements(const char *name, const std::string &found, Elements elements) {
  Raise(PyExc_TypeError, "%s: %s found, %s elements in the machine's byte order wanted", name, found.c_str(),
        elements == Elements::kFloat ? "float32, float16, bfloat16 or float64" : "int32 or int64");
}

// Whether an array has elements of the bfloat16 that came before. (False too where there was none yet.)
bool IsBFloat16(nb::handle array) {
  PyObject *const known = bfloat16_dtype;
  if (!known) return false;
  const nb::object dtype = nb::steal(PyObject_GetAttr(array.ptr(), dtype_name));
  if (!dtype) throw nb::python_error();
  return dtype.ptr() == known;
}

}  // namespace

void LookUp() {
  array_type = NumPy("ndarray").release().ptr();
  masked_array_type = nb::object(NumPy("ma").attr("MaskedArray")).release().ptr();
  dlpack_version = nb::make_tuple(1, 1).release().ptr();
  dtype_name = PyUnicode_InternFromString("dtype");
  struct_name = PyUnicode_InternFromString("__array_struct__");
}

void Raise(PyObject *type, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  PyErr_SetString(type, text);
  throw nb::python_error();
}

Argument::~Argument() {
  if (buffer_open_) PyBuffer_Release(&buffer_);
}

void Argument::Open(const char *name, nb::handle object, Access access, Elements elements) {
  if (object.is_none()) return;
  const bool plain = object.type().ptr() == array_type;
  const bool array = plain || PyObject_IsInstance(object.ptr(), array_type) == 1;
  if (array && !plain && PyObject_IsInstance(object.ptr(), masked_array_type) == 1) {
    Raise(PyExc_TypeError, "%s: a masked array found, an array without a mask wanted: use its filled() or its data",
          name);
  }
  if (!array && nb::hasattr(object, "__dlpack__")) {
    OpenDlpack(name, object, access);
  } else if (array && IsBFloat16(object)) {
    if (!OpenStruct(name, object, access)) RaiseElements(name, TypeText(object), elements);
  } else if (PyObject_CheckBuffer(object.ptr())) {
    if (!OpenBuffer(name, object, access)) RaiseElements(name, TypeText(object), elements);
  } else {
    Raise(PyExc_TypeError, "%s: %s found, an array wanted: NumPy's, or one with __dlpack__ or the buffer protocol",
          name, nb::type_name(object.type()).c_str());
  }
  const haline_dtype type = tensor_.dtype;
  const bool floating =
      type.code == HALINE_BFLOAT ? type.bits == 16 : type.code == HALINE_FLOAT && type.bits >= 16 && type.bits <= 64;
  const bool length = type.code == HALINE_INT && (type.bits == 32 || type.bits == 64);
  if (type.lanes != 1 || !(elements == Elements::kFloat ? floating : length)) {
    RaiseElements(name, TypeText(object), elements);
  }
  present_ = true;
}

// False where the elements are none that haline could know.
bool Argument::OpenBuffer(const char *name, nb::handle object, Access access) {
  if (PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_RECORDS_RO) != 0) {
    nb::python_error error;  // takes it from Python
    if (!nb::hasattr(object, "dtype")) throw error;
    // NumPy has no buffers of ml_dtypes' bfloat16.
    const nb::object dtype = object.attr("dtype");
    if (Text(dtype) != "bfloat16" || !nb::hasattr(object, "__array_struct__")) return false;
    PyObject *none = nullptr;
    if (bfloat16_dtype.compare_exchange_strong(none, dtype.ptr())) dtype.inc_ref();
    return OpenStruct(name, object, access);
  }
  buffer_open_ = true;
  if (!SetType(buffer_.format, buffer_.itemsize)) return false;
  SetMemory(name, access, !buffer_.readonly, buffer_.buf, buffer_.ndim, buffer_.shape, buffer_.strides);
  return true;
}

// An array of bfloat16s, whose dtype alone says so.
bool Argument::OpenStruct(const char *name, nb::handle object, Access access) {
  capsule_ = nb::steal(PyObject_GetAttr(object.ptr(), struct_name));
  const auto *const array =
      capsule_ ? static_cast<const ArrayInterface *>(PyCapsule_GetPointer(capsule_.ptr(), nullptr)) : nullptr;
  if (!array) throw nb::python_error();
  if (array->two != 2 || array->item_size != 2 || !(array->flags & kNative)) return false;
  tensor_.dtype = {HALINE_BFLOAT, 16, 1};
  SetMemory(name, access, array->flags & kWritable, array->data, array->ndim, array->shape, array->strides);
  return true;
}

// Of elements of tensor_'s type; strides in bytes.
void Argument::SetMemory(const char *name, Access access, bool writable, void *data, int ndim, const Py_ssize_t *shape,
                         const Py_ssize_t *strides) {
  if (access == Access::kWrite && !writable) {
    Raise(PyExc_ValueError, "%s: read-only memory found, writable wanted", name);
  }
  if (ndim > kMostAxes) Raise(PyExc_ValueError, "%s: rank %d found, at most 64 wanted", name, ndim);
  tensor_ = {data, {HALINE_CPU, 0}, ndim, tensor_.dtype, shape_, strides_, 0};
  const Py_ssize_t size = tensor_.dtype.bits / 8;
  for (int i = 0; i < ndim; i++) {
    shape_[i] = shape[i];
    strides_[i] = strides[i] / size;
    if (shape_[i] > 1 && strides[i] % size != 0) {
      Raise(PyExc_ValueError, "%s: a stride of %zd bytes found, a multiple of %zd (an element) wanted", name,
            strides[i], size);
    }
  }
}

// From a format of Python's struct module.
bool Argument::SetType(const char *format, Py_ssize_t item_size) {
  const char *code = format ? format : "B";
  if (*code == '@' || *code == '=' || *code == (std::endian::native == std::endian::little ? '<' : '>')) code++;
  if (!*code || code[1]) return false;
  const uint8_t kind = std::strchr("efd", *code)      ? HALINE_FLOAT
                       : std::strchr("bhilqn", *code) ? HALINE_INT
                       : std::strchr("BHILQN", *code) ? HALINE_UINT
                                                      : 0xff;
  tensor_.dtype = {kind, static_cast<uint8_t>(8 * item_size), 1};
  return kind != 0xff;
}

void Argument::OpenDlpack(const char *name, nb::handle object, Access access) {
  try {
    try {
      capsule_ = object.attr("__dlpack__")(nb::arg("max_version") = nb::handle(dlpack_version));
    } catch (nb::python_error &error) {
      if (!error.matches(PyExc_TypeError)) throw;
      capsule_ = object.attr("__dlpack__")();  // from before version 1
    }
  } catch (nb::python_error &error) {
    if (!error.matches(PyExc_Exception)) throw;  // KeyboardInterrupt and the like
    nb::object cause = nb::borrow(error.value());
    const std::string message = std::string(name) + ": " + nb::type_name(object.type()).c_str() +
                                " found that gives no DLPack tensor: " + Text(cause);
    nb::object raised = nb::handle(PyExc_ValueError)(message.c_str());
    raised.attr("__cause__") = cause;
    PyErr_SetObject(PyExc_ValueError, raised.ptr());
    throw nb::python_error();
  }
  // The capsule is held, not consumed: it frees the tensor when it goes.
  bool read_only = false;
  if (PyCapsule_IsValid(capsule_.ptr(), "dltensor_versioned")) {
    const auto *const managed =
        static_cast<const DlpackVersioned *>(PyCapsule_GetPointer(capsule_.ptr(), "dltensor_versioned"));
    if (managed->major != 1) Raise(PyExc_ValueError, "%s: DLPack %u found, 1 wanted", name, managed->major);
    tensor_ = managed->tensor;
    read_only = managed->flags & 1;
  } else if (PyCapsule_IsValid(capsule_.ptr(), "dltensor")) {
    tensor_ = *static_cast<const haline_tensor *>(PyCapsule_GetPointer(capsule_.ptr(), "dltensor"));
  } else {
    Raise(PyExc_TypeError, "%s: an object whose __dlpack__ gives no DLPack capsule found, a tensor wanted", name);
  }
  if (access == Access::kWrite && read_only) {
    Raise(PyExc_ValueError, "%s: read-only memory found, writable wanted", name);
  }
  if (tensor_.ndim < 0 || tensor_.ndim > kMostAxes) {
    Raise(PyExc_ValueError, "%s: rank %d found, 0 to 64 wanted", name, tensor_.ndim);
  }
  if (tensor_.device.type == kCudaHost || tensor_.device.type == kRocmHost) tensor_.device = {HALINE_CPU, 0};
  uint64_t contiguous = 1;  // the library refuses what overflows
  for (int i = tensor_.ndim - 1; i >= 0; i--) {
    shape_[i] = tensor_.shape[i];
    strides_[i] = tensor_.strides ? tensor_.strides[i] : static_cast<int64_t>(contiguous);
    contiguous *= static_cast<uint64_t>(shape_[i]);
  }
  tensor_.shape = shape_;
  tensor_.strides = strides_;
}

void Argument::MoveAxis(int64_t axis) {
  const auto move = [axis](int64_t *values) {
    const int64_t value = values[axis];
    for (int64_t i = axis; i > 1; i--) values[i] = values[i - 1];
    if (axis == 0) values[0] = values[1];
    values[1] = value;
  };
  move(shape_);
  move(strides_);
}

}  // namespace haline_python

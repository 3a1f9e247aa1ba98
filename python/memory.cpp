// Memory for results that NumPy can't make: laid out as another array is, and handed to the array's own library through
// DLPack.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "argument.h"

namespace nb = nanobind;

namespace haline_python {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, and what JAX takes without a copy

struct Named {
  const char *name;
  haline_dtype dtype;
};
constexpr Named kTypes[] = {{"float32", {HALINE_FLOAT, 32, 1}},
                            {"float16", {HALINE_FLOAT, 16, 1}},
                            {"bfloat16", {HALINE_BFLOAT, 16, 1}},
                            {"float64", {HALINE_FLOAT, 64, 1}}};

// An array of memory of its own, whose axes lie in `order`, the outermost first.
nb::object Make(const std::vector<size_t> &shape, const std::vector<int> &order, haline_dtype dtype) {
  std::vector<int64_t> strides(shape.size());
  size_t size = dtype.bits / 8;
  bool fits = true;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[order[i]] = static_cast<int64_t>(size / (dtype.bits / 8));
    fits = fits && !__builtin_mul_overflow(size, std::max<size_t>(1, shape[order[i]]), &size);
  }
  void *const data = fits && size < SIZE_MAX / 2
                         ? std::aligned_alloc(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment)
                         : nullptr;
  if (!data) Raise(PyExc_MemoryError, "out of memory for a result");
  const nb::capsule owner(data, [](void *p) noexcept { std::free(p); });
  return nb::cast(nb::ndarray<nb::array_api>(data, shape.size(), shape.data(), owner, strides.data(),
                                             nb::dlpack::dtype{dtype.code, dtype.bits, dtype.lanes}, HALINE_CPU, 0));
}

// (shape, "float32"), or what is wrong with the array.
nb::tuple Describe(const char *name, nb::handle object) {
  Argument argument;
  argument.Open(name, object);
  if (!argument.tensor()) Raise(PyExc_TypeError, "%s: None found, an array wanted", name);
  const haline_tensor &tensor = *argument.tensor();
  nb::list shape;
  for (int i = 0; i < tensor.ndim; i++) shape.append(tensor.shape[i]);
  for (const Named &type : kTypes) {
    if (type.dtype.code == tensor.dtype.code && type.dtype.bits == tensor.dtype.bits) {
      return nb::make_tuple(nb::tuple(shape), type.name);
    }
  }
  Raise(PyExc_TypeError, "%s: elements found that haline does not know", name);
}

// An array of x's shape and type, its axes in memory in the order of x's.
nb::object EmptyLike(nb::handle object) {
  Argument argument;
  argument.Open("x", object);
  if (!argument.tensor()) Raise(PyExc_TypeError, "x: None found, an array wanted");
  const haline_tensor &x = *argument.tensor();
  const std::vector<size_t> shape(x.shape, x.shape + x.ndim);
  std::vector<int> order(x.ndim);
  std::iota(order.begin(), order.end(), 0);
  const auto reach = [&](int axis) { return shape[axis] == 1 ? INT64_MAX : std::abs(x.strides[axis]); };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return reach(a) > reach(b); });
  return Make(shape, order, x.dtype);
}

nb::object Empty(nb::tuple sizes, const char *dtype) {
  std::vector<size_t> shape;
  for (nb::handle size : sizes) shape.push_back(nb::cast<size_t>(size));
  std::vector<int> order(shape.size());
  std::iota(order.begin(), order.end(), 0);
  for (const Named &type : kTypes) {
    if (std::string(dtype) == type.name) return Make(shape, order, type.dtype);
  }
  Raise(PyExc_TypeError, "dtype: '%.100s' found, float32, float16, bfloat16 or float64 wanted", dtype);
}

}  // namespace

void DefineMemory(nb::module_ &module) {
  module.def("describe", Describe, nb::arg("name"), nb::arg("array").none(),
             nb::sig("def describe(name: str, array: object) -> tuple[tuple[int, ...], str]"));
  Define(module, "empty_like", EmptyLike);
  module.def("empty", Empty, nb::sig("def empty(shape: tuple[int, ...], dtype: str, /) -> object"));
}

}  // namespace haline_python

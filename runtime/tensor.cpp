#include "tensor.h"

#include <cstdio>
#include <limits>

#include "error.h"
#include "gpu_api.h"

namespace haline {
namespace {

// "float32", "uint8x4", ...
struct DTypeText {
  char text[48];
  explicit DTypeText(haline_dtype dtype) {
    const char *code = dtype.code == HALINE_FLOAT    ? "float"
                       : dtype.code == HALINE_BFLOAT ? "bfloat"
                       : dtype.code == HALINE_INT    ? "int"
                       : dtype.code == HALINE_UINT   ? "uint"
                                                     : nullptr;
    if (!code) {
      std::snprintf(text, sizeof(text), "type code %d with %d bits", dtype.code, dtype.bits);
    } else if (dtype.lanes == 1) {
      std::snprintf(text, sizeof(text), "%s%d", code, dtype.bits);
    } else {
      std::snprintf(text, sizeof(text), "%s%dx%d", code, dtype.bits, dtype.lanes);
    }
  }
};

const char *DeviceName(int32_t type) {
  return type == HALINE_CPU ? "CPU" : type == HALINE_CUDA ? "CUDA" : type == HALINE_OPENCL ? "OpenCL" : "unknown";
}

}  // namespace

char *Data(const haline_tensor &t) {
  if (t.device.type != HALINE_OPENCL) return static_cast<char *>(t.data) + t.byte_offset;
  return reinterpret_cast<char *>(FindGpuApi("opencl")->AddressOf(t.data) + t.byte_offset);
}

haline_status CheckDevice(const char *name, const haline_tensor &t, const haline_device &wanted) {
  if (t.device.type != wanted.type) {
    return Fail(HALINE_UNSUPPORTED, "%s: device type %d found, %d (%s) wanted", name, t.device.type, wanted.type,
                DeviceName(wanted.type));
  }
  if (t.device.id != wanted.id && wanted.type != HALINE_CPU) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: device id %d found, %d (the device of x) wanted", name, t.device.id,
                wanted.id);
  }
  return HALINE_OK;
}

ShapeText::ShapeText(const int64_t *shape, int rank) {
  size_t used = 0;
  const auto put = [&](const char *format, auto... values) {
    if (used < sizeof(text)) used += std::snprintf(text + used, sizeof(text) - used, format, values...);
  };
  put("[");
  for (int i = 0; i < rank; i++) put(i ? ", %lld" : "%lld", static_cast<long long>(shape[i]));
  put("]");
}

ShapeText::ShapeText(const haline_tensor &t) : ShapeText(t.shape, t.ndim) {}

int64_t Stride(const haline_tensor &t, int i) {
  if (t.strides) return t.strides[i];
  uint64_t stride = 1;  // unsigned, as beside an extent of 0 the others may be anything
  for (int j = t.ndim - 1; j > i; j--) stride *= static_cast<uint64_t>(t.shape[j]);
  return static_cast<int64_t>(stride);
}

haline_status CheckTensor(Operand *operand, const haline_device &device) {
  const char *const name = operand->name;
  const haline_tensor *const t = operand->tensor;
  if (!t) return Fail(HALINE_INVALID_ARGUMENT, "%s: null found, a tensor wanted", name);
  const haline_status on_device = CheckDevice(name, *t, device);
  if (on_device != HALINE_OK) return on_device;
  if (t->ndim < 0 || (t->ndim > 0 && !t->shape)) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: %d dimensions and %s shape found, a shape wanted", name, t->ndim,
                t->shape ? "a" : "a null");
  }
  const int64_t size = t->dtype.bits / 8 > 0 ? t->dtype.bits / 8 : 1;
  int64_t count = 1, bytes;
  bool empty = false, too_many = false;
  for (int i = 0; i < t->ndim; i++) {
    if (t->shape[i] < 0) {
      return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, extents of 0 and up wanted", name, ShapeText(*t).text);
    }
    empty = empty || t->shape[i] == 0;
    too_many = __builtin_mul_overflow(count, t->shape[i], &count) || too_many;
  }
  if (empty) return HALINE_OK;
  if (too_many || __builtin_mul_overflow(count, size, &bytes)) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, which no memory can hold", name, ShapeText(*t).text);
  }
  if (!t->data) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: null data found, %lld elements wanted", name,
                static_cast<long long>(count));
  }
  const auto data = reinterpret_cast<uintptr_t>(Data(*t));
  const int64_t align = size & -size;  // (For a mask: a division takes as long as all else here.)
  if ((data & static_cast<uintptr_t>(align - 1)) != 0) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: data that is not aligned to %lld bytes found, aligned %s wanted", name,
                static_cast<long long>(align), DTypeText(t->dtype).text);
  }
  operand->count = count;
  operand->memory = {data, data + static_cast<uintptr_t>(bytes)};
  if (t->strides) {
    uint64_t low = 0, high = 1;  // unsigned, as strides may be anything
    for (int i = 0; i < t->ndim; i++) {
      const uint64_t reach = static_cast<uint64_t>(t->shape[i] - 1) * static_cast<uint64_t>(t->strides[i]);
      (static_cast<int64_t>(reach) < 0 ? low : high) += reach;
      operand->repeats = operand->repeats || (t->strides[i] == 0 && t->shape[i] > 1);
    }
    operand->memory = {data + low * size, data + high * size};
  }
  return HALINE_OK;
}

const char *Name(Element element) {
  constexpr const char *kNames[] = {"float32", "float16", "bfloat16", "float64"};
  return kNames[static_cast<int>(element)];
}

static constexpr uint32_t Key(haline_dtype d) { return d.code | uint32_t{d.bits} << 8 | uint32_t{d.lanes} << 16; }

haline_status GetElement(const char *name, const haline_tensor &t, Element *element) {
  switch (Key(t.dtype)) {
    case Key({HALINE_FLOAT, 32, 1}):
      return *element = Element::kF32, HALINE_OK;
    case Key({HALINE_FLOAT, 16, 1}):
      return *element = Element::kF16, HALINE_OK;
    case Key({HALINE_BFLOAT, 16, 1}):
      return *element = Element::kBF16, HALINE_OK;
    case Key({HALINE_FLOAT, 64, 1}):
      return *element = Element::kF64, HALINE_OK;
  }
  return Fail(HALINE_UNSUPPORTED, "%s: %s elements found, float32, float16, bfloat16 or float64 wanted", name,
              DTypeText(t.dtype).text);
}

haline_status ToArray(const char *name, const haline_tensor &t, Element element, bool rows_apart, Array *array) {
  array->element = element;
  array->data = Data(t);
  array->loop_count = 0;
  uint64_t contiguous = 1;  // unsigned, as beside an extent of 0 the others may be anything
  const auto next_stride = [&](int i) {
    const uint64_t stride = contiguous;
    contiguous *= static_cast<uint64_t>(t.shape[i]);
    return t.strides ? t.strides[i] : static_cast<int64_t>(stride);
  };
  for (int i = t.ndim - 1; i >= 2; i--) {
    const int64_t extent = t.shape[i], stride = next_stride(i);
    const bool row = rows_apart && i == t.ndim - 1;
    if (extent == 1 && !row) continue;
    if (array->loop_count > (rows_apart ? 1 : 0)) {
      Loop &last = array->loops[array->loop_count - 1];
      if (stride == last.stride * last.extent) {
        last.extent *= extent;
        continue;
      }
    }
    if (array->loop_count == kMostLoops) {
      return Fail(HALINE_UNSUPPORTED,
                  "%s: strides found that leave the dimensions after the second more than %d loops, fewer wanted: make "
                  "it contiguous first",
                  name, kMostLoops);
    }
    array->loops[array->loop_count++] = {extent, stride};
  }
  if (array->loop_count == 0) array->loops[array->loop_count++] = {1, 1};
  array->c_stride = next_stride(1);
  array->n_stride = next_stride(0);
  return HALINE_OK;
}

bool SameMemory(const haline_tensor &a, const haline_tensor &b) {
  if (Data(a) != Data(b) || a.ndim != b.ndim) return false;
  for (int i = 0; i < a.ndim; i++) {
    if (a.shape[i] != b.shape[i] || (a.shape[i] > 1 && Stride(a, i) != Stride(b, i))) return false;
  }
  return true;
}

}  // namespace haline

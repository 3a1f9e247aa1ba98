#include "check.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "error.h"

namespace haline {
namespace {

// "[2, 3, 4]", cut short after a few hundred characters.
struct ShapeText {
  char text[256];

  explicit ShapeText(const haline_tensor &t) {
    size_t used = 0;
    const auto put = [&](const char *format, auto... values) {
      if (used < sizeof(text)) used += std::snprintf(text + used, sizeof(text) - used, format, values...);
    };
    put("[");
    for (int i = 0; i < t.ndim; i++) put(i ? ", %lld" : "%lld", static_cast<long long>(t.shape[i]));
    put("]");
  }
};

const char *DTypeName(haline_dtype dtype, char (&text)[32]) {
  const char *code = dtype.code == HALINE_FLOAT  ? "float"
                     : dtype.code == HALINE_INT  ? "int"
                     : dtype.code == HALINE_UINT ? "uint"
                                                 : "type code ";
  if (code[0] == 't') {
    std::snprintf(text, sizeof(text), "%s%d with %d bits", code, dtype.code, dtype.bits);
  } else {
    std::snprintf(text, sizeof(text), dtype.lanes == 1 ? "%s%d" : "%s%dx%d", code, dtype.bits, dtype.lanes);
  }
  return text;
}

// The shape, device and type of one tensor. The number of elements goes to `count`.
haline_status CheckTensor(const char *name, const haline_tensor *t, int64_t *count) {
  if (!t) return Fail(HALINE_INVALID_ARGUMENT, "%s: null found, a tensor wanted", name);
  if (t->device.type != HALINE_CPU) {
    return Fail(HALINE_UNSUPPORTED, "%s: device type %d found, %d (CPU) wanted", name, t->device.type, HALINE_CPU);
  }
  if (t->dtype.code != HALINE_FLOAT || t->dtype.bits != 32 || t->dtype.lanes != 1) {
    char text[32];
    return Fail(HALINE_UNSUPPORTED, "%s: %s elements found, float32 wanted", name, DTypeName(t->dtype, text));
  }
  if (t->ndim < 0 || (t->ndim > 0 && !t->shape)) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: %d dimensions and %s shape found, a shape wanted", name, t->ndim,
                t->shape ? "a" : "a null");
  }
  *count = 1;
  bool empty = false;
  for (int i = 0; i < t->ndim; i++) {
    if (t->shape[i] < 0)
      return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, extents of 0 and up wanted", name, ShapeText(*t).text);
    empty = empty || t->shape[i] == 0;
  }
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / static_cast<int64_t>(sizeof(float));
  for (int i = 0; i < t->ndim && !empty; i++) {
    if (*count > kMost / t->shape[i]) {
      return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, which no memory can hold", name, ShapeText(*t).text);
    }
    *count *= t->shape[i];
  }
  if (empty) *count = 0;
  if (*count > 0 && !t->data) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: null data found, %lld elements wanted", name,
                static_cast<long long>(*count));
  }
  if (t->byte_offset % sizeof(float) != 0 || reinterpret_cast<uintptr_t>(t->data) % sizeof(float) != 0) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: data that is not aligned to 4 bytes found, aligned float32 wanted", name);
  }
  // Strides of dimensions with one element don't matter.
  int64_t stride = 1;
  for (int i = t->ndim - 1; i >= 0 && t->strides && *count > 0; i--) {
    if (t->shape[i] != 1 && t->strides[i] != stride) {
      return Fail(HALINE_UNSUPPORTED,
                  "%s: stride %lld in dimension %d of shape %s found, %lld (contiguous) wanted: copy it first", name,
                  static_cast<long long>(t->strides[i]), i, ShapeText(*t).text, static_cast<long long>(stride));
    }
    stride *= t->shape[i];
  }
  return HALINE_OK;
}

float *Data(const haline_tensor &t) { return reinterpret_cast<float *>(static_cast<char *>(t.data) + t.byte_offset); }

haline_status CheckPerChannel(const char *name, const haline_tensor *t, int64_t channels, const float **data) {
  if (!t) return HALINE_OK;
  int64_t count;
  const haline_status status = CheckTensor(name, t, &count);
  if (status != HALINE_OK) return status;
  if (t->ndim != 1 || t->shape[0] != channels) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, [%lld] (the channels of x) wanted", name,
                ShapeText(*t).text, static_cast<long long>(channels));
  }
  *data = Data(*t);
  return HALINE_OK;
}

bool Overlap(const float *a, int64_t a_count, const float *b, int64_t b_count) {
  const auto begin_a = reinterpret_cast<uintptr_t>(a), begin_b = reinterpret_cast<uintptr_t>(b);
  return begin_a < begin_b + b_count * sizeof(float) && begin_b < begin_a + a_count * sizeof(float);
}

}  // namespace

haline_status Check(const haline_tensor *x, const haline_tensor *scale, const haline_tensor *shift,
                    const haline_tensor *y, const haline_options *options, Problem *problem) {
  int64_t x_count, y_count;
  haline_status status = CheckTensor("x", x, &x_count);
  if (status == HALINE_OK) status = CheckTensor("y", y, &y_count);
  if (status != HALINE_OK) return status;
  if (x->ndim < 2) {
    return Fail(HALINE_INVALID_ARGUMENT, "x: rank %d found, 2 and up wanted: [N, C, *]", x->ndim);
  }
  if (y->ndim != x->ndim || std::memcmp(x->shape, y->shape, x->ndim * sizeof(int64_t)) != 0) {
    return Fail(HALINE_INVALID_ARGUMENT, "y: shape %s found, %s (the shape of x) wanted", ShapeText(*y).text,
                ShapeText(*x).text);
  }
  problem->batch = x->shape[0];
  problem->channels = x->shape[1];
  problem->size = x_count == 0 ? 0 : x_count / (problem->batch * problem->channels);
  if (problem->size > std::numeric_limits<int32_t>::max()) {
    return Fail(HALINE_UNSUPPORTED, "x: planes of %lld elements found, at most 2147483647 wanted",
                static_cast<long long>(problem->size));
  }
  problem->x = Data(*x);
  problem->y = Data(*y);
  if (problem->x != problem->y && Overlap(problem->x, x_count, problem->y, y_count)) {
    return Fail(HALINE_INVALID_ARGUMENT, "y: memory that overlaps x in part found, x itself or none of it wanted");
  }
  status = CheckPerChannel("scale", scale, problem->channels, &problem->scale);
  if (status == HALINE_OK) status = CheckPerChannel("shift", shift, problem->channels, &problem->shift);
  if (status != HALINE_OK) return status;
  for (const float *f : {problem->scale, problem->shift}) {
    if (f && Overlap(f, problem->channels, problem->y, y_count)) {
      return Fail(HALINE_INVALID_ARGUMENT, "y: memory that overlaps %s found, memory of its own wanted",
                  f == problem->scale ? "scale" : "shift");
    }
  }
  if (options) {
    if (options->size < sizeof(haline_options)) {
      return Fail(HALINE_INVALID_ARGUMENT, "options: size %zu found, at least %zu wanted: use HALINE_OPTIONS_INIT",
                  options->size, sizeof(haline_options));
    }
    problem->eps = options->eps;
    problem->backend = options->backend;
  }
  if (!(problem->eps >= 0) || std::isinf(problem->eps)) {
    return Fail(HALINE_INVALID_ARGUMENT, "eps: %g found, a finite number of 0 and up wanted", problem->eps);
  }
  return HALINE_OK;
}

}  // namespace haline

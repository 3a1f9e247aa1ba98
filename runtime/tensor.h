// From one of the caller's tensors to memory that is known to be sound, or to an error that names what is not.
#ifndef HALINE_RUNTIME_TENSOR_H_
#define HALINE_RUNTIME_TENSOR_H_

#include "array.h"
#include "haline/haline.h"

namespace haline {

// "[2, 3, 4]", cut short after a few hundred characters.
struct ShapeText {
  char text[256];
  explicit ShapeText(const haline_tensor &t);
  ShapeText(const int64_t *shape, int rank);
};

// Where a tensor's first element lies: an address, of OpenCL's one of the call's (gpu_api.h).
char *Data(const haline_tensor &t);

// Where a tensor's elements lie, from the first byte to past the last.
struct Range {
  uintptr_t begin = 0, end = 0;
  bool Overlaps(const Range &other) const { return begin < other.end && other.begin < end; }
};

// One tensor of a call under its name, and what CheckTensor found.
struct Operand {
  Operand(const char *named, const haline_tensor *given) : name(named), tensor(given) {}

  const char *name;
  const haline_tensor *tensor;  // null: there is none
  int64_t count = 0;            // elements
  Range memory = {};
  bool repeats = false;  // two elements share memory for certain: a stride of 0

  char *data() const { return Data(*tensor); }
};

// The shape, device, alignment and memory of one tensor. Says nothing of its element type.
haline_status CheckTensor(Operand *operand, const haline_device &device = {HALINE_CPU, 0});

haline_status GetElement(const char *name, const haline_tensor &t, Element *element);
const char *Name(Element element);

// The strides of dimension i, also where the tensor has none.
int64_t Stride(const haline_tensor &t, int i);

// [N, C, *] of `element`, checked before. `rows_apart`: the last dimension is not merged with those before it.
haline_status ToArray(const char *name, const haline_tensor &t, Element element, bool rows_apart, Array *array);

bool SameMemory(const haline_tensor &a, const haline_tensor &b);

}  // namespace haline

#endif  // HALINE_RUNTIME_TENSOR_H_

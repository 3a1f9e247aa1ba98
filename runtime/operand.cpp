#include "operand.h"

#include <cstring>

#include "error.h"

namespace haline {
namespace {

haline_status SameShape(const Operand &a, const haline_tensor &x) {
  const haline_tensor &t = *a.tensor;
  if (t.ndim == x.ndim && std::memcmp(t.shape, x.shape, x.ndim * sizeof(int64_t)) == 0) return HALINE_OK;
  return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, %s (the shape of x) wanted", a.name, ShapeText(t).text,
              ShapeText(x).text);
}

}  // namespace

haline_status CheckLike(Operand *operand, const haline_tensor &x, const Problem &problem, Array *array) {
  const Operand &a = *operand;
  Element element;
  HALINE_TRY(CheckTensor(operand, problem.device));
  HALINE_TRY(GetElement(a.name, *a.tensor, &element));
  if (element != problem.element) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: %s elements found, %s (the type of x) wanted", a.name, Name(element),
                Name(problem.element));
  }
  HALINE_TRY(SameShape(a, x));
  return ToArray(a.name, *a.tensor, element, problem.lengths != nullptr, array);
}

haline_status CheckPerPlane(Operand *operand, int shapes, Types types, const Problem &problem, PerPlane *values) {
  const Operand &a = *operand;
  if (!a.tensor) return HALINE_OK;
  const haline_tensor &t = *a.tensor;
  HALINE_TRY(CheckTensor(operand, problem.device));
  HALINE_TRY(GetElement(a.name, t, &values->element));
  if (types == kParameters && values->element != MathElement(problem.element) && values->element != problem.element) {
    const Element math = MathElement(problem.element);
    return Fail(HALINE_UNSUPPORTED, "%s: %s elements found, %s%s%s wanted, as x has %s", a.name, Name(values->element),
                Name(math), math == problem.element ? "" : " or ", math == problem.element ? "" : Name(problem.element),
                Name(problem.element));
  }
  if (types == kStatistics && values->element != Element::kF32 && values->element != Element::kF64) {
    return Fail(HALINE_UNSUPPORTED, "%s: %s elements found, float32 or float64 wanted", a.name, Name(values->element));
  }
  const long long n = problem.batch, c = problem.channels;
  values->data = a.count > 0 ? a.data() : nullptr;
  if ((shapes & kChannels) && t.ndim == 1 && t.shape[0] == c) {
    values->n_stride = 0;
    values->c_stride = Stride(t, 0);
    return HALINE_OK;
  }
  if ((shapes & kPlanes) && t.ndim == 2 && t.shape[0] == n && t.shape[1] == c) {
    // One sample's stride does not matter, but must not read as "by channel".
    values->n_stride = n == 1 ? (c > 1 ? c : 1) : Stride(t, 0);
    values->c_stride = Stride(t, 1);
    return HALINE_OK;
  }
  if (shapes == kChannels) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, [%lld] (the channels of x) wanted", a.name,
                ShapeText(t).text, c);
  }
  return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, %s%.0lld%s[%lld, %lld] (the %schannels of x) wanted",
              a.name, ShapeText(t).text, shapes & kChannels ? "[" : "", shapes & kChannels ? c : 0,
              shapes & kChannels ? "] or " : "", n, c, "samples and ");
}

haline_status CheckMemory(std::initializer_list<const Operand *> inputs, std::initializer_list<const Operand *> outputs,
                          std::initializer_list<std::pair<const Operand *, const Operand *>> allowed) {
  const auto check = [&](const Operand &out, const Operand &other) {
    if (!out.memory.Overlaps(other.memory)) return HALINE_OK;
    for (const auto &pair : allowed) {
      if (pair.first != &out || pair.second != &other) continue;
      if (SameMemory(*out.tensor, *other.tensor)) return HALINE_OK;
      return Fail(HALINE_INVALID_ARGUMENT, "%s: memory that overlaps %s in part found, %s itself or none of it wanted",
                  out.name, other.name, other.name);
    }
    return Fail(HALINE_INVALID_ARGUMENT, "%s: memory that overlaps %s found, memory of its own wanted", out.name,
                other.name);
  };
  for (const Operand *const *out = outputs.begin(); out != outputs.end(); out++) {
    if ((*out)->count == 0) continue;
    if ((*out)->repeats) {
      return Fail(HALINE_INVALID_ARGUMENT, "%s: a stride of 0 found, a place for each element wanted", (*out)->name);
    }
    for (const Operand *in : inputs) HALINE_TRY(check(**out, *in));
    for (const Operand *const *other = outputs.begin(); other != out; other++) HALINE_TRY(check(**out, **other));
  }
  return HALINE_OK;
}

}  // namespace haline

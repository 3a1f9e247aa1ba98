#include "check.h"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "error.h"
#include "gpu.h"
#include "tensor.h"

#define HALINE_TRY(call) \
  if (const haline_status status_ = (call); status_ != HALINE_OK) return status_

namespace haline {
namespace {

struct Named {
  const char *name;
  const haline_tensor *tensor;
};

haline_status SameShape(const Named &a, const haline_tensor &x) {
  const haline_tensor &t = *a.tensor;
  if (t.ndim == x.ndim && std::memcmp(t.shape, x.shape, x.ndim * sizeof(int64_t)) == 0) return HALINE_OK;
  return Fail(HALINE_INVALID_ARGUMENT, "%s: shape %s found, %s (the shape of x) wanted", a.name, ShapeText(t).text,
              ShapeText(x).text);
}

// One of the large tensors beside x: the same shape and type.
haline_status CheckLike(const Named &a, const haline_tensor &x, const Problem &problem, Array *array) {
  int64_t count;
  Element element;
  HALINE_TRY(CheckTensor(a.name, a.tensor, &count, problem.device));
  HALINE_TRY(GetElement(a.name, *a.tensor, &element));
  if (element != problem.element) {
    return Fail(HALINE_INVALID_ARGUMENT, "%s: %s elements found, %s (the type of x) wanted", a.name, Name(element),
                Name(problem.element));
  }
  HALINE_TRY(SameShape(a, x));
  return ToArray(a.name, *a.tensor, problem.lengths != nullptr, array);
}

// x itself, and what it says of the problem.
haline_status CheckX(const haline_tensor *x, const haline_tensor *lengths, Problem *problem) {
  int64_t count;
  if (x && x->device.type != HALINE_CPU) HALINE_TRY(ChooseGpu(*x, problem));
  HALINE_TRY(CheckTensor("x", x, &count, problem->device));
  HALINE_TRY(GetElement("x", *x, &problem->element));
  if (x->ndim < 2) return Fail(HALINE_INVALID_ARGUMENT, "x: rank %d found, 2 and up wanted: [N, C, *]", x->ndim);
  problem->batch = x->shape[0];
  problem->channels = x->shape[1];
  int64_t size = count > 0 ? 1 : 0;  // of a plane; where there is nothing to do, it does not matter
  for (int i = 2; i < x->ndim && size > 0; i++) {
    if (x->shape[i] > std::numeric_limits<int32_t>::max() / size) {
      return Fail(HALINE_UNSUPPORTED, "x: planes of shape %s found, at most 2147483647 elements wanted",
                  ShapeText(x->shape + 2, x->ndim - 2).text);
    }
    size *= x->shape[i];
  }
  problem->extent = x->ndim > 2 ? x->shape[x->ndim - 1] : 1;
  problem->rows = problem->extent > 0 ? size / problem->extent : 0;
  if (lengths) {
    HALINE_TRY(CheckTensor("lengths", lengths, &count));
    if (lengths->dtype.code != HALINE_INT || (lengths->dtype.bits != 32 && lengths->dtype.bits != 64) ||
        lengths->dtype.lanes != 1) {
      return Fail(HALINE_UNSUPPORTED, "lengths: type code %d with %d bits found, int32 or int64 wanted",
                  lengths->dtype.code, lengths->dtype.bits);
    }
    if (lengths->ndim != 1 || lengths->shape[0] != problem->batch) {
      return Fail(HALINE_INVALID_ARGUMENT, "lengths: shape %s found, [%lld] (the samples of x) wanted",
                  ShapeText(*lengths).text, static_cast<long long>(problem->batch));
    }
    if (x->ndim < 3) return Fail(HALINE_INVALID_ARGUMENT, "lengths: x of rank 2 found, 3 and up wanted: [N, C, *, T]");
    static const char none = 0;
    problem->lengths = count > 0 ? static_cast<char *>(lengths->data) + lengths->byte_offset : &none;
    problem->lengths_bits = lengths->dtype.bits;
    problem->lengths_stride = Stride(*lengths, 0);
    for (int64_t n = 0; n < problem->batch; n++) {
      if (problem->length(n) >= 0 && problem->length(n) <= problem->extent) continue;
      return Fail(HALINE_INVALID_ARGUMENT, "lengths: %lld found at %lld, 0 to %lld (the last extent of x) wanted",
                  static_cast<long long>(problem->length(n)), static_cast<long long>(n),
                  static_cast<long long>(problem->extent));
    }
  }
  return ToArray("x", *x, lengths != nullptr, &problem->x);
}

enum Shapes { kChannels = 1, kPlanes = 2 };
enum Types { kParameters, kStatistics };

// scale, mean and the like; null is left alone.
haline_status CheckPerPlane(const Named &a, int shapes, Types types, const Problem &problem, PerPlane *values) {
  if (!a.tensor) return HALINE_OK;
  const haline_tensor &t = *a.tensor;
  int64_t count;
  HALINE_TRY(CheckTensor(a.name, &t, &count, problem.device));
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
  values->data = count > 0 ? Data(t) : nullptr;
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

// No result may share memory with another tensor of the call, but for those pairs that are allowed to be the same.
haline_status CheckMemory(std::initializer_list<Named> inputs, std::initializer_list<Named> outputs,
                          std::initializer_list<std::pair<const haline_tensor *, const haline_tensor *>> allowed) {
  const auto check = [&](const Named &out, const Named &other) {
    if (!other.tensor || !MemoryOf(*out.tensor).Overlaps(MemoryOf(*other.tensor))) return HALINE_OK;
    for (const auto &pair : allowed) {
      if (pair.first != out.tensor || pair.second != other.tensor) continue;
      if (SameMemory(*out.tensor, *other.tensor)) return HALINE_OK;
      return Fail(HALINE_INVALID_ARGUMENT, "%s: memory that overlaps %s in part found, %s itself or none of it wanted",
                  out.name, other.name, other.name);
    }
    return Fail(HALINE_INVALID_ARGUMENT, "%s: memory that overlaps %s found, memory of its own wanted", out.name,
                other.name);
  };
  for (const Named *out = outputs.begin(); out != outputs.end(); out++) {
    if (!out->tensor) continue;
    if (RepeatsItself(*out->tensor)) {
      return Fail(HALINE_INVALID_ARGUMENT, "%s: a stride of 0 found, a place for each element wanted", out->name);
    }
    for (const Named &in : inputs) HALINE_TRY(check(*out, in));
    for (const Named *other = outputs.begin(); other != out; other++) HALINE_TRY(check(*out, *other));
  }
  return HALINE_OK;
}

// The caller's options as this version has them: what an older header did not know is at its default.
haline_status GetOptions(const haline_options *given, haline_options *options, Problem *problem) {
  *options = HALINE_OPTIONS_INIT;
  if (given) {
    constexpr size_t kFirst = offsetof(haline_options, activation);  // the size of the struct's first version
    if (given->size < kFirst) {
      return Fail(HALINE_INVALID_ARGUMENT, "options: size %zu found, at least %zu wanted: use HALINE_OPTIONS_INIT",
                  given->size, kFirst);
    }
    std::memcpy(options, given, given->size < sizeof(*options) ? given->size : sizeof(*options));
  }
  const haline_options &o = *options;
  if (!(o.eps >= 0) || std::isinf(o.eps)) {
    return Fail(HALINE_INVALID_ARGUMENT, "eps: %g found, a finite number of 0 and up wanted", o.eps);
  }
  if (!(o.momentum >= 0 && o.momentum <= 1)) {
    return Fail(HALINE_INVALID_ARGUMENT, "momentum: %g found, 0 to 1 wanted", o.momentum);
  }
  int activation;  // a C program's value, which need not be one of the enumeration's
  static_assert(sizeof(activation) == sizeof(o.activation));
  std::memcpy(&activation, &o.activation, sizeof(activation));
  switch (activation) {
    case HALINE_NO_ACTIVATION:
      problem->slope = 1;
      break;
    case HALINE_RELU:
      problem->slope = 0;
      break;
    case HALINE_LEAKY_RELU:
      if (!std::isfinite(o.negative_slope)) {
        return Fail(HALINE_INVALID_ARGUMENT, "negative_slope: %g found, a finite number wanted", o.negative_slope);
      }
      problem->slope = o.negative_slope;
      break;
    default:
      return Fail(HALINE_INVALID_ARGUMENT,
                  "activation: %d found, HALINE_NO_ACTIVATION, HALINE_RELU or "
                  "HALINE_LEAKY_RELU wanted",
                  activation);
  }
  problem->eps = o.eps;
  problem->momentum = o.momentum;
  problem->backend = o.backend;
  problem->queue = o.queue;
  return HALINE_OK;
}

}  // namespace

haline_status CheckForward(const haline_tensor *x, const haline_tensor *scale, const haline_tensor *shift,
                           const haline_tensor *y, const haline_options *options, Problem *problem) {
  haline_options o;
  HALINE_TRY(GetOptions(options, &o, problem));
  HALINE_TRY(CheckX(x, o.lengths, problem));
  HALINE_TRY(CheckLike({"y", y}, *x, *problem, &problem->y));
  if (o.residual) HALINE_TRY(CheckLike({"residual", o.residual}, *x, *problem, &problem->residual));
  HALINE_TRY(CheckPerPlane({"scale", scale}, kChannels | kPlanes, kParameters, *problem, &problem->scale));
  HALINE_TRY(CheckPerPlane({"shift", shift}, kChannels | kPlanes, kParameters, *problem, &problem->shift));
  if (o.given_mean || o.given_rstd || o.given_variance) {
    if (!o.given_mean || !o.given_rstd == !o.given_variance) {
      return Fail(HALINE_INVALID_ARGUMENT,
                  "given_mean: %s found with %s, given_mean and one of given_rstd and "
                  "given_variance wanted",
                  o.given_mean ? "a tensor" : "null",
                  o.given_rstd && o.given_variance ? "both others"
                  : o.given_mean                   ? "neither other"
                                                   : "another");
    }
    if (o.mean || o.rstd || o.running_mean || o.running_variance) {
      return Fail(HALINE_INVALID_ARGUMENT, "given_mean: statistics given and asked for found, one of them wanted");
    }
    problem->given = true;
    HALINE_TRY(CheckPerPlane({"given_mean", o.given_mean}, kChannels | kPlanes, kStatistics, *problem, &problem->mean));
    HALINE_TRY(CheckPerPlane({"given_rstd", o.given_rstd}, kChannels | kPlanes, kStatistics, *problem, &problem->rstd));
    HALINE_TRY(CheckPerPlane({"given_variance", o.given_variance}, kChannels | kPlanes, kStatistics, *problem,
                             &problem->variance));
  } else {
    HALINE_TRY(CheckPerPlane({"mean", o.mean}, kPlanes, kStatistics, *problem, &problem->mean));
    HALINE_TRY(CheckPerPlane({"rstd", o.rstd}, kPlanes, kStatistics, *problem, &problem->rstd));
  }
  HALINE_TRY(CheckPerPlane({"running_mean", o.running_mean}, kChannels, kStatistics, *problem, &problem->running_mean));
  HALINE_TRY(CheckPerPlane({"running_variance", o.running_variance}, kChannels, kStatistics, *problem,
                           &problem->running_variance));
  return CheckMemory({{"x", x},
                      {"scale", scale},
                      {"shift", shift},
                      {"residual", o.residual},
                      {"lengths", o.lengths},
                      {"given_mean", o.given_mean},
                      {"given_rstd", o.given_rstd},
                      {"given_variance", o.given_variance}},
                     {{"y", y},
                      {"mean", o.mean},
                      {"rstd", o.rstd},
                      {"running_mean", o.running_mean},
                      {"running_variance", o.running_variance}},
                     {{y, x}, {y, o.residual}});
}

haline_status CheckBackward(const haline_tensor *x, const haline_tensor *dy, const haline_tensor *scale,
                            const haline_tensor *shift, const haline_tensor *mean, const haline_tensor *rstd,
                            const haline_tensor *dx, const haline_tensor *dscale, const haline_tensor *dshift,
                            const haline_options *options, Problem *problem) {
  haline_options o;
  HALINE_TRY(GetOptions(options, &o, problem));
  HALINE_TRY(CheckX(x, o.lengths, problem));
  HALINE_TRY(CheckLike({"dy", dy}, *x, *problem, &problem->dy));
  if (o.residual) HALINE_TRY(CheckLike({"residual", o.residual}, *x, *problem, &problem->residual));
  if (dx) HALINE_TRY(CheckLike({"dx", dx}, *x, *problem, &problem->dx));
  if (o.dresidual) HALINE_TRY(CheckLike({"dresidual", o.dresidual}, *x, *problem, &problem->dresidual));
  HALINE_TRY(CheckPerPlane({"scale", scale}, kChannels | kPlanes, kParameters, *problem, &problem->scale));
  HALINE_TRY(CheckPerPlane({"shift", shift}, kChannels | kPlanes, kParameters, *problem, &problem->shift));
  problem->frozen = o.frozen != 0;
  const int shapes = problem->frozen ? kChannels | kPlanes : static_cast<int>(kPlanes);
  for (const Named &a : {Named{"mean", mean}, Named{"rstd", rstd}}) {
    if (!a.tensor) return Fail(HALINE_INVALID_ARGUMENT, "%s: null found, a tensor wanted", a.name);
  }
  HALINE_TRY(CheckPerPlane({"mean", mean}, shapes, kStatistics, *problem, &problem->mean));
  HALINE_TRY(CheckPerPlane({"rstd", rstd}, shapes, kStatistics, *problem, &problem->rstd));
  HALINE_TRY(CheckPerPlane({"dscale", dscale}, kChannels | kPlanes, kParameters, *problem, &problem->dscale));
  HALINE_TRY(CheckPerPlane({"dshift", dshift}, kChannels | kPlanes, kParameters, *problem, &problem->dshift));
  return CheckMemory({{"x", x},
                      {"dy", dy},
                      {"scale", scale},
                      {"shift", shift},
                      {"residual", o.residual},
                      {"lengths", o.lengths},
                      {"mean", mean},
                      {"rstd", rstd}},
                     {{"dx", dx}, {"dresidual", o.dresidual}, {"dscale", dscale}, {"dshift", dshift}},
                     {{dx, x}, {dx, dy}});
}

haline_status CheckMoments(const haline_tensor *x, const haline_tensor *mean, const haline_tensor *m2,
                           const haline_options *options, Problem *problem) {
  haline_options o;
  HALINE_TRY(GetOptions(options, &o, problem));
  HALINE_TRY(CheckX(x, nullptr, problem));
  for (const Named &a : {Named{"mean", mean}, Named{"m2", m2}}) {
    if (!a.tensor) return Fail(HALINE_INVALID_ARGUMENT, "%s: null found, a tensor wanted", a.name);
    PerPlane *const values = a.tensor == mean ? &problem->mean : &problem->m2;
    HALINE_TRY(CheckPerPlane(a, kPlanes, kStatistics, *problem, values));
    if (values->element != Element::kF64) {
      return Fail(HALINE_UNSUPPORTED, "%s: float32 elements found, float64 wanted", a.name);
    }
  }
  problem->slope = 1;
  return CheckMemory({{"x", x}}, {{"mean", mean}, {"m2", m2}}, {});
}

}  // namespace haline

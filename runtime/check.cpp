#include "check.h"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>

#include "error.h"
#include "gpu.h"
#include "operand.h"

namespace haline {
namespace {

// x itself, and what it says of the problem.
haline_status CheckX(Operand *operand, Operand *of_lengths, Problem *problem) {
  const haline_tensor *const x = operand->tensor, *const lengths = of_lengths->tensor;
  if (x && x->device.type != HALINE_CPU) HALINE_TRY(ChooseGpu("x", *x, problem));
  HALINE_TRY(CheckTensor(operand, problem->device));
  HALINE_TRY(GetElement("x", *x, &problem->element));
  if (x->ndim < 2) return Fail(HALINE_INVALID_ARGUMENT, "x: rank %d found, 2 and up wanted: [N, C, *]", x->ndim);
  problem->batch = x->shape[0];
  problem->channels = x->shape[1];
  // Where there is nothing to do, the size of a plane does not matter.
  problem->extent = x->ndim > 2 ? x->shape[x->ndim - 1] : 1;
  problem->rows = operand->count > 0 ? 1 : 0;
  for (int i = 2; i < x->ndim - 1 && operand->count > 0; i++) problem->rows *= x->shape[i];
  if (problem->size() > std::numeric_limits<int32_t>::max()) {
    return Fail(HALINE_UNSUPPORTED, "x: planes of shape %s found, at most 2147483647 elements wanted",
                ShapeText(x->shape + 2, x->ndim - 2).text);
  }
  if (lengths) {
    const bool there = problem->device.type != HALINE_CPU && lengths->device.type != HALINE_CPU;
    HALINE_TRY(there ? CheckTensor(of_lengths, problem->device) : CheckTensor(of_lengths));
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
    problem->lengths = of_lengths->count > 0 ? of_lengths->data() : &none;
    problem->lengths_bits = lengths->dtype.bits;
    problem->lengths_stride = Stride(*lengths, 0);
    if (there && of_lengths->count > 0) HALINE_TRY(FetchLengths(*lengths, problem));
    for (int64_t n = 0; n < problem->batch; n++) {
      if (problem->length(n) >= 0 && problem->length(n) <= problem->extent) continue;
      return Fail(HALINE_INVALID_ARGUMENT, "lengths: %lld found at %lld, 0 to %lld (the last extent of x) wanted",
                  static_cast<long long>(problem->length(n)), static_cast<long long>(n),
                  static_cast<long long>(problem->extent));
    }
  }
  return ToArray("x", *x, problem->element, lengths != nullptr, &problem->x);
}

}  // namespace

haline_status GetOptions(const haline_options *given, haline_options *room, const haline_options **options,
                         Problem *problem) {
  *options = given;
  if (!given || given->size < sizeof(*given)) {
    *room = HALINE_OPTIONS_INIT;
    *options = room;
  }
  if (given) {
    constexpr size_t kFirst = offsetof(haline_options, activation);  // the size of the struct's first version
    if (given->size < kFirst) {
      return Fail(HALINE_INVALID_ARGUMENT, "options: size %zu found, at least %zu wanted: use HALINE_OPTIONS_INIT",
                  given->size, kFirst);
    }
    if (*options == room) std::memcpy(room, given, given->size);
  }
  const haline_options &o = **options;
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

haline_status CheckForward(const haline_tensor *x, const haline_tensor *scale, const haline_tensor *shift,
                           const haline_tensor *y, const haline_options *options, Problem *problem) {
  haline_options room;
  HALINE_TRY(GetOptions(options, &room, &options, problem));
  const haline_options &o = *options;
  Operand in{"x", x}, lengths{"lengths", o.lengths}, out{"y", y}, residual{"residual", o.residual};
  HALINE_TRY(CheckX(&in, &lengths, problem));
  HALINE_TRY(CheckLike(&out, *x, *problem, &problem->y));
  if (o.residual) HALINE_TRY(CheckLike(&residual, *x, *problem, &problem->residual));
  Operand scales{"scale", scale}, shifts{"shift", shift};
  HALINE_TRY(CheckPerPlane(&scales, kChannels | kPlanes, kParameters, *problem, &problem->scale));
  HALINE_TRY(CheckPerPlane(&shifts, kChannels | kPlanes, kParameters, *problem, &problem->shift));
  Operand given_mean{"given_mean", o.given_mean}, given_rstd{"given_rstd", o.given_rstd},
      given_variance{"given_variance", o.given_variance}, mean{"mean", o.mean}, rstd{"rstd", o.rstd};
  if (o.given_count < 0 || (o.given_count > 0 && !o.given_variance)) {
    return Fail(HALINE_INVALID_ARGUMENT,
                "given_count: %lld found with%s given_variance, 0 and up and one with it wanted",
                static_cast<long long>(o.given_count), o.given_variance ? "" : "out");
  }
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
    problem->given_count = o.given_count > 0 ? o.given_count : 1;
    HALINE_TRY(CheckPerPlane(&given_mean, kChannels | kPlanes, kStatistics, *problem, &problem->mean));
    HALINE_TRY(CheckPerPlane(&given_rstd, kChannels | kPlanes, kStatistics, *problem, &problem->rstd));
    HALINE_TRY(CheckPerPlane(&given_variance, kChannels | kPlanes, kStatistics, *problem, &problem->variance));
  } else {
    HALINE_TRY(CheckPerPlane(&mean, kPlanes, kStatistics, *problem, &problem->mean));
    HALINE_TRY(CheckPerPlane(&rstd, kPlanes, kStatistics, *problem, &problem->rstd));
  }
  Operand running_mean{"running_mean", o.running_mean}, running_variance{"running_variance", o.running_variance};
  HALINE_TRY(CheckPerPlane(&running_mean, kChannels, kStatistics, *problem, &problem->running_mean));
  HALINE_TRY(CheckPerPlane(&running_variance, kChannels, kStatistics, *problem, &problem->running_variance));
  return CheckMemory({&in, &scales, &shifts, &residual, &lengths, &given_mean, &given_rstd, &given_variance},
                     {&out, &mean, &rstd, &running_mean, &running_variance}, {{&out, &in}, {&out, &residual}});
}

haline_status CheckBackward(const haline_tensor *x, const haline_tensor *dy, const haline_tensor *scale,
                            const haline_tensor *shift, const haline_tensor *mean, const haline_tensor *rstd,
                            const haline_tensor *dx, const haline_tensor *dscale, const haline_tensor *dshift,
                            const haline_options *options, Problem *problem) {
  haline_options room;
  HALINE_TRY(GetOptions(options, &room, &options, problem));
  const haline_options &o = *options;
  Operand in{"x", x}, lengths{"lengths", o.lengths}, gradient{"dy", dy}, residual{"residual", o.residual};
  Operand result{"dx", dx}, dresidual{"dresidual", o.dresidual};
  HALINE_TRY(CheckX(&in, &lengths, problem));
  HALINE_TRY(CheckLike(&gradient, *x, *problem, &problem->dy));
  if (o.residual) HALINE_TRY(CheckLike(&residual, *x, *problem, &problem->residual));
  if (dx) HALINE_TRY(CheckLike(&result, *x, *problem, &problem->dx));
  if (o.dresidual) HALINE_TRY(CheckLike(&dresidual, *x, *problem, &problem->dresidual));
  Operand scales{"scale", scale}, shifts{"shift", shift}, means{"mean", mean}, rstds{"rstd", rstd};
  Operand dscales{"dscale", dscale}, dshifts{"dshift", dshift};
  HALINE_TRY(CheckPerPlane(&scales, kChannels | kPlanes, kParameters, *problem, &problem->scale));
  HALINE_TRY(CheckPerPlane(&shifts, kChannels | kPlanes, kParameters, *problem, &problem->shift));
  problem->frozen = o.frozen != 0;
  const int shapes = problem->frozen ? kChannels | kPlanes : static_cast<int>(kPlanes);
  for (const Operand *a : {&means, &rstds}) {
    if (!a->tensor) return Fail(HALINE_INVALID_ARGUMENT, "%s: null found, a tensor wanted", a->name);
  }
  HALINE_TRY(CheckPerPlane(&means, shapes, kStatistics, *problem, &problem->mean));
  HALINE_TRY(CheckPerPlane(&rstds, shapes, kStatistics, *problem, &problem->rstd));
  HALINE_TRY(CheckPerPlane(&dscales, kChannels | kPlanes, kParameters, *problem, &problem->dscale));
  HALINE_TRY(CheckPerPlane(&dshifts, kChannels | kPlanes, kParameters, *problem, &problem->dshift));
  return CheckMemory({&in, &gradient, &scales, &shifts, &residual, &lengths, &means, &rstds},
                     {&result, &dresidual, &dscales, &dshifts}, {{&result, &in}, {&result, &gradient}});
}

haline_status CheckMoments(const haline_tensor *x, const haline_tensor *mean, const haline_tensor *m2,
                           const haline_options *options, Problem *problem) {
  haline_options room;
  HALINE_TRY(GetOptions(options, &room, &options, problem));
  Operand in{"x", x}, no_lengths{"lengths", nullptr}, means{"mean", mean}, m2s{"m2", m2};
  HALINE_TRY(CheckX(&in, &no_lengths, problem));
  for (Operand *a : {&means, &m2s}) {
    if (!a->tensor) return Fail(HALINE_INVALID_ARGUMENT, "%s: null found, a tensor wanted", a->name);
    PerPlane *const values = a == &means ? &problem->mean : &problem->m2;
    HALINE_TRY(CheckPerPlane(a, kPlanes, kStatistics, *problem, values));
    if (values->element != Element::kF64) {
      return Fail(HALINE_UNSUPPORTED, "%s: float32 elements found, float64 wanted", a->name);
    }
  }
  problem->slope = 1;
  return CheckMemory({&in}, {&means, &m2s}, {});
}

}  // namespace haline

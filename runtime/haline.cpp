// The C entry points: check, plan, pick, execute.
#include "haline/haline.h"

#include "backend.h"
#include "check.h"
#include "engine.h"
#include "error.h"
#include "gpu.h"
#include "merge.h"
#include "plan.h"
#include "threads.h"
#include "tuning.h"

#define HALINE_TEXT_(x) #x
#define HALINE_TEXT(x) HALINE_TEXT_(x)

namespace {

thread_local const char *last_target = "";

haline_status RunThere(const haline::Problem &problem, bool backward, const haline::GpuKernels &kernels) {
  const haline_status status =
      RunOnGpu(problem, backward ? haline::GpuPass::kBackward : haline::GpuPass::kForward, kernels);
  if (status == HALINE_OK) {
    const auto &used = kernels.elements[static_cast<int>(problem.element)];
    const bool nothing = problem.planes() == 0 || problem.size() == 0;
    last_target = nothing ? "" : backward ? used.gradient_apply.metadata()->target : used.apply.metadata()->target;
  }
  return status;
}

// What every call does once its arguments are checked.
haline_status Run(const haline::Problem &problem,
                  haline_status (*pass)(const haline::Problem &, const haline::Plan &, const haline::KernelSet &)) {
  const haline::KernelSet *kernels = nullptr;
  const haline::Tuning tuning = haline::TuningOf(problem);
  const haline_status chosen = haline::ChooseBackend(problem.backend, tuning.backend, &kernels);
  if (chosen != HALINE_OK) return chosen;
  if (kernels->gpu) return RunThere(problem, pass == haline::Backward, *kernels->gpu);
  const auto &used = kernels->elements[static_cast<int>(problem.element)];
  const haline::Plan plan =
      haline::MakePlan(problem, haline::NumThreads(), tuning, used.apply_last.function != nullptr);
  const haline_status status = pass(problem, plan, *kernels);
  if (status == HALINE_OK) {
    last_target = problem.planes() == 0 || problem.size() == 0 ? ""
                  : problem.dy.data                            ? used.gradient_apply.metadata()->target
                                                               : used.apply.metadata()->target;
  }
  return status;
}

}  // namespace

haline_status haline_instance_norm(const haline_tensor *x, const haline_tensor *scale, const haline_tensor *shift,
                                   haline_tensor *y, const haline_options *options) {
  haline::Problem problem;
  const haline_status status = haline::CheckForward(x, scale, shift, y, options, &problem);
  return status == HALINE_OK ? Run(problem, haline::Forward) : status;
}

haline_status haline_instance_norm_backward(const haline_tensor *x, const haline_tensor *dy, const haline_tensor *scale,
                                            const haline_tensor *shift, const haline_tensor *mean,
                                            const haline_tensor *rstd, haline_tensor *dx, haline_tensor *dscale,
                                            haline_tensor *dshift, const haline_options *options) {
  haline::Problem problem;
  const haline_status status =
      haline::CheckBackward(x, dy, scale, shift, mean, rstd, dx, dscale, dshift, options, &problem);
  return status == HALINE_OK ? Run(problem, haline::Backward) : status;
}

haline_status haline_moments(const haline_tensor *x, int64_t *count, haline_tensor *mean, haline_tensor *m2,
                             const haline_options *options) {
  haline::Problem problem;
  if (!count) return haline::Fail(HALINE_INVALID_ARGUMENT, "count: null found, room for a number wanted");
  haline_status status = haline::CheckMoments(x, mean, m2, options, &problem);
  if (status == HALINE_OK) status = Run(problem, haline::Forward);
  if (status == HALINE_OK) *count = problem.size();
  return status;
}

haline_status haline_merge_moments(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                                   const haline_tensor *const *m2s, int64_t *count, haline_tensor *mean,
                                   haline_tensor *m2, const haline_options *options) {
  return haline::MergeMoments(tiles, counts, means, m2s, count, mean, m2, options);
}

const char *haline_error_message(void) { return haline::ErrorMessage(); }

const char *haline_status_name(haline_status status) {
  switch (status) {
    case HALINE_OK:
      return "HALINE_OK";
    case HALINE_INVALID_ARGUMENT:
      return "HALINE_INVALID_ARGUMENT";
    case HALINE_UNSUPPORTED:
      return "HALINE_UNSUPPORTED";
    case HALINE_OUT_OF_MEMORY:
      return "HALINE_OUT_OF_MEMORY";
    case HALINE_INTERNAL:
      return "HALINE_INTERNAL";
  }
  return "unknown status";
}

const char *haline_last_target(void) { return last_target; }

const char *haline_version(void) {
  return HALINE_TEXT(HALINE_VERSION_MAJOR) "." HALINE_TEXT(HALINE_VERSION_MINOR) "." HALINE_TEXT(HALINE_VERSION_PATCH);
}

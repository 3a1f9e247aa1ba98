// The C entry points: check, plan, pick, execute.
#include "haline/haline.h"

#include "backend.h"
#include "check.h"
#include "error.h"
#include "execute.h"
#include "plan.h"
#include "threads.h"

#define HALINE_TEXT_(x) #x
#define HALINE_TEXT(x) HALINE_TEXT_(x)

namespace {

thread_local const char *last_target = "";

}  // namespace

haline_status haline_instance_norm(const haline_tensor *x, const haline_tensor *scale, const haline_tensor *shift,
                                   haline_tensor *y, const haline_options *options) {
  haline::Problem problem;
  const haline::KernelSet *kernels = nullptr;
  haline_status status = haline::Check(x, scale, shift, y, options, &problem);
  if (status == HALINE_OK) status = haline::ChooseBackend(problem.backend, &kernels);
  if (status != HALINE_OK) return status;
  const haline::Plan plan = haline::MakePlan(problem, haline::NumThreads());
  status = haline::Execute(problem, plan, *kernels);
  if (status == HALINE_OK) {
    last_target = plan.regime == haline::Regime::kNothing ? ""
                  : plan.regime == haline::Regime::kTiny  ? kernels->wide_across.metadata()->target
                                                          : kernels->apply.metadata()->target;
  }
  return status;
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

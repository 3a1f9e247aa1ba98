// Carries out a plan.
#ifndef HALINE_RUNTIME_EXECUTE_H_
#define HALINE_RUNTIME_EXECUTE_H_

#include "check.h"
#include "kernels.h"
#include "plan.h"

namespace haline {

haline_status Execute(const Problem &problem, const Plan &plan, const KernelSet &kernels);

}  // namespace haline

#endif  // HALINE_RUNTIME_EXECUTE_H_

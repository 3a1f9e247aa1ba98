// Which back ends there are, which run on this machine, and which one a call takes.
#ifndef HALINE_RUNTIME_BACKEND_H_
#define HALINE_RUNTIME_BACKEND_H_

#include "haline/haline.h"
#include "kernels.h"

namespace haline {

// The kernels to use: those of `name`, or, where it is null, the process's choice, or, where there is none either,
// those of `preferred`, an index of haline_backend_at, or, where that is none, the best.
haline_status ChooseBackend(const char *name, int preferred, const KernelSet **kernels);

}  // namespace haline

#endif  // HALINE_RUNTIME_BACKEND_H_

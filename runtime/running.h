// The running statistics that a training pass updates.
#ifndef HALINE_RUNTIME_RUNNING_H_
#define HALINE_RUNTIME_RUNNING_H_

#include "problem.h"

namespace haline {

// As PyTorch's track_running_stats: running = (1 - momentum) * running + momentum * (mean over the samples).
// `statistics`: of each sample its planes' means, then their unbiased variances.
void UpdateRunning(const Problem &problem, const double *statistics);

}  // namespace haline

#endif  // HALINE_RUNTIME_RUNNING_H_

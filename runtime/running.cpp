#include "running.h"

namespace haline {

void UpdateRunning(const Problem &problem, const double *statistics) {
  int64_t samples = 0;
  for (int64_t n = 0; n < problem.batch; n++) samples += problem.rows * problem.length(n) > 0;
  if (samples == 0) return;
  for (int64_t c = 0; c < problem.channels; c++) {
    double sums[2] = {0, 0};
    for (int64_t n = 0; n < problem.batch; n++) {
      for (int i : {0, 1}) sums[i] += statistics[2 * (n * problem.channels + c) + i];
    }
    const PerPlane *const running[2] = {&problem.running_mean, &problem.running_variance};
    for (int i : {0, 1}) {
      if (!*running[i]) continue;
      running[i]->Set(
          0, c,
          (1 - problem.momentum) * running[i]->Get(0, c) + problem.momentum * (sums[i] / static_cast<double>(samples)));
    }
  }
}

}  // namespace haline

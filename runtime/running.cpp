#include "running.h"

#include <algorithm>

namespace haline {

void UpdateRunning(const Problem &problem, const double *statistics) {
  int64_t samples = 0;
  for (int64_t n = 0; n < problem.batch; n++) samples += problem.rows * problem.length(n) > 0;
  if (samples == 0) return;
  constexpr int64_t kStep = 64;  // channels that are added up together
  for (int64_t first = 0; first < problem.channels; first += kStep) {
    const int64_t channels = std::min(kStep, problem.channels - first);
    for (int which : {0, 1}) {
      const PerPlane &running = which == 0 ? problem.running_mean : problem.running_variance;
      if (!running) continue;
      double sums[kStep] = {}, values[kStep];
      for (int64_t n = 0; n < problem.batch; n++) {
        const double *const row = statistics + (2 * n + which) * problem.channels + first;
        for (int64_t c = 0; c < channels; c++) sums[c] += row[c];
      }
      running.GetRow(0, first, channels, values);
      for (int64_t c = 0; c < channels; c++) {
        values[c] = (1 - problem.momentum) * values[c] + problem.momentum * (sums[c] / static_cast<double>(samples));
      }
      running.SetRow(0, first, channels, values);
    }
  }
}

}  // namespace haline

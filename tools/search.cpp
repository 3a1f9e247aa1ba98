// SPDX-License-Identifier: MIT
#include "tools/search.h"

#include <algorithm>
#include <cmath>

namespace haline::tool {
namespace {

constexpr int kAgain = 3;  // the effort of a confirmation

double Mean(const std::vector<Ratio> &ratios) {
  double sum = 0;
  for (const Ratio &ratio : ratios) sum += std::log(ratio.median);
  return std::exp(sum / static_cast<double>(ratios.size()));
}

}  // namespace

bool Wins(const std::vector<Ratio> &ratios) {
  double square = 0;
  for (const Ratio &ratio : ratios) {
    if (!(ratio.median - 2 * ratio.error < 1 + kLoss)) return false;
    square += ratio.error / ratio.median * ratio.error / ratio.median;
  }
  const double error = std::sqrt(square) / static_cast<double>(ratios.size());
  return !ratios.empty() && Mean(ratios) < 1 - std::max(kGain, 2 * error);
}

Found Search(const Choices &choices, const Timer &timer) {
  Found found;
  for (const auto &values : choices) found.choice.push_back(values.front());
  const Choice standard = found.choice;
  for (size_t i = 0; i < choices.size(); i++) {
    Choice best = found.choice;
    double least = 1;
    for (size_t v = 1; v < choices[i].size(); v++) {
      Choice candidate = found.choice;
      candidate[i] = choices[i][v];
      const std::vector<Ratio> ratios = timer(candidate, found.choice, 1);
      if (!Wins(ratios) || Mean(ratios) >= least) continue;
      best = candidate;
      least = Mean(ratios);
    }
    if (best != found.choice && Wins(timer(best, found.choice, kAgain))) found.choice = best;
  }
  if (found.choice == standard) return found;
  const std::vector<Ratio> last = timer(found.choice, standard, kAgain);
  if (!Wins(last)) return {standard, 1};
  found.gain = 1 / Mean(last);
  return found;
}

int Efforts(const Choices &choices) {
  int efforts = kAgain;
  for (const auto &values : choices) {
    if (values.size() > 1) efforts += static_cast<int>(values.size()) - 1 + kAgain;
  }
  return efforts;
}

}  // namespace haline::tool

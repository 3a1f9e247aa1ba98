// The search for better settings of one kind of planes: knows numbers, not what they do, nor how they are timed.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TOOLS_SEARCH_H_
#define HALINE_TOOLS_SEARCH_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "tools/work.h"

namespace haline::tool {

// Values of the settings, one of each list; the first of a list is the default.
using Choice = std::vector<int64_t>;
using Choices = std::vector<std::vector<int64_t>>;

// How much longer `candidate` takes than `incumbent`, shape by shape; `effort` times as long at it as usual.
using Timer = std::function<std::vector<Ratio>(const Choice &candidate, const Choice &incumbent, int effort)>;

// A candidate must be faster by more than this, in the shapes' geometric mean, and by more than twice the error of the
// measurement; and no shape may lose more than kLoss.
constexpr double kGain = 0.02, kLoss = 0.05;
bool Wins(const std::vector<Ratio> &ratios);

// One setting after the other, each candidate against the best so far; a winner is timed again before it is believed.
// What comes out is held against the default once more, and is the default where it does not win there.
struct Found {
  Choice choice;
  double gain = 1;  // how many times as fast as the default, the shapes' geometric mean
};
Found Search(const Choices &choices, const Timer &timer);

// How many candidates Search will time at most, in units of an effort of 1.
int Efforts(const Choices &choices);

}  // namespace haline::tool

#endif  // HALINE_TOOLS_SEARCH_H_

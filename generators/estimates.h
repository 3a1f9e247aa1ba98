// How large a generator's inputs and outputs are about: what Halide's autoschedulers need to know, in place of the hand
// schedule. Only scripts/tune.sh --compare asks for them; nothing that is built uses an autoscheduler.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_ESTIMATES_H_
#define HALINE_GENERATORS_ESTIMATES_H_

#include <map>
#include <string>

#include "Halide.h"

namespace haline {

// Planes of 16,384 elements, eight at a time, or, for the kernels of tiny planes, 512 of 16 elements.
inline void Estimate(Halide::Internal::AbstractGenerator &generator, bool tiny = false) {
  using Halide::Region;
  const int s = tiny ? 16 : 16384, c = tiny ? 512 : 8;
  const Region plane = {{0, s}, {0, c}, {0, 1}}, number = {{0, c}, {0, 1}};
  const auto numbers = [&](int which) { return Region{{0, c}, {0, which}, {0, 1}}; };
  const auto sums = [&](int which) { return Region{{0, c}, {0, which}, {0, 1}, {0, 1}}; };
  const std::map<std::string, Region> regions = {
      {"x", plane},
      {"y", plane},
      {"dy", plane},
      {"dx", plane},
      {"scale", number},
      {"shift", number},
      {"residual", plane},
      {"mean", number},
      {"rstd", number},
      {"pivot", number},
      {"samples", plane},
      {"stats", numbers(3)},
      {"coefficients", numbers(7)},
      {"gradient", numbers(6)},
  };
  const std::string kernel = generator.name();
  for (const auto &arg : generator.arginfos()) {
    const bool input = arg.dir == Halide::Internal::ArgInfoDirection::Input;
    if (arg.kind == Halide::Internal::ArgInfoKind::Scalar) {
      for (Halide::Parameter &p : generator.input_parameter(arg.name)) {
        p.set_estimate(Halide::Internal::make_const(p.type(), arg.name == "count" ? s : 0));
      }
      continue;
    }
    const auto at = regions.find(arg.name);
    Region region = at != regions.end()                            ? at->second
                    : kernel == "haline_wide_gradient"             ? numbers(2)
                    : kernel.find("gradient") != std::string::npos ? sums(3)
                                                                   : sums(2);
    if (!input) {
      for (Halide::Func &f : generator.output_func(arg.name)) f.set_estimates(region);
      continue;
    }
    for (Halide::Parameter &p : generator.input_parameter(arg.name)) {
      for (int d = 0; d < p.dimensions(); d++) {
        p.set_min_constraint_estimate(d, region[d].min);
        p.set_extent_constraint_estimate(d, region[d].extent);
      }
    }
  }
}

}  // namespace haline

#endif  // HALINE_GENERATORS_ESTIMATES_H_

// The accuracy that haline promises, in one place. docs/numerics.md derives it.
#ifndef HALINE_REFERENCE_TOLERANCE_H_
#define HALINE_REFERENCE_TOLERANCE_H_

#include <algorithm>
#include <cmath>

#include "oracle.h"

namespace haline::oracle {

// Forward, float32: |y - exact| <= kForward * max(1, |exact|, |scale|) for every finite x.
constexpr double kForward = 1e-6;

// |y - exact| in units of max(1, |exact|, |scale|); NaN where y is not finite and exact is. Compare as
// !(error <= kForward), so that a NaN fails. Both infinite with one sign, or both NaN: 0.
inline double ForwardError(double y, Wide exact, Wide scale) {
  if (std::isnan(y) && std::isnan(exact)) return 0;
  if (std::isinf(y) && std::isinf(static_cast<float>(exact)) && (y > 0) == (exact > 0)) return 0;
  const Wide unit = std::max({static_cast<Wide>(1), std::fabs(exact), std::fabs(scale)});
  return static_cast<double>(std::fabs(static_cast<Wide>(y) - exact) / unit);
}

}  // namespace haline::oracle

#endif  // HALINE_REFERENCE_TOLERANCE_H_

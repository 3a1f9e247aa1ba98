// The accuracy that haline promises, in one place. docs/numerics.md derives it.
#ifndef HALINE_REFERENCE_TOLERANCE_H_
#define HALINE_REFERENCE_TOLERANCE_H_

#include <algorithm>
#include <cmath>

#include "oracle.h"

namespace haline::oracle {

// Forward, float32: |y - exact| <= kForward * max(1, |exact|, |scale|) for every finite x.
constexpr double kForward = 1e-6;
// The same for float64.
constexpr double kForwardDouble = 1e-14;

// Backward, float32: |found - exact| <= kBackward * max(1, the largest |exact| of that gradient); of a plane for dx and
// dresidual, of the whole tensor for dscale and dshift, where it is at least sqrt(terms / 512): sums of many terms that
// cancel keep the terms' roundings.
constexpr double kBackward = 5e-6;
// The same for float64, with float64 statistics: five times the forward bound, as above.
constexpr double kBackwardDouble = 5e-14;

// |y - exact| in units of max(1, |exact|, |scale|); NaN where y is not finite and exact is. Compare as
// !(error <= kForward), so that a NaN fails. Both infinite with one sign, or both NaN: 0.
inline double ForwardError(double y, Wide exact, Wide scale) {
  if (std::isnan(y) && std::isnan(exact)) return 0;
  if (std::isinf(y) && std::isinf(static_cast<float>(exact)) && (y > 0) == (exact > 0)) return 0;
  const Wide unit = std::max({static_cast<Wide>(1), std::fabs(exact), std::fabs(scale)});
  return static_cast<double>(std::fabs(static_cast<Wide>(y) - exact) / unit);
}

// |found - exact| beyond `rounding` in units of max(1, largest); NaN where `found` is not finite and `exact` is.
// Compare as !(error <= kBackward), so that a NaN fails. Both infinite with one sign (`exact` from `infinite` on, where
// the type gives up), or both NaN: 0.
template <typename W = Wide>
double BackwardError(double found, std::type_identity_t<W> exact, std::type_identity_t<W> largest,
                     std::type_identity_t<W> rounding = 0, std::type_identity_t<W> infinite = 3.40282e38L) {
  if (std::isnan(found) && std::isnan(exact)) return 0;
  if (std::isinf(found)) return std::fabs(exact) >= infinite && (found > 0) == (exact > 0) ? 0 : std::nan("");
  const W error = std::fabs(static_cast<W>(found) - exact);
  const W beyond = error <= rounding ? 0 : error - rounding;  // keeps a NaN
  return static_cast<double>(beyond / std::max(static_cast<W>(1), largest));
}

}  // namespace haline::oracle

#endif  // HALINE_REFERENCE_TOLERANCE_H_

// The oracle: what instance norm is, in plain C++ and in wider floating point than the elements'. Slow, centred, two
// passes, no cleverness: tests, benchmarks and the tool hold haline and its peers against it.
#ifndef HALINE_REFERENCE_ORACLE_H_
#define HALINE_REFERENCE_ORACLE_H_

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace haline::oracle {

// For float64 elements: 64 bits of mantissa on x86, 113 on AArch64.
using Widest = long double;
// For those of up to 32 bits, in which all is computed that does not say otherwise. The 113 bits are software's, ten
// times as slow; double has 29 more than the elements.
using Wide = std::conditional_t<LDBL_MANT_DIG == 64, long double, double>;

template <typename W>
struct MomentsIn {
  W mean, variance;  // biased
};
using Moments = MomentsIn<Wide>;

// Of `size` >= 1 elements, `stride` apart.
template <typename W = Wide, typename T>
MomentsIn<W> PlaneMoments(const T *x, int64_t size, int64_t stride = 1) {
  const W first = static_cast<W>(x[0]);
  W sum = 0;
  for (int64_t i = 0; i < size; i++) sum += static_cast<W>(x[i * stride]) - first;
  const W mean = first + sum / size;
  W squares = 0, rest = 0;
  for (int64_t i = 0; i < size; i++) {
    const W e = static_cast<W>(x[i * stride]) - mean;
    squares += e * e;
    rest += e;
  }
  const W variance = (squares - rest * rest / size) / size;
  return {mean, variance < 0 ? 0 : variance};
}

// 1 / sqrt(variance + eps); 0 for a constant plane without eps, so that such a plane gives its shift.
template <typename W>
W Rstd(W variance, double eps) {
  const W v = variance + static_cast<W>(eps);
  return v == 0 ? 0 : 1 / std::sqrt(v);
}

// One element of y.
inline Wide Normalize(Wide x, const Moments &moments, double eps, Wide scale, Wide shift) {
  return (x - moments.mean) * Rstd(moments.variance, eps) * scale + shift;
}

}  // namespace haline::oracle

#endif  // HALINE_REFERENCE_ORACLE_H_

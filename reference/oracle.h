// The oracle: what instance norm is, in plain C++ and in the widest floating point that the compiler has. Slow,
// centred, two passes, no cleverness: tests, benchmarks and the tool hold haline and its peers against it.
#ifndef HALINE_REFERENCE_ORACLE_H_
#define HALINE_REFERENCE_ORACLE_H_

#include <cmath>
#include <cstdint>

namespace haline::oracle {

using Wide = long double;  // 64 bits of mantissa on x86, 113 on AArch64

struct Moments {
  Wide mean, variance;  // biased
};

// Of `size` >= 1 elements, `stride` apart.
template <typename T>
Moments PlaneMoments(const T *x, int64_t size, int64_t stride = 1) {
  const Wide first = static_cast<Wide>(x[0]);
  Wide sum = 0;
  for (int64_t i = 0; i < size; i++) sum += static_cast<Wide>(x[i * stride]) - first;
  const Wide mean = first + sum / size;
  Wide squares = 0, rest = 0;
  for (int64_t i = 0; i < size; i++) {
    const Wide e = static_cast<Wide>(x[i * stride]) - mean;
    squares += e * e;
    rest += e;
  }
  const Wide variance = (squares - rest * rest / size) / size;
  return {mean, variance < 0 ? 0 : variance};
}

// 1 / sqrt(variance + eps); 0 for a constant plane without eps, so that such a plane gives its shift.
inline Wide Rstd(Wide variance, double eps) {
  const Wide v = variance + static_cast<Wide>(eps);
  return v == 0 ? 0 : 1 / std::sqrt(v);
}

// One element of y.
inline Wide Normalize(Wide x, const Moments &moments, double eps, Wide scale, Wide shift) {
  return (x - moments.mean) * Rstd(moments.variance, eps) * scale + shift;
}

}  // namespace haline::oracle

#endif  // HALINE_REFERENCE_ORACLE_H_

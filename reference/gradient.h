// The oracle of the backward pass: the gradients of y = act(z), z = norm(x) + residual, for one plane. Centred,
// a pass for each sum, no cleverness.
#ifndef HALINE_REFERENCE_GRADIENT_H_
#define HALINE_REFERENCE_GRADIENT_H_

#include <vector>

#include "oracle.h"

namespace haline::oracle {

// A plane of `size` elements, and what was done to it.
template <typename W>
struct PlaneProblemIn {
  int64_t size = 0;
  const W *x = nullptr, *dy = nullptr;
  const W *residual = nullptr;  // null: none
  W scale = 1, shift = 0;
  W slope = 1;  // of the activation where z <= 0: 0 is ReLU, 1 no activation
  double eps = 1e-5;
  bool frozen = false;   // mean and rstd are given, and do not depend on x
  W mean = 0, rstd = 0;  // where frozen
};
using PlaneProblem = PlaneProblemIn<Wide>;

template <typename W>
struct PlaneOutputIn {
  W mean = 0, rstd = 0;
  std::vector<W> z;
};

// The forward pass, up to the activation.
template <typename W = Wide>
PlaneOutputIn<W> Forward(const PlaneProblemIn<W> &p) {
  PlaneOutputIn<W> result = {p.mean, p.rstd, std::vector<W>(static_cast<size_t>(p.size))};
  if (p.size == 0) return result;
  if (!p.frozen) {
    const MomentsIn<W> moments = PlaneMoments<W>(p.x, p.size);
    result.mean = moments.mean;
    result.rstd = Rstd(moments.variance, p.eps);
  }
  for (size_t i = 0; i < result.z.size(); i++) {
    result.z[i] = (p.x[i] - result.mean) * result.rstd * p.scale + p.shift + (p.residual ? p.residual[i] : 0);
  }
  return result;
}

template <typename W>
struct PlaneGradientIn {
  std::vector<W> dx, dresidual;
  W dscale = 0, dshift = 0;
};
using PlaneGradient = PlaneGradientIn<Wide>;

// With g the gradient of z and xhat = (x - mean) * rstd:
//   dshift = sum(g)    dscale = sum(g * xhat)    dx = scale * rstd * (g - mean(g) - xhat * mean(g * xhat))
// and without the two means where the statistics are frozen.
template <typename W = Wide>
PlaneGradientIn<W> Differentiate(const PlaneProblemIn<W> &p) {
  PlaneGradientIn<W> result;
  if (p.size == 0) return result;
  const auto [mean, rstd, z] = Forward(p);
  const size_t count = z.size();
  result.dx.resize(count);
  result.dresidual.resize(count);
  for (size_t i = 0; i < count; i++) {
    result.dresidual[i] = z[i] > 0 ? p.dy[i] : p.dy[i] * p.slope;
    result.dshift += result.dresidual[i];
  }
  const W mean_g = result.dshift / static_cast<W>(p.size);
  W centred = 0, offsets = 0;  // sums of (g - mean(g)) * xhat and of xhat
  for (size_t i = 0; i < count; i++) {
    const W xhat = (p.x[i] - mean) * rstd;
    centred += (result.dresidual[i] - mean_g) * xhat;
    offsets += xhat;
  }
  result.dscale = centred + mean_g * offsets;
  const W mean_gx = centred / static_cast<W>(p.size);
  for (size_t i = 0; i < count; i++) {
    const W xhat = (p.x[i] - mean) * rstd;
    const W g = result.dresidual[i];
    result.dx[i] = p.scale * rstd * (p.frozen ? g : g - mean_g - xhat * mean_gx);
  }
  return result;
}

}  // namespace haline::oracle

#endif  // HALINE_REFERENCE_GRADIENT_H_

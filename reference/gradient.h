// The oracle of the backward pass: the gradients of y = act(z), z = norm(x) + residual, for one plane, in the widest
// floating point that the compiler has. Centred, a pass for each sum, no cleverness.
#ifndef HALINE_REFERENCE_GRADIENT_H_
#define HALINE_REFERENCE_GRADIENT_H_

#include <vector>

#include "oracle.h"

namespace haline::oracle {

// A plane of `size` elements, and what was done to it.
struct PlaneProblem {
  int64_t size = 0;
  const Wide *x = nullptr, *dy = nullptr;
  const Wide *residual = nullptr;  // null: none
  Wide scale = 1, shift = 0;
  Wide slope = 1;  // of the activation where z <= 0: 0 is ReLU, 1 no activation
  double eps = 1e-5;
  bool frozen = false;      // mean and rstd are given, and do not depend on x
  Wide mean = 0, rstd = 0;  // where frozen
};

struct PlaneOutput {
  Wide mean = 0, rstd = 0;
  std::vector<Wide> z;
};

// The forward pass, up to the activation.
inline PlaneOutput Forward(const PlaneProblem &p) {
  PlaneOutput result = {p.mean, p.rstd, std::vector<Wide>(static_cast<size_t>(p.size))};
  if (p.size == 0) return result;
  if (!p.frozen) {
    const Moments moments = PlaneMoments(p.x, p.size);
    result.mean = moments.mean;
    result.rstd = Rstd(moments.variance, p.eps);
  }
  for (size_t i = 0; i < result.z.size(); i++) {
    result.z[i] = (p.x[i] - result.mean) * result.rstd * p.scale + p.shift + (p.residual ? p.residual[i] : 0);
  }
  return result;
}

struct PlaneGradient {
  std::vector<Wide> dx, dresidual;
  Wide dscale = 0, dshift = 0;
};

// With g the gradient of z and xhat = (x - mean) * rstd:
//   dshift = sum(g)    dscale = sum(g * xhat)    dx = scale * rstd * (g - mean(g) - xhat * mean(g * xhat))
// and without the two means where the statistics are frozen.
inline PlaneGradient Differentiate(const PlaneProblem &p) {
  PlaneGradient result;
  if (p.size == 0) return result;
  const auto [mean, rstd, z] = Forward(p);
  const size_t count = z.size();
  result.dx.resize(count);
  result.dresidual.resize(count);
  for (size_t i = 0; i < count; i++) {
    result.dresidual[i] = z[i] > 0 ? p.dy[i] : p.dy[i] * p.slope;
    result.dshift += result.dresidual[i];
  }
  const Wide mean_g = result.dshift / static_cast<Wide>(p.size);
  Wide centred = 0, offsets = 0;  // sums of (g - mean(g)) * xhat and of xhat
  for (size_t i = 0; i < count; i++) {
    const Wide xhat = (p.x[i] - mean) * rstd;
    centred += (result.dresidual[i] - mean_g) * xhat;
    offsets += xhat;
  }
  result.dscale = centred + mean_g * offsets;
  const Wide mean_gx = centred / static_cast<Wide>(p.size);
  for (size_t i = 0; i < count; i++) {
    const Wide xhat = (p.x[i] - mean) * rstd;
    const Wide g = result.dresidual[i];
    result.dx[i] = p.scale * rstd * (p.frozen ? g : g - mean_g - xhat * mean_gx);
  }
  return result;
}

}  // namespace haline::oracle

#endif  // HALINE_REFERENCE_GRADIENT_H_

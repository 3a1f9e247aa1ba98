// The layer of a network: haline::InstanceNorm with a learned scale and shift, on a batch of two 3-channel pictures.
//
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>

#include "haline/haline.hpp"

int main() try {
  haline::InstanceNorm norm(3);  // channels; eps is 1e-5, scale ones and shift zeros
  norm.set_scale({1.f, 2.f, 0.5f});
  norm.set_shift({0.f, 10.f, -1.f});

  haline::Tensor x({2, 3, 32, 32});
  for (int64_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(i * 7919 % 1000);

  const haline::Tensor y = norm(x);
  for (int64_t i = 0; i < y.size(); i += 1024) std::printf("plane %d starts with %g\n", int(i / 1024), y[i]);

  // Memory of your own, in place: here [N, C, L], one row of 2048 values a channel.
  norm.forward({x.data(), {1, 3, 2048}}, {x.data(), {1, 3, 2048}});
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

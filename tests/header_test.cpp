// haline.hpp alone, in C++17.
//
// SPDX-License-Identifier: MIT
#include "haline/haline.hpp"

static_assert(__cplusplus < 202002L, "the header must not need more than C++17");

int main() try {
  const float data[] = {1.f, 3.f, 2.f, 2.f};
  const haline::InstanceNorm norm(2, 0.);
  const haline::Tensor y = norm({data, {1, 2, 2}});
  return y[0] == -1.f && y[1] == 1.f && y[2] == 0.f && y[3] == 0.f ? 0 : 1;
} catch (const haline::Error &) {
  return 2;
}

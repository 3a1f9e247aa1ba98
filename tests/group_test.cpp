// Small planes are normalised some at a time, in whole groups, those that float can't serve apart and the rest of the
// channels on their own: each the same bytes, statistics too, as the plane alone, wherever in its group it is.
//
// SPDX-License-Identifier: MIT
#include <limits>

#include "support/form.h"

namespace haline::test {

const int kLeastCases = 11112;

namespace {

class GroupTest : public FormTest {
 protected:
  // Plane p of x alone.
  Typed Plane(const Typed &x, int64_t p) {
    const int64_t size = x.shape()[2];
    Typed plane(x.type(), {1, 1, size});
    for (int64_t i = 0; i < size; i++) plane.SetBits(i, x.Bits(p * size + i));
    return plane;
  }

  // The form in place, and each of its planes alone.
  void CheckPlanes(Form form, const std::string &what) {
    const int64_t batch = form.x->shape()[0], channels = form.x->shape()[1];
    Typed mean(Type::kF64, {batch, channels}), rstd = mean, y = *form.x;
    const Typed x = y;
    form.data = what;
    form.x = &y;
    form.mean = &mean;
    form.rstd = &rstd;
    ASSERT_TRUE(Run(form, &y));
    for (int64_t p = 0; p < batch * channels; p++) {
      const Typed plane = Plane(x, p);
      Typed scale(form.scale->type(), {1}), shift = scale, own_mean(Type::kF64, {1, 1}), own_rstd = own_mean;
      scale.SetBits(0, form.scale->Bits(p % channels));
      shift.SetBits(0, form.shift->Bits(p % channels));
      Form alone = form;
      alone.data = what + " plane " + std::to_string(p);
      alone.x = &plane;
      alone.scale = &scale;
      alone.shift = &shift;
      alone.mean = &own_mean;
      alone.rstd = &own_rstd;
      ASSERT_EQ(Run(alone).bytes(), Plane(y, p).bytes()) << Describe(alone);
      ASSERT_EQ(own_mean.Bits(0), mean.Bits(p)) << Describe(alone);
      ASSERT_EQ(own_rstd.Bits(0), rstd.Bits(p)) << Describe(alone);
    }
  }
};

// A plane that float can't serve, or whose sums are 0 of either sign.
void Spoil(Typed *x, int64_t plane, int kind) {
  const int64_t size = x->shape()[2], first = plane * size;
  for (int64_t i = 0; i < size; i++) {
    const double value = x->Get(first + i), sign = i % 2 == 0 ? 1 : -1;
    if (kind == 1) x->Set(first + i, sign * (x->type() == Type::kF16 ? 6e4 : 3e38));
    if (kind == 2) x->Set(first + i, value * (x->type() == Type::kF16 ? 1e-7 : 1e-44));
    if (kind == 3) x->Set(first + i, -0.0);
    if (kind == 4) x->Set(first + i, i < size / 16 * 16 ? 1 : 1000);  // the pivot misses what the plane ends with
    if (kind == 5) x->Set(first + i, sign * 0.0);
  }
  if (kind == 0) x->Set(first + size / 2, std::numeric_limits<double>::quiet_NaN());
}

TEST_P(GroupTest, EachPlaneOfBatchesOfGroups) {
  for (const Type type : kFloatTypes) {
    // Less than a group, groups of a batch and more, and what is left over.
    for (const int64_t channels : {7, 8, 15, 24, 33, 41, 80}) {
      for (const int64_t size : {64, 65, 100, 128, 255, 511}) {
        if (type != Type::kF32 && size != 100 && size != 128) continue;
        for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_LEAKY_RELU}) {
          const Typed x(type, {2, channels, size}, 1, 3, 2), scale(MathType(type), {channels}, 2, 1, 0.5),
              shift(MathType(type), {channels}, 3, 0, 2);
          Form form;
          form.x = &x;
          form.scale = &scale;
          form.shift = &shift;
          form.activation = activation;
          CheckPlanes(form, "");
        }
      }
    }
  }
}

TEST_P(GroupTest, PlanesThatFloatCannotServeAnywhereInPlace) {
  for (const Type type : kFloatTypes) {
    for (const int64_t size : {64, 67, 128, 300}) {
      if (type != Type::kF32 && size != 67) continue;
      for (const int64_t channels : {8, 43}) {
        for (const double eps : {0.0, 1e-5}) {
          for (const int64_t every : {1, 5, 11}) {
            Typed x(type, {2, channels, size}, 7, 0.5, 2);
            for (int64_t p = every - 1; p < 2 * channels; p += every) Spoil(&x, p, static_cast<int>(p / every) % 6);
            const Typed scale(MathType(type), {channels}, 2, 1, 0.5), shift(MathType(type), {channels}, 3, 0, 2);
            Form form;
            form.x = &x;
            form.scale = &scale;
            form.shift = &shift;
            form.eps = eps;
            CheckPlanes(form, "every " + std::to_string(every) + " spoilt");
          }
        }
      }
    }
  }
}

HALINE_ON_EVERY_PROCESSOR(GroupTest);

}  // namespace
}  // namespace haline::test

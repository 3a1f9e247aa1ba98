// Tensors that lie in a device's memory, on OpenCL: the bytes of the processor's, whatever the form, the strides and
// the number of planes. (The bytes of every form, with tensors that are sent there, are hashes_test's and
// operator_hashes_test's.)
//
// SPDX-License-Identifier: MIT
#include "support/gpu_test.h"

namespace haline::test {

const int kLeastCases = 0;  // forms are compared here, not held against the oracle

namespace {

Shape Every(const Shape &shape) {  // every second element of rows, planes that are three loops
  Shape strides = Crop(shape, 1);
  for (size_t i = 0; i < strides.size(); i++) strides[i] *= 2;
  return strides;
}

struct Layout {
  const char *name;
  Shape (*strides)(const Shape &shape);
};
const Layout kLayouts[] = {{"contiguous", [](const Shape &) { return Shape(); }},
                           {"channels-last", ChannelsLast},
                           {"crop", [](const Shape &shape) { return Crop(shape, 2); }},
                           {"every second", Every}};

// Both passes of one form, on the processor and on the device; scale and shift have x's type.
void Compare(const OpenClQueue &queue, Type type, const Shape &shape, const Layout &layout, int form) {
  SCOPED_TRACE(std::string(Name(type)) + " " + Text(shape) + " " + layout.name + " form " + std::to_string(form));
  const bool residual = form == 1, lengths = form == 2, given = form == 3, special = form == 4;
  const Shape planes = {shape[0], shape[1]}, channels = {shape[1]};
  Typed x(type, shape, 21, 0.5, 2), dy(type, shape, 22), r(type, shape, 23), scale(type, channels, 24, 1, 0.5),
      shift(type, form == 1 ? planes : channels, 25), mean(Type::kF32, planes), rstd(Type::kF64, planes),
      running(Type::kF32, channels, 26), given_mean(Type::kF64, channels, 27, 0.5, 0.1),
      given_rstd(Type::kF32, channels), length(Type::kI64, {shape[0]}), y(type, shape), dx(type, shape),
      dresidual(type, shape), dscale(type, channels), dshift(type, planes);
  given_rstd.Fill(0.4375);
  for (int64_t n = 0; n < shape[0]; n++) length.Set(n, static_cast<double>(n == 1 ? 0 : shape.back() - n));
  if (special) MakeSpecial(&x);

  const Shape strides = layout.strides(shape);
  OpenClTensor gx(queue, x, strides), gdy(queue, dy, strides), gr(queue, r, strides), gscale(queue, scale),
      gshift(queue, shift), gmean(queue, mean), grstd(queue, rstd), grunning(queue, running),
      ggiven_mean(queue, given_mean), ggiven_rstd(queue, given_rstd), glength(queue, length), gy(queue, y, strides),
      gdx(queue, dx, strides), gdresidual(queue, dresidual, strides), gdscale(queue, dscale), gdshift(queue, dshift);

  const auto run = [&](bool gpu) {
    const auto at = [&](Typed &host, OpenClTensor &device) { return gpu ? device.t() : host.t(); };
    haline_options o = HALINE_OPTIONS_INIT;
    if (gpu) o.queue = queue.queue();
    if (residual) {
      o.residual = at(r, gr);
      o.dresidual = at(dresidual, gdresidual);
      o.activation = HALINE_LEAKY_RELU;
    }
    if (lengths) o.lengths = at(length, glength);
    if (given) {
      o.given_mean = at(given_mean, ggiven_mean);
      o.given_rstd = at(given_rstd, ggiven_rstd);
    } else {
      o.mean = at(mean, gmean);
      o.rstd = at(rstd, grstd);
      o.running_variance = at(running, grunning);
    }
    ASSERT_EQ(haline_instance_norm(at(x, gx), at(scale, gscale), at(shift, gshift), at(y, gy), &o), HALINE_OK)
        << haline_error_message();
    EXPECT_EQ(IsTargetOf(haline_last_target(), "opencl"), gpu) << haline_last_target();
    o.frozen = given;
    ASSERT_EQ(haline_instance_norm_backward(at(x, gx), at(dy, gdy), at(scale, gscale), at(shift, gshift),
                                            given ? at(given_mean, ggiven_mean) : at(mean, gmean),
                                            given ? at(given_rstd, ggiven_rstd) : at(rstd, grstd), at(dx, gdx),
                                            at(dscale, gdscale), at(dshift, gdshift), &o),
              HALINE_OK)
        << haline_error_message();
  };
  run(false);
  run(true);
  const auto same = [](const char *name, const Typed &host, const OpenClTensor &device) {
    EXPECT_TRUE(host.bytes() == device.bytes()) << name;
  };
  same("x", x, gx);
  same("y", y, gy);
  same("mean", mean, gmean);
  same("rstd", rstd, grstd);
  same("running", running, grunning);
  same("dx", dx, gdx);
  same("dresidual", dresidual, gdresidual);
  same("dscale", dscale, gdscale);
  same("dshift", dshift, gdshift);
}

TEST_F(GpuTest, DeviceTensorsGetTheProcessorsBytes) {
  int turn = 0;
  for (const Layout &layout : kLayouts) {
    for (const Shape &shape : kGpuShapes) {
      for (int form = 0; form < 5; form++) {
        Compare(queue_, kFloatTypes[turn++ % 4], shape, layout, form);
        if (HasFailure()) return;
      }
    }
  }
}

// More samples and more channels than a launch has blocks for in y and z, and extents that no tile divides.
TEST_F(GpuTest, ManyPlanes) {
  int form = 0;
  for (const Shape &shape : {Shape{70000, 3, 4}, Shape{1, 300000, 4}, Shape{2, 70000, 5}, Shape{70000, 1, 70},
                             Shape{1, 70001, 65}, Shape{66000, 2, 1}}) {
    Compare(queue_, form % 2 == 0 ? Type::kF32 : Type::kF16, shape, kLayouts[0], form % 2);
    form++;
    if (HasFailure()) return;
  }
  Compare(queue_, Type::kF32, {1, 66000, 2, 3}, kLayouts[3], 4);  // copied
}

TEST_F(GpuTest, InPlace) {
  for (const Layout &layout : {kLayouts[0], kLayouts[3]}) {
    for (const Shape &shape : kGpuShapes) {
      Typed x(Type::kF32, shape, 31), dy(Type::kF32, shape, 32), mean(Type::kF64, {shape[0], shape[1]}), rstd = mean;
      MakeSpecial(&x);
      OpenClTensor gx(queue_, x, layout.strides(shape)), gy(queue_, x, layout.strides(shape)),
          gdy(queue_, dy, layout.strides(shape)), gmean(queue_, mean), grstd(queue_, rstd);
      haline_options on_host = HALINE_OPTIONS_INIT;
      on_host.mean = mean.t();
      on_host.rstd = rstd.t();
      Typed y = x, dx = dy;
      ASSERT_EQ(haline_instance_norm(y.t(), nullptr, nullptr, y.t(), &on_host), HALINE_OK);
      ASSERT_EQ(haline_instance_norm_backward(x.t(), dx.t(), nullptr, nullptr, mean.t(), rstd.t(), dx.t(), nullptr,
                                              nullptr, nullptr),
                HALINE_OK);
      options_.mean = gmean.t();
      options_.rstd = grstd.t();
      ASSERT_EQ(haline_instance_norm(gy.t(), nullptr, nullptr, gy.t(), &options_), HALINE_OK) << haline_error_message();
      ASSERT_EQ(haline_instance_norm_backward(gx.t(), gdy.t(), nullptr, nullptr, gmean.t(), grstd.t(), gdy.t(), nullptr,
                                              nullptr, &options_),
                HALINE_OK)
          << haline_error_message();
      EXPECT_TRUE(y.bytes() == gy.bytes()) << layout.name << ' ' << Text(shape);
      EXPECT_TRUE(dx.bytes() == gdy.bytes()) << layout.name << ' ' << Text(shape);
    }
  }
}

}  // namespace
}  // namespace haline::test

// The forms of the forward pass against the oracle: training, fused activation and residual, scale and shift by sample,
// lengths, and all of them on planes of none and one element, and with eps at its ends.
//
// SPDX-License-Identifier: MIT
#include <limits>

#include "support/form.h"
#include "support/random.h"

namespace haline::test {

const int kLeastCases = 2144;

namespace {

// Every regime: rank 2, tiny, small and large chunks, their borders, tasks of many planes, several blocks.
const std::vector<Shape> kShapes = {{2, 3},          {2, 3, 4},         {1, 5, 7, 9}, {3, 2, 64},
                                    {2, 17, 11, 11}, {2, 3, 511},       {2, 3, 512},  {1, 4, 37, 41},
                                    {2, 70, 3},      {3, 130, 5, 1, 7}, {1, 2, 70000}};

struct Activation {
  haline_activation kind;
  double slope;
};
const Activation kActivations[] = {{HALINE_NO_ACTIVATION, 0.5}, {HALINE_RELU, 0.5},       {HALINE_LEAKY_RELU, 0.2},
                                   {HALINE_LEAKY_RELU, -0.5},   {HALINE_LEAKY_RELU, 2.5}, {HALINE_LEAKY_RELU, 0}};

class FormsTest : public FormTest {
 protected:
  // x, scale, shift and a residual of one type and shape.
  struct Tensors {
    Typed x, scale, shift, residual, scale_by_sample, shift_by_sample;
    Tensors(Type type, const Shape &shape, double offset = 0.5)
        : x(type, shape, 1, offset, 2),
          scale(MathType(type), {shape[1]}, 2, 1, 0.5),
          shift(MathType(type), {shape[1]}, 3),
          residual(type, shape, 4, 0.25, 1),
          scale_by_sample(MathType(type), {shape[0], shape[1]}, 5, 1, 0.5),
          shift_by_sample(MathType(type), {shape[0], shape[1]}, 6) {}
    Form form() const {
      Form form;
      form.x = &x;
      form.scale = &scale;
      form.shift = &shift;
      return form;
    }
  };
};

TEST_P(FormsTest, TrainingGivesTheStatisticsAndTheSameBytes) {
  for (const Type type : {Type::kF32, Type::kF64}) {
    for (const Shape &shape : kShapes) {
      for (const double offset : {0.5, 1e4}) {
        const Tensors t(type, shape, offset);
        const std::string plain = Run(t.form()).bytes();
        for (const Type out : {Type::kF32, Type::kF64}) {
          Typed mean(out, {shape[0], shape[1]}, 9), rstd = mean, only_mean = mean, only_rstd = mean;
          Form form = t.form();
          form.data = "offset " + std::to_string(offset);
          form.mean = &mean;
          form.rstd = &rstd;
          EXPECT_EQ(Run(form).bytes(), plain) << Describe(form);
          CheckStatistics(form);
          form.mean = &only_mean;
          form.rstd = nullptr;
          EXPECT_EQ(Run(form).bytes(), plain) << Describe(form);
          form.mean = nullptr;
          form.rstd = &only_rstd;
          EXPECT_EQ(Run(form).bytes(), plain) << Describe(form);
          EXPECT_EQ(only_mean.bytes(), mean.bytes()) << Describe(form);
          EXPECT_EQ(only_rstd.bytes(), rstd.bytes()) << Describe(form);
        }
        Check(t.form());
      }
    }
  }
}

TEST_P(FormsTest, StatisticsOfPlanesThatAreNotFinite) {
  for (const Type type : {Type::kF32, Type::kF64}) {
    for (const int64_t size : {3, 100, 1000}) {
      Typed x(type, {1, 3, size}, 1), mean(type, {1, 3}), rstd = mean;
      x.Set(1, std::numeric_limits<double>::quiet_NaN());
      x.Set(2 * size + 2, std::numeric_limits<double>::infinity());
      Form form;
      form.data = "not finite";
      form.x = &x;
      form.mean = &mean;
      form.rstd = &rstd;
      Check(form);
      CheckStatistics(form);
      EXPECT_TRUE(std::isnan(mean.Get(0)) && std::isnan(rstd.Get(0)) && std::isnan(mean.Get(2)));
    }
  }
}

TEST_P(FormsTest, FusedActivationAndResidual) {
  for (const Type type : {Type::kF32, Type::kF64}) {
    for (const Shape &shape : kShapes) {
      const Tensors t(type, shape);
      for (const Activation &activation : kActivations) {
        if (Count(shape) > 100000 && activation.slope != 0.2) continue;  // a large one will do
        for (const bool residual : {false, true}) {
          for (const bool by_sample : {false, true}) {
            Form form = t.form();
            form.activation = activation.kind;
            form.negative_slope = activation.slope;
            if (residual) form.residual = &t.residual;
            if (by_sample) form.scale = &t.scale_by_sample, form.shift = &t.shift_by_sample;
            const Typed y = Run(form);
            Check(form, y);
            // In place, over the residual, and with all else that may be asked for.
            Tensors over = t;
            form.x = &over.x;
            Run(form, &over.x);
            EXPECT_EQ(over.x.bytes(), y.bytes()) << Describe(form);
            form.x = &t.x;
            if (residual) {
              form.residual = &over.residual;
              Run(form, &over.residual);
              EXPECT_EQ(over.residual.bytes(), y.bytes()) << Describe(form);
              form.residual = &t.residual;
            }
            Typed mean(type, {shape[0], shape[1]}), rstd = mean;
            form.mean = &mean;
            form.rstd = &rstd;
            EXPECT_EQ(Run(form).bytes(), y.bytes()) << Describe(form);
            CheckStatistics(form);
          }
        }
      }
    }
  }
}

TEST_P(FormsTest, ActivationsOfWhatIsNoNumber) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const Type type : {Type::kF32, Type::kF16, Type::kBF16, Type::kF64}) {
    for (const int64_t size : {1, 2, 4, 7, 8, 9, 16, 49, 64, 100, 600}) {
      Tensors t(type, {1, 32, size});
      t.x.Set(size, nan);
      t.x.Set(3 * size + size / 2, -inf);
      for (const int64_t plane : {5, 20}) t.residual.Set(plane * size, plane == 5 ? nan : inf);
      Typed last(type, {1, 32, size}, 0, 0, 1, ChannelsLast({1, 32, size}));
      for (int64_t i = 0; i < 32 * size; i++) last.Set(i, t.x.Get(i));
      for (const Activation &activation : kActivations) {
        for (const bool residual : {false, true}) {
          Form form = t.form();
          form.data = "not finite";
          form.activation = activation.kind;
          form.negative_slope = activation.slope;
          if (residual) form.residual = &t.residual;
          const Typed y = Run(form);
          Check(form, y);
          Typed over = last;
          form.x = &over;
          Run(form, &over);
          for (int64_t i = 0; i < 32 * size; i++) {
            const double a = over.Get(i), b = y.Get(i);
            ASSERT_TRUE(std::isnan(b) ? std::isnan(a) : a == b) << Describe(form) << " channels last, element " << i;
          }
        }
      }
    }
  }
}

TEST_P(FormsTest, ActivationsAtTheirEdges) {
  for (const Shape &shape : {Shape{2, 3, 9}, Shape{2, 3, 900}}) {
    const Tensors t(Type::kF32, shape);
    Form form = t.form();
    const std::string plain = Run(form).bytes();
    form.activation = HALINE_LEAKY_RELU;
    form.negative_slope = 1;
    EXPECT_EQ(Run(form).bytes(), plain) << "a slope of 1 is no activation";
    form.negative_slope = 0;
    const std::string leaky = Run(form).bytes();
    form.activation = HALINE_RELU;
    form.negative_slope = std::numeric_limits<double>::quiet_NaN();  // not used
    const Typed y = Run(form);
    EXPECT_EQ(y.bytes(), leaky) << "a slope of 0 is ReLU";
    int64_t zeros = 0;
    for (int64_t i = 0; i < y.count(); i++) {
      zeros += y.Bits(i) == 0;
      EXPECT_GE(y.Get(i), 0);
      EXPECT_NE(y.Bits(i), 0x80000000u) << "ReLU gives no -0";
    }
    EXPECT_GT(zeros, y.count() / 4);
  }
}

TEST_P(FormsTest, ScaleAndShiftBySample) {
  for (const Type type : {Type::kF32, Type::kF64}) {
    for (const Shape &shape : kShapes) {
      const Tensors t(type, shape);
      const Shape planes = {shape[0], shape[1]};
      Typed scale(MathType(type), planes), shift = scale;
      for (int64_t i = 0; i < scale.count(); i++) {
        scale.Set(i, t.scale.Get(i % shape[1]));
        shift.Set(i, t.shift.Get(i % shape[1]));
      }
      Form form = t.form();
      const std::string by_channel = Run(form).bytes();
      form.scale = &scale;
      form.shift = &shift;
      EXPECT_EQ(Run(form).bytes(), by_channel) << Describe(form);
      form.scale = &t.scale;
      form.shift = &t.shift_by_sample;
      Check(form);
      form.scale = &t.scale_by_sample;
      form.shift = nullptr;
      Check(form);
      form.shift = &t.shift_by_sample;
      const Typed y = Run(form);
      Check(form, y);
      // Rows apart, every third, backwards: the same values elsewhere in memory.
      for (const Shape &strides :
           std::vector<Shape>{{shape[1] + 5, 1}, {3 * shape[1], 3}, {-shape[1], 1}, {1, shape[0]}}) {
        const Typed strided_scale = t.scale_by_sample.As(strides), strided_shift = t.shift_by_sample.As(strides);
        form.scale = &strided_scale;
        form.shift = &strided_shift;
        EXPECT_EQ(Run(form).bytes(), y.bytes()) << Describe(form);
      }
      // One number for all channels.
      const Typed one(MathType(type), {shape[1]}, 3, 0, 1, {0}), every = one.As({2});
      form.scale = &one;
      form.shift = &every;
      Check(form);
    }
  }
}

TEST_P(FormsTest, Lengths) {
  for (const Type type : {Type::kF32, Type::kF64}) {
    for (const Shape &shape :
         std::vector<Shape>{{5, 3, 50}, {4, 2, 1200}, {4, 3, 5, 30}, {4, 2, 9, 200}, {3, 2, 3, 2, 40}, {3, 1, 70000}}) {
      for (const Type integer : {Type::kI32, Type::kI64}) {
        const Tensors t(type, shape);
        const int64_t batch = shape[0], extent = shape.back();
        Typed lengths(integer, {batch});
        Random random(7);
        for (int64_t n = 1; n + 1 < batch; n++) lengths.Set(n, static_cast<double>(n == 1 ? 1 : random.Below(extent)));
        lengths.Set(batch - 1, static_cast<double>(extent));  // and the first is 0
        const Typed apart = lengths.As({3});
        for (const int fused : {0, 1, 2}) {
          Tensors changed = t;  // what lies beyond does not matter
          Form form = t.form();
          form.lengths = integer == Type::kI32 ? &lengths : &apart;
          form.scale = &t.scale_by_sample;
          if (fused > 0) form.activation = HALINE_LEAKY_RELU;
          if (fused > 1) form.residual = &t.residual;
          Typed mean(Type::kF64, {batch, shape[1]}, 8), rstd = mean;
          form.mean = &mean;
          form.rstd = &rstd;
          const Typed y = Run(form);
          Check(form, y);
          CheckStatistics(form);
          for (int64_t i = 0; i < t.x.count(); i++) {
            if (form.valid(i)) continue;
            changed.x.Set(i, std::numeric_limits<double>::quiet_NaN());
            changed.residual.Set(i, std::numeric_limits<double>::infinity());
          }
          form.x = &changed.x;
          if (fused > 1) form.residual = &changed.residual;
          EXPECT_EQ(Run(form).bytes(), y.bytes()) << Describe(form);
          Run(form, &changed.x);
          EXPECT_EQ(changed.x.bytes(), y.bytes()) << Describe(form);
          // Each sample as if it had been cut to its length.
          for (int64_t n = 0; n < batch; n++) {
            Shape cut = shape;
            cut[0] = 1;
            cut.back() = static_cast<int64_t>(lengths.Get(n));
            Typed x(type, cut), residual(type, cut), scale(MathType(type), {shape[1]});
            std::string wanted;
            int64_t at = 0;
            for (int64_t i = n * (y.count() / batch); i < (n + 1) * (y.count() / batch); i++) {
              if (i % extent >= cut.back()) continue;
              x.SetBits(at, t.x.Bits(i));
              residual.SetBits(at++, t.residual.Bits(i));
              const uint64_t bits = y.Bits(i);
              wanted.append(reinterpret_cast<const char *>(&bits), static_cast<size_t>(Size(type)));
            }
            for (int64_t c = 0; c < shape[1]; c++) scale.Set(c, t.scale_by_sample.Get(n * shape[1] + c));
            Form alone = form;
            alone.data = "cut";
            alone.x = &x;
            alone.scale = &scale;
            alone.residual = form.residual ? &residual : nullptr;
            alone.lengths = nullptr;
            alone.mean = alone.rstd = nullptr;
            EXPECT_EQ(Run(alone).bytes(), wanted) << Describe(form) << " sample " << n;
          }
        }
      }
    }
  }
}

HALINE_ON_EVERY_BACKEND(FormsTest);

}  // namespace
}  // namespace haline::test

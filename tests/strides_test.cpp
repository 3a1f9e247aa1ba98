// Layouts: whatever the strides of x, y and the residual, the bytes are those of the contiguous tensor, and memory
// between the elements stays as it is.
//
// SPDX-License-Identifier: MIT
#include "support/form.h"
#include "support/status.h"

namespace haline::test {

const int kLeastCases = 3695;

namespace {

struct Layout {
  const char *name;
  Shape strides;
};

// Ways to lay out [N, C, *] of rank 4 or 5.
std::vector<Layout> Layouts(const Shape &shape) {
  const Shape plain = Contiguous(shape);
  const size_t last = shape.size() - 1;
  Shape every_second_channel = plain, every_third_column = Crop(shape, 0), reversed = plain, columns_reversed = plain;
  every_second_channel[0] *= 2;
  every_second_channel[1] *= 2;
  for (int64_t &stride : every_third_column) stride *= 3;
  for (int64_t &stride : reversed) stride = -stride;
  columns_reversed[last] = -1;
  Shape transposed = plain;  // of the last two dimensions
  transposed[last] = shape[last - 1];
  transposed[last - 1] = 1;
  Shape samples_within = plain;  // [C, N, *]
  samples_within[0] = plain[1];
  samples_within[1] = shape[0] * plain[1];
  Shape padded_last = ChannelsLast(shape);  // channels-last, room for one channel more, samples backwards
  for (size_t i = 0; i < shape.size(); i++) {
    if (i != 1) padded_last[i] = padded_last[i] / shape[1] * (shape[1] + 1);
  }
  padded_last[0] = -padded_last[0];
  Shape last_crop = ChannelsLast(shape);  // room for three columns more
  for (size_t i = 0; i < last; i++) {
    if (i != 1) last_crop[i] = last_crop[i] / shape[last] * (shape[last] + 3);
  }
  return {{"channels last", ChannelsLast(shape)},
          {"crop", Crop(shape, 3)},
          {"every second channel", every_second_channel},
          {"every third column", every_third_column},
          {"reversed", reversed},
          {"columns reversed", columns_reversed},
          {"transposed", transposed},
          {"samples within channels", samples_within},
          {"channels last, padded", padded_last},
          {"channels last, crop", last_crop}};
}

class StridesTest : public FormTest {
 protected:
  // All layouts against the contiguous tensor; each with y contiguous, like x, and in place; and with y in another.
  void CheckLayouts(Type type, const Shape &shape, const std::vector<Layout> &layouts) {
    const Typed x(type, shape, 1, 0.5, 2), scale(MathType(type), {shape[1]}, 2, 1, 0.5), residual(type, shape, 3);
    Form form;
    form.x = &x;
    form.scale = &scale;
    const std::string plain = Run(form).bytes();
    form.residual = &residual;
    form.activation = HALINE_RELU;
    const std::string fused = Run(form).bytes();
    for (size_t i = 0; i < layouts.size(); i++) {
      const Shape &strides = layouts[i].strides, &others = layouts[(i + 1) % layouts.size()].strides;
      Typed in = x.As(strides), like(type, shape, 0, 0, 1, strides), other(type, shape, 0, 0, 1, others);
      Typed mean(Type::kF32, {shape[0], shape[1]}, 0, 0, 1, {1, shape[0]});
      form = Form{};
      form.data = layouts[i].name;
      form.x = &in;
      form.scale = &scale;
      EXPECT_EQ(Run(form).bytes(), plain) << Describe(form);
      form.mean = &mean;
      Run(form, &like, " into the same");
      EXPECT_EQ(like.bytes(), plain) << Describe(form);
      Run(form, &other, " into another");
      EXPECT_EQ(other.bytes(), plain) << Describe(form);
      Typed strided_residual = residual.As(others);
      form.residual = &strided_residual;
      form.activation = HALINE_RELU;
      Run(form, &like, " fused");
      EXPECT_EQ(like.bytes(), fused) << Describe(form);
      Run(form, &strided_residual);
      EXPECT_EQ(strided_residual.bytes(), fused) << Describe(form);
      form.residual = nullptr;
      form.activation = HALINE_NO_ACTIVATION;
      Run(form, &in);
      EXPECT_EQ(in.bytes(), plain) << Describe(form) << " in place";
      form.x = &x;  // contiguous in, strides out
      form.data = std::string("into ") + layouts[i].name;
      Run(form, &like, " from contiguous");
      EXPECT_EQ(like.bytes(), plain) << Describe(form);
    }
  }
};

TEST_P(StridesTest, SmallPlanes) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : std::vector<Shape>{
             {2, 3, 2, 3}, {2, 5, 6, 12}, {3, 17, 9, 8}, {2, 3, 23, 29}, {2, 35, 13, 12}, {2, 3, 3, 5, 9}}) {
      CheckLayouts(type, shape, Layouts(shape));
    }
  }
}

// Whole groups of planes, some over, fewer than a group; more planes than a task's own scratch memory has room for.
TEST_P(StridesTest, TinyPlanes) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape :
         std::vector<Shape>{{3, 16, 1, 2}, {2, 37, 1, 3}, {3, 32, 1, 3}, {2, 21, 2, 2}, {40, 16, 1, 5}}) {
      CheckLayouts(type, shape, Layouts(shape));
    }
    const Typed x(type, {40, 32, 1, 3}, 1), scale(MathType(type), {40, 32}, 2), turned = scale.As({1, 40});
    Form form;
    form.x = &x;
    form.scale = &scale;
    const std::string plain = Run(form).bytes();
    form.data = "a scale whose strides the kernels don't take";
    form.scale = &turned;
    EXPECT_EQ(Run(form).bytes(), plain) << Describe(form);
  }
}

// Copied plane by plane.
TEST_P(StridesTest, PlanesOfSeveralBlocks) {
  for (const Type type : {Type::kF32, Type::kF16, Type::kF64}) {
    CheckLayouts(type, {1, 2, 150, 131}, Layouts({1, 2, 150, 131}));
    CheckLayouts(type, {1, 3, 2, 110, 90}, {{"channels last", ChannelsLast({1, 3, 2, 110, 90})}});
  }
}

// Copied block by block: channels that share lines, one plane.
TEST_P(StridesTest, PlanesTooLargeToCopy) {
  for (const Type type : {Type::kF32, Type::kBF16, Type::kF64}) {
    const Shape many = {1, 17, 129, 130}, one = {1, 1, 515, 513};
    const std::vector<Layout> of_many = Layouts(many), of_one = Layouts(one);
    CheckLayouts(type, many, {of_many[type == Type::kF32 ? 9 : 8]});
    CheckLayouts(type, one, {of_one[type == Type::kF64 ? 3 : 1]});
  }
}

TEST_P(StridesTest, PlanesThatAllThreadsShare) {
  for (const Type type : {Type::kF32, Type::kF16, Type::kF64}) {
    const Shape shape = {1, 1, 1030, 1021};
    const std::vector<Layout> layouts = Layouts(shape);
    CheckLayouts(type, shape, {layouts[type == Type::kF32 ? 1 : type == Type::kF16 ? 3 : 6]});
  }
}

// Rank 2 and 3, extents of 1 whose strides do not matter.
TEST_P(StridesTest, LowRanksAndExtentsOfOne) {
  CheckLayouts(Type::kF32, {5, 7}, {{"transposed", {1, 5}}, {"rows apart", {9, 1}}, {"backwards", {-7, -1}}});
  CheckLayouts(Type::kF32, {3, 5, 80},
               {{"channels last", {400, 1, 5}}, {"time first", {5, 1, 15}}, {"every second", {800, 160, 2}}});
  CheckLayouts(Type::kF32, {1, 5, 1, 80, 1}, {{"odd", {-77, 80, 12345, 1, 999}}, {"channels last", {1, 1, 3, 5, 0}}});
}

// x may repeat itself: one sample for all, one channel, one row, one element.
TEST_P(StridesTest, XMayRepeatItself) {
  for (const Type type : {Type::kF32, Type::kF16, Type::kF64}) {
    const Shape shape = {3, 4, 11, 13};
    for (const Shape &strides :
         std::vector<Shape>{{0, 143, 13, 1}, {143, 0, 13, 1}, {52, 13, 0, 1}, {44, 11, 1, 0}, {0, 0, 0, 0}}) {
      const Typed x(type, shape, 1, 0.5, 2, strides), dense = x.As(Shape{});
      Form form;
      form.data = "repeats itself";
      form.x = &x;
      const std::string y = Run(form).bytes();
      Check(form);
      form.x = &dense;
      EXPECT_EQ(Run(form).bytes(), y) << Describe(form);
      form.residual = &x;
      form.x = &dense;
      Check(form);
    }
  }
}

TEST_P(StridesTest, LengthsWithStrides) {
  for (const Type type : {Type::kF32, Type::kF16}) {
    for (const Shape &shape : std::vector<Shape>{{3, 4, 7, 40}, {3, 2, 41, 400}}) {
      const Typed x(type, shape, 1);
      Typed lengths(Type::kI64, {3});
      lengths.Set(1, 17);
      lengths.Set(2, static_cast<double>(shape[3]));
      Form form;
      form.lengths = &lengths;
      form.x = &x;
      const Typed wanted = Run(form);
      Check(form, wanted);
      for (const Layout &layout : Layouts(shape)) {
        Typed strided = x.As(layout.strides), y(type, shape, 9, 0, 1, layout.strides);
        form.data = layout.name;
        form.x = &strided;
        Run(form, &y);
        EXPECT_EQ(y.bytes(), wanted.bytes()) << Describe(form);
        Run(form, &strided);
        EXPECT_EQ(strided.bytes(), wanted.bytes()) << Describe(form);
      }
    }
  }
}

// Four loops are taken, five refused with advice.
TEST_P(StridesTest, AtMostFourLoops) {
  const Shape shape = {2, 3, 2, 3, 2, 3}, more = {2, 3, 2, 3, 2, 3, 2};
  CheckLayouts(Type::kF32, shape, {{"four loops", Crop(shape, 1)}, {"reversed loops", {-216 * 3, 216, 1, 2, 6, 12}}});
  const Typed x(Type::kF32, more, 1, 0, 1, Crop(more, 1)), dense(Type::kF32, more, 1);
  Typed y(Type::kF32, more, 2), strided(Type::kF32, more, 2, 0, 1, Crop(more, 1));
  const std::string before = y.bytes();
  haline_options options = HALINE_OPTIONS_INIT;
  options.backend = backend().c_str();
  ExpectFailure(haline_instance_norm(x.t(), nullptr, nullptr, y.t(), &options), HALINE_UNSUPPORTED,
                {"x: strides found", "more than 4 loops", "make it contiguous first"});
  EXPECT_EQ(y.bytes(), before);
  ExpectFailure(haline_instance_norm(dense.t(), nullptr, nullptr, strided.t(), &options), HALINE_UNSUPPORTED,
                {"y: strides found", "more than 4 loops", "make it contiguous first"});
  EXPECT_EQ(strided.bytes(), before);
}

HALINE_ON_EVERY_BACKEND(StridesTest);

}  // namespace
}  // namespace haline::test

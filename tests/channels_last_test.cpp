// Channels-last tensors: the bytes of the contiguous tensor, for every class of plane size and channel count, in every
// form. (That kernels of their own make them is channels_last_kernels_test.cpp's.)
//
// SPDX-License-Identifier: MIT
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "support/form.h"

namespace haline::test {

const int kLeastCases = 1500;

namespace {

// Of a tensor [N, C, S] that is the first channels of one with `more` in all.
Shape Slice(const Shape &shape, int64_t more) { return {shape[2] * (shape[1] + more), 1, shape[1] + more}; }

class ChannelsLastTest : public FormTest {
 protected:
  void TearDown() override { haline_set_num_threads(0); }

  // y of the same form in both layouts, and the statistics, channels-last into memory of its own and in place.
  void ExpectSame(Form form, const Shape &strides) {
    const Typed *const contiguous = form.x, *const residual = form.residual;
    const Shape &shape = contiguous->shape();
    Typed mean(Type::kF32, {shape[0], shape[1]}), rstd = mean;
    if (!form.given_mean) {
      form.mean = &mean;
      form.rstd = &rstd;
    }
    const std::string wanted = Run(form).bytes(), wanted_mean = mean.bytes(), wanted_rstd = rstd.bytes();
    Typed x = contiguous->As(strides), y(contiguous->type(), shape, 0, 0, 1, strides);
    std::unique_ptr<Typed> last_residual;
    if (residual) last_residual = std::make_unique<Typed>(residual->As(strides));
    form.x = &x;
    form.residual = last_residual.get();
    Run(form, &y, " channels last");
    EXPECT_EQ(y.bytes(), wanted) << Describe(form);
    EXPECT_EQ(mean.bytes(), wanted_mean) << Describe(form);
    EXPECT_EQ(rstd.bytes(), wanted_rstd) << Describe(form);
    if (residual) {
      Run(form, last_residual.get(), " into the residual");
      EXPECT_EQ(last_residual->bytes(), wanted) << Describe(form);
      form.residual = residual;  // contiguous
      Run(form, &y, " with a contiguous residual");
      EXPECT_EQ(y.bytes(), wanted) << Describe(form);
    }
    Run(form, &x, " in place");
    EXPECT_EQ(x.bytes(), wanted) << Describe(form);
  }
};

constexpr int64_t kSizes[] = {1, 2, 63, 64, 65, 90, 127, 511, 512, 513, 1000, 16383, 16384, 16385, 40000};
constexpr int64_t kChannels[] = {1, 3, 4, 7, 8, 15, 16, 17, 24, 31, 64, 65, 72, 100, 600};

// Whether a shape is small enough for every type and form; large ones run where they take a path of their own.
bool Wanted(int64_t size, int64_t channels, int64_t most) {
  return size * channels <= most || (size > 10000 && (channels == 8 || channels == 17));
}

TEST_P(ChannelsLastTest, EverySizeAndChannelCount) {
  uint64_t seed = 1;
  for (const Type type : kFloatTypes) {
    for (const int64_t size : kSizes) {
      for (const int64_t channels : kChannels) {
        if (!Wanted(size, channels, 40000)) continue;
        const Shape shape = {size < 10000 ? 3 : 1, channels, size};
        const Typed x(type, shape, seed++, 0.5, 2), scale(MathType(type), {channels}, seed++, 1, 0.5);
        const Typed shift(MathType(type), {channels}, seed++, 0, 4);  // some larger than 2: the other form of y
        Form form;
        form.x = &x;
        form.scale = &scale;
        form.shift = &shift;
        ExpectSame(form, ChannelsLast(shape));
        const Typed residual(type, shape, seed++);
        form.residual = &residual;
        form.activation = seed % 2 ? HALINE_RELU : HALINE_LEAKY_RELU;
        ExpectSame(form, Slice(shape, 1));
      }
    }
  }
}

TEST_P(ChannelsLastTest, WithoutResidualWithActivationAndWithGivenStatistics) {
  for (const Type type : kFloatTypes) {
    for (const int64_t channels : {8, 17, 64, 100}) {
      const Shape shape = {2, channels, 11, 13};
      const Typed x(type, shape, 1, 0.5, 2), mean(Type::kF32, {channels}, 2);
      Typed variance(Type::kF32, {2, channels}, 3);
      for (int64_t i = 0; i < variance.count(); i++) variance.Set(i, 0.5 + std::fabs(variance.Get(i)));
      Form form;
      form.x = &x;
      form.activation = HALINE_LEAKY_RELU;
      ExpectSame(form, ChannelsLast(shape));
      form.given_mean = &mean;
      form.given_variance = &variance;
      ExpectSame(form, ChannelsLast(shape));
    }
  }
}

// Planes that float sums can't serve, among others that they can.
TEST_P(ChannelsLastTest, PlanesOfTheirOwnKind) {
  const double specials[] = {std::nan(""), HUGE_VAL, -HUGE_VAL, std::numeric_limits<float>::max(), 1e30, 1e20,
                             1e6,          0x1p-149, 0};
  for (const Type type : kFloatTypes) {
    for (const int64_t size : {63, 64, 600, 20000}) {
      const Shape shape = {2, 20, size};
      if (size == 20000 && type != Type::kF32) continue;
      Typed x(type, shape, 7, 0.5, 2);
      for (int64_t plane = 0; plane < 40; plane += 3) {
        const double special = specials[plane / 3 % 9];
        if (plane % 2) {
          x.Set(plane * size + plane * 5 % size, special);
        } else {
          for (int64_t i = 0; i < size; i++) x.Set(plane * size + i, x.Get(plane * size + i) * special);
        }
      }
      Form form;
      form.data = "special";
      form.x = &x;
      ExpectSame(form, ChannelsLast(shape));
    }
  }
}

TEST_P(ChannelsLastTest, SameWithAnyNumberOfThreads) {
  for (const Shape &shape : std::vector<Shape>{{9, 70, 64},
                                               {5, 24, 1000},
                                               {2, 600, 130},
                                               {1, 40, 5000},
                                               {1, 17, 40000},
                                               {2, 12, 17000},
                                               {1, 32, 600},
                                               {1, 5, 700},
                                               {3, 192, 300},
                                               {1, 520, 530},
                                               {1, 600, 70}}) {
    for (const Type type : {Type::kF32, Type::kBF16}) {
      const Typed x(type, shape, 3, 0.5, 2), residual(type, shape, 4);
      Form form;
      form.x = &x;
      form.residual = &residual;
      for (const int threads : {1, 2, 5}) {
        ASSERT_EQ(haline_set_num_threads(threads), HALINE_OK);
        ExpectSame(form, ChannelsLast(shape));
      }
    }
  }
}

TEST_P(ChannelsLastTest, Lengths) {
  for (const Shape &shape : std::vector<Shape>{{4, 16, 700}, {4, 9, 100}, {4, 20, 40, 20}}) {
    const Typed x(Type::kF32, shape, 5);
    Typed lengths(Type::kI64, {4});
    lengths.Set(1, 1);
    lengths.Set(2, static_cast<double>(shape.back() - 3));
    lengths.Set(3, static_cast<double>(shape.back()));
    Form form;
    form.x = &x;
    form.lengths = &lengths;
    ExpectSame(form, ChannelsLast(shape));
  }
}

// Tiny planes whose statistics nobody wants, which have kernels of their own; some of them of special values.
TEST_P(ChannelsLastTest, TinyPlanesAlone) {
  const double specials[] = {std::nan(""), HUGE_VAL, -HUGE_VAL, std::numeric_limits<float>::max(), 0x1p-149, 0};
  for (const Type type : kFloatTypes) {
    for (const int64_t size : {1, 2, 3, 4, 5, 7, 8, 9, 16, 27, 63}) {
      for (const int64_t channels : {16, 48, 144, 150}) {
        const Shape shape = {3, channels, size};
        Typed x(type, shape, static_cast<uint64_t>(size), 0.5, 2), scale(MathType(type), {channels}, 2, 1, 0.5);
        for (int64_t plane = 1; plane < 3 * channels; plane += 7) {
          const double special = specials[plane % 6];
          for (int64_t i = 0; i < (plane % 2 ? 1 : size); i++) x.Set(plane * size + (plane + i) % size, special);
        }
        const Typed last = x.As(ChannelsLast(shape)), shift(MathType(type), {channels}, 3, 0, 4);
        for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_RELU, HALINE_LEAKY_RELU}) {
          Form form;
          form.data = "special";
          form.x = &x;
          form.scale = &scale;
          form.shift = &shift;
          form.activation = activation;
          const std::string wanted = Run(form).bytes();
          form.x = &last;
          Typed y(type, shape, 0, 0, 1, ChannelsLast(shape));
          Run(form, &y, " channels last");
          EXPECT_EQ(y.bytes(), wanted) << Describe(form);
        }
      }
    }
  }
}

// Results that begin with a line of the caches, which may be written past them a line at a time.
TEST_P(ChannelsLastTest, ResultsOfWholeLines) {
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : std::vector<Shape>{{3, 32, 200},
                                                 {2, 3, 1600},
                                                 {2, 3, 1607},
                                                 {1, 64, 130},
                                                 {2, 16, 64},
                                                 {2, 48, 700},
                                                 {1, 16, 20001},
                                                 {2, 640, 96}}) {
      const Typed x(type, shape, 1, 0.5, 2), last = x.As(ChannelsLast(shape));
      const size_t bytes = static_cast<size_t>(x.count() * Size(type)), line = 64;
      const std::unique_ptr<void, void (*)(void *)> memory(std::aligned_alloc(line, (bytes + line - 1) / line * line),
                                                           std::free);
      ASSERT_NE(memory, nullptr);
      for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_LEAKY_RELU}) {
        haline_tensor y = *last.t();
        y.data = memory.get();
        y.byte_offset = 0;
        haline_options options = HALINE_OPTIONS_INIT;
        options.backend = backend().c_str();
        options.activation = activation;
        EXPECT_EQ(haline_instance_norm(last.t(), nullptr, nullptr, &y, &options), HALINE_OK) << haline_error_message();
        Form form;
        form.x = &x;
        form.activation = activation;
        const Typed wanted = Run(form).As(ChannelsLast(shape));
        const void *const at = static_cast<const char *>(wanted.t()->data) + wanted.t()->byte_offset;
        EXPECT_EQ(std::memcmp(y.data, at, bytes), 0) << Describe(form);
      }
    }
  }
}

// Nothing past the last channel of the last element is read or written: it lies at the end of a page, and before a page
// that nobody may touch.
TEST_P(ChannelsLastTest, NothingPastTheEnd) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  for (const Type type : kFloatTypes) {
    for (const int64_t channels : {8, 9, 17, 31, 65}) {
      for (const int64_t size : {5, 64, 77, 600}) {
        const Typed x(type, {1, channels, size}, 1), last = x.As(ChannelsLast(x.shape()));
        const int64_t bytes = x.count() * Size(type), room = (bytes + page - 1) / page * page;
        void *const memory = mmap(nullptr, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        ASSERT_EQ(mprotect(static_cast<char *>(memory) + room, page, PROT_NONE), 0);
        haline_tensor t = *last.t();
        t.data = static_cast<char *>(memory) + room - bytes;
        t.byte_offset = 0;
        std::memcpy(t.data, static_cast<const char *>(last.t()->data) + last.t()->byte_offset, bytes);
        haline_options options = HALINE_OPTIONS_INIT;
        options.backend = backend().c_str();
        EXPECT_EQ(haline_instance_norm(&t, nullptr, nullptr, &t, &options), HALINE_OK) << haline_error_message();
        Form form;
        form.x = &x;
        const Typed y = Run(form).As(ChannelsLast(x.shape()));
        const void *const wanted = static_cast<const char *>(y.t()->data) + y.t()->byte_offset;
        EXPECT_EQ(std::memcmp(t.data, wanted, bytes), 0) << Describe(form);
        munmap(memory, room + page);
      }
    }
  }
}

HALINE_ON_EVERY_BACKEND(ChannelsLastTest);

}  // namespace
}  // namespace haline::test

// Results that are written past the caches, from kernels that make the sums of the planes that follow meanwhile: they
// were, and their bytes are those of the plain path, which strides send a tensor on.
//
// SPDX-License-Identifier: MIT
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "support/form.h"
#include "support/status.h"
#include "support/wrap_flow.h"

namespace {
std::atomic<int64_t> calls{0}, alone{0}, with_pivots{0}, lines{0};

[[maybe_unused]] bool IsAlone(std::string_view kernel) { return kernel.find("alone") != std::string_view::npos; }
}  // namespace

// The linker sends the engines' calls here.
#define HALINE_COUNT(kernel) HALINE_WRAP_FLOW(kernel, (calls++, with_pivots += has_pivot, alone += IsAlone(#kernel)))
#define HALINE_COUNT_ALL(backend)                \
  HALINE_COUNT(kernel_flow_small_f32_##backend)  \
  HALINE_COUNT(kernel_flow_large_f32_##backend)  \
  HALINE_COUNT(kernel_flow_alone_f32_##backend)  \
  HALINE_COUNT(kernel_flow_small_f16_##backend)  \
  HALINE_COUNT(kernel_flow_large_f16_##backend)  \
  HALINE_COUNT(kernel_flow_alone_f16_##backend)  \
  HALINE_COUNT(kernel_flow_small_bf16_##backend) \
  HALINE_COUNT(kernel_flow_large_bf16_##backend) \
  HALINE_COUNT(kernel_flow_alone_bf16_##backend) \
  HALINE_COUNT(kernel_flow_small_f64_##backend)  \
  HALINE_COUNT(kernel_flow_large_f64_##backend)  \
  HALINE_COUNT(kernel_flow_alone_f64_##backend)
#define HALINE_COUNT_LINES(backend)                                                                                  \
  extern "C" int __real_kernel_apply_lines_f32_##backend(halide_buffer_t *, halide_buffer_t *, halide_buffer_t *,    \
                                                         bool, double, int32_t, int32_t, halide_buffer_t *);         \
  extern "C" int __wrap_kernel_apply_lines_f32_##backend(halide_buffer_t *x, halide_buffer_t *coefficients,          \
                                                         halide_buffer_t *residual, bool has_residual, double slope, \
                                                         int32_t form, int32_t ahead, halide_buffer_t *y) {          \
    lines++;                                                                                                         \
    return __real_kernel_apply_lines_f32_##backend(x, coefficients, residual, has_residual, slope, form, ahead, y);  \
  }
#if defined(__x86_64__)
HALINE_COUNT_LINES(x86_avx512)
HALINE_COUNT_LINES(x86_avx2)
HALINE_COUNT_ALL(x86_avx512)
HALINE_COUNT_ALL(x86_avx2)
HALINE_COUNT_ALL(x86_64)
#endif

namespace haline::test {

const int kLeastCases = 636;

namespace {

// Other processors write all results as they are (runtime/stream.h).
#if defined(__x86_64__)
constexpr bool kStreams = true;
#else
constexpr bool kStreams = false;
#endif

constexpr int64_t kAlone = 16384;  // planes of more elements are parts of their own (runtime/plan.h)

class StreamTest : public FormTest {
 protected:
  void SetUp() override { ASSERT_EQ(haline_set_num_threads(1), HALINE_OK); }
  void TearDown() override { haline_set_num_threads(0); }

  // The form on x, contiguous, into y apart and in place, against a crop's. `elsewhere` of its planes are not streamed.
  void Check(Form form, const std::string &what, int64_t elsewhere = 0) {
    const Typed crop = form.x->As(Crop(form.x->shape(), 3));
    const Typed *const x = form.x;
    calls = 0;
    form.x = &crop;
    const std::string plain = Run(form).bytes();
    EXPECT_EQ(calls, 0) << what;
    form.x = x;
    EXPECT_EQ(Run(form).bytes(), plain) << what;
    const int64_t planes = kStreams ? form.planes() - elsewhere : 0;
    if (!kStreams || form.size() > kAlone)
      EXPECT_EQ(calls, planes) << what;
    else
      EXPECT_TRUE(calls > 0 && calls < planes) << what << ": " << calls << " calls for " << planes << " planes";
    Typed in_place = *x;
    form.x = &in_place;
    Run(form, &in_place);
    EXPECT_EQ(in_place.bytes(), plain) << what << " in place";
  }
};

// Of one row, so that a crop is no contiguous plane: the extents are those of a picture.
TEST_P(StreamTest, SameBytes) {
  const Shape shapes[] = {{1, 1100, 8, 8},  {4, 150, 17, 13}, {2, 40, 31, 31},  {5, 9, 40, 50},
                          {1, 3, 128, 129}, {2, 3, 181, 181}, {1, 2, 256, 256}, {1, 3, 301, 199}};
  uint64_t seed = 1;
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : shapes) {
      const Typed x(type, shape, seed++, 0.5, 2), residual(type, shape, seed++),
          scale(MathType(type), {shape[1]}, seed++);
      for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_RELU, HALINE_LEAKY_RELU}) {
        for (const bool with_residual : {false, true}) {
          Form form;
          form.x = &x;
          form.scale = &scale;
          form.activation = activation;
          if (with_residual) form.residual = &residual;
          Check(form, Describe(form));
        }
      }
    }
  }
}

// Without sums: results are all that is made.
TEST_P(StreamTest, GivenStatistics) {
  uint64_t seed = 1;
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : {Shape{4, 150, 17, 13}, Shape{2, 40, 31, 31}, Shape{1, 3, 301, 199}}) {
      const Typed x(type, shape, seed++, 0.5, 2), residual(type, shape, seed++), mean(Type::kF64, {shape[1]}, seed++),
          variance(Type::kF64, {shape[1]}, seed++, 2, 0.1);
      for (const bool with_residual : {false, true}) {
        Form form;
        form.x = &x;
        form.given_mean = &mean;
        form.given_variance = &variance;
        form.activation = with_residual ? HALINE_LEAKY_RELU : HALINE_NO_ACTIVATION;
        if (with_residual) form.residual = &residual;
        alone = 0;
        Check(form, Describe(form));
        EXPECT_EQ(alone > 0, kStreams) << Describe(form);
      }
    }
  }
}

// A plane in the middle that float can't do justice is done in double, those about it as ever.
TEST_P(StreamTest, PlanesThatAreSentElsewhere) {
  for (const Shape &shape : {Shape{1, 60, 40, 40}, Shape{1, 6, 256, 257}}) {
    for (const double special : {1e30, 1.0 / 0.0}) {
      Typed x(Type::kF32, shape, 7);
      const int64_t size = shape[2] * shape[3];
      for (const int64_t plane : {2, 3, 5}) x.Set(plane * size + 5, special);
      Form form;
      form.data = "special " + std::to_string(special);
      form.x = &x;
      Check(form, Describe(form), 3);
    }
  }
}

// Channels-last: whole lines, also where a part has not all channels.
TEST_P(StreamTest, WholeLinesOfChannels) {
  for (const Shape &shape : {Shape{3, 32, 200}, Shape{2, 640, 96}}) {
    const Typed x(Type::kF32, shape, 1, 0.5, 2), last = x.As(ChannelsLast(shape));
    const size_t bytes = static_cast<size_t>(x.count()) * sizeof(float);
    const std::unique_ptr<void, void (*)(void *)> memory(std::aligned_alloc(64, bytes), std::free);
    ASSERT_NE(memory, nullptr);
    haline_tensor y = *last.t();
    y.data = memory.get();
    y.byte_offset = 0;
    haline_options options = HALINE_OPTIONS_INIT;
    options.backend = backend().c_str();
    lines = 0;
    ASSERT_EQ(haline_instance_norm(last.t(), nullptr, nullptr, &y, &options), HALINE_OK) << haline_error_message();
    EXPECT_EQ(lines > 0, kStreams && backend() != "x86-64") << Text(shape);
    Form form;
    form.x = &x;
    const Typed wanted = Run(form).As(ChannelsLast(shape));
    const void *const at = static_cast<const char *>(wanted.t()->data) + wanted.t()->byte_offset;
    EXPECT_EQ(std::memcmp(y.data, at, bytes), 0) << Describe(form);
  }
}

// Large planes of which there are few: threads write the one before among the sums of the next, piece by piece. The
// last piece is of few chunks, or of less than a small plane, and a rest.
TEST_P(StreamTest, PlanesThatThreadsShare) {
  uint64_t seed = 1;
  for (const Type type : kFloatTypes) {
    for (const Shape &shape : {Shape{1, 3, 400, 331}, Shape{3, 1, 512, 257}, Shape{1, 3, 4, 32843}}) {
      for (const bool slow : {false, true}) {
        Typed x(type, shape, seed++, 0.5, 2), residual(type, shape, seed++);
        if (slow) x.Set(shape[2] * shape[3] + 5, 1.0 / 0.0);
        const Typed crop = x.As(Crop(shape, 3));
        Form form;
        form.data = slow ? "one plane is not finite" : "";
        form.activation = HALINE_LEAKY_RELU;
        if (seed % 4 == 3) form.residual = &residual;
        form.x = &crop;
        ASSERT_EQ(haline_set_num_threads(1), HALINE_OK);
        const std::string plain = Run(form).bytes();
        form.x = &x;
        for (const int threads : {1, 2, 3}) {
          ASSERT_EQ(haline_set_num_threads(threads), HALINE_OK);
          with_pivots = 0;
          EXPECT_EQ(Run(form).bytes(), plain) << Describe(form) << ", " << threads << " threads";
          // (The plane that is not finite waits for nothing; the one after it finds none that waits.)
          EXPECT_EQ(with_pivots > 0, kStreams && threads > 1) << Describe(form) << ", " << threads << " threads";
        }
      }
    }
  }
}

}  // namespace

HALINE_ON_EVERY_PROCESSOR(StreamTest);

}  // namespace haline::test

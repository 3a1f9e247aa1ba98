// Results that are written past the caches, from kernels that make the sums of the planes that follow meanwhile: they
// were, and their bytes are those of the plain path, which strides send a tensor on.
//
// SPDX-License-Identifier: MIT
#include <atomic>

#include "support/form.h"
#include "support/status.h"

namespace {
std::atomic<int64_t> calls{0};
}

// The linker sends the kernels' calls here.
extern "C" int32_t __real_kernel_stream(char *, int32_t, const char *, int32_t, const char *, int32_t, int32_t, int32_t,
                                        int32_t);
extern "C" int32_t __wrap_kernel_stream(char *to, int32_t to_index, const char *from, int32_t from_index,
                                        const char *next, int32_t next_index, int32_t count, int32_t size,
                                        int32_t ahead) {
  calls += ahead != INT32_MIN;  // else it only fetches
  return __real_kernel_stream(to, to_index, from, from_index, next, next_index, count, size, ahead);
}

namespace haline::test {

const int kLeastCases = 588;

namespace {

// Other processors write all results as they are (runtime/stream.h).
#if defined(__x86_64__)
constexpr bool kStreams = true;
#else
constexpr bool kStreams = false;
#endif

class StreamTest : public FormTest {
 protected:
  void SetUp() override { ASSERT_EQ(haline_set_num_threads(1), HALINE_OK); }
  void TearDown() override { haline_set_num_threads(0); }

  // The form on x, contiguous, into y apart and in place, against a crop's.
  void Check(Form form, const std::string &what) {
    const Typed crop = form.x->As(Crop(form.x->shape(), 3));
    const Typed *const x = form.x;
    calls = 0;
    form.x = &crop;
    const std::string plain = Run(form).bytes();
    EXPECT_EQ(calls, 0) << what;
    form.x = x;
    EXPECT_EQ(Run(form).bytes(), plain) << what;
    const int64_t chunk = form.size() < 512 ? 64 : 128, chunks = form.size() / chunk;
    EXPECT_EQ(calls > 0, kStreams) << what;
    EXPECT_EQ(calls % chunks, 0) << what;
    EXPECT_LT(calls, chunks * form.planes()) << what;  // the last planes have none that follow
    Typed in_place = *x;
    form.x = &in_place;
    Run(form, &in_place);
    EXPECT_EQ(in_place.bytes(), plain) << what << " in place";
  }
};

// Of one row, so that a crop is no contiguous plane: the extents are those of a picture.
TEST_P(StreamTest, SameBytes) {
  const Shape shapes[] = {{1, 300, 8, 8},   {3, 70, 17, 13},  {2, 40, 31, 31},  {5, 9, 40, 50},
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
      Check(form, Describe(form));
    }
  }
}

}  // namespace

HALINE_ON_EVERY_PROCESSOR(StreamTest);

}  // namespace haline::test

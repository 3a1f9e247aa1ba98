#include "engine.h"

namespace haline {
namespace {

// A number for each plane of a part, the same for all.
template <typename T>
struct Alike {
  explicit constexpr Alike(T value) { std::fill_n(values, kSlots, value); }
  T values[kSlots];
};
constexpr Alike<float> kZeros{0}, kOnes{1};
constexpr Alike<double> kWideZeros{0}, kWideOnes{1};

}  // namespace

View Engine::Dense::Make(const PerPlane &values, double otherwise, Element math, const Part &part, double *copy) {
  const int64_t channels = part.channels;
  if (!values) {
    const void *const narrow = otherwise == 0 ? kZeros.values : kOnes.values;
    const void *const wide = otherwise == 0 ? kWideZeros.values : kWideOnes.values;
    return View(math == Element::kF64 ? wide : narrow, math, {{channels, 1}, {part.batch, 0}});
  }
  if (values.element == math && (values.c_stride == 1 || channels == 1)) {
    if (part.batch == 1 || (values.n_stride >= 0 && values.n_stride < (1 << 20))) {
      return View(values.at(part.n, part.c), math, {{channels, 1}, {part.batch, values.n_stride}});
    }
  }
  const int64_t batch = values.n_stride != 0 ? part.batch : 1;
  for (int64_t n = 0; n < batch; n++) {
    for (int64_t c = 0; c < channels; c++) {
      char *const to = reinterpret_cast<char *>(copy) + (n * channels + c) * Size(math);
      haline::Write(math, to, values.Get(part.n + n, part.c + c));
    }
  }
  return View(copy, math, {{channels, 1}, {part.batch, batch == 1 ? 0 : channels}});
}

Engine::Dense::Dense(const PerPlane &values, double otherwise, Element math, const Part &part)
    : view_(Make(values, otherwise, math, part, copy_)) {}

// Sums fetch the next part of x meanwhile, not this part of y, where L3 is far. Time by that where y is fetched (and
// where nothing is), one thread of a Xeon with AVX-512, 2 MiB of L2 and 480 MiB of L3, float32: 8x64x32x32 0.88 (0.93),
// 8x128x31x31 0.88 (0.97), 1x128x64x64 0.84 (0.90), 1x64x128x128 0.87 (0.84), 1x16x256x256 0.84 (0.80), in L2 0.99
// (0.98), AVX2 0.83 to 0.89; bfloat16 1x64x128x128 0.77 (0.86). (How AMD's take to y: kFetchedBytes.)

int64_t Engine::ToFetched(const Part &part) const {
  const Array &x = problem_.x, &y = problem_.y;
  if (plan_.stream) return kSumsAhead;
  if (!y.data || part.planes() * part.size * Size(x.element) > kFetchedBytes) return 0;
  if (!Direct(part, {&x, &y})) return 0;
  if (!kFarL3) {
    if (y.n_stride != x.n_stride || y.c_stride != x.c_stride) return 0;
    return static_cast<int64_t>(reinterpret_cast<uintptr_t>(y.data) - reinterpret_cast<uintptr_t>(x.data));
  }
  if (plan_.copied) return 0;
  return ToNextPart(x, part);
}

int64_t Engine::ToNextPart(const Array &array, const Part &part) const {
  const bool more = part.c + part.channels < problem_.channels;
  if (more ? part.c + 2 * part.channels > problem_.channels : part.n + 2 * part.batch > problem_.batch) return 0;
  const char *const next = more ? array.plane(part.n, part.c + part.channels) : array.plane(part.n + part.batch, 0);
  return next - array.plane(part.n, part.c);
}

void Engine::PackedPivots(const Array &x, const Part &part, halide_buffer_t *out) {
  const PivotRuns runs(part.size);
  const int64_t row = runs.count * kLanes, size = Size(x.element);
  const Memory<char> copy(static_cast<char *>(std::malloc(part.planes() * row * size)));
  if (!copy) return outcome_.Keep(Fail(HALINE_OUT_OF_MEMORY, "out of memory for samples of the planes"));
  for (int64_t k = 0; k < 2 * runs.count; k++) {
    Pack(x, part, runs.Start(k), kHalfRun, copy.get() + k * kHalfRun * size, row);
  }
  View samples(copy.get(), x.element, {{row, 1}, {part.channels, row}, {part.batch, part.channels * row}});
  Call("pivot", kernels_.pivot, samples, out);
}

void Engine::Moments(const Part &part, bool parallel, double *pivots, double *sums, Waiting *before) {
  if (plan_.layout == Layout::kLast) return MomentsLast(part, parallel, pivots, sums);
  const Array x = problem_.Valid(problem_.x, part.n);
  const bool direct = Window::Direct(x, part);
  View out = PerPlanes(pivots, part, part.channels);
  if (direct && before->waits && Flow(before, part, pivots, sums)) return;
  Finish(before);
  if (direct) {
    const Window window(x, part, 0, part.size, Window::kRead, &spare_, &outcome_);
    Call("pivot", kernels_.pivot, window.Planes(), out);
  } else {
    PackedPivots(x, part, out);
  }
  ForBlocks(part, parallel, direct, [&](int64_t block, int64_t blocks, int64_t first, int64_t count) {
    const Window window(x, part, first, count, Window::kRead, &spare_, &outcome_);
    View result = Sums(sums, part, part.channels, 2, block, blocks);
    View pivot = PerPlanes(pivots, part, part.channels);
    Call("moments", part.size < kLarge ? kernels_.moments_small : kernels_.moments_large, window.Planes(), pivot,
         ToFetched(part), result);
  });
}

}  // namespace haline

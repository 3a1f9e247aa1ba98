// SPDX-License-Identifier: MIT
#include "tools/work.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <limits>
#include <new>
#include <numeric>
#include <utility>

#include "tools/failure.h"

namespace haline::tool {
namespace {

using Clock = std::chrono::steady_clock;

// Seconds of this thread's own, where it works alone, so that others on its processor count less; else the clock's.
double Seconds(bool alone) {
  timespec now = {};
  (void)clock_gettime(alone ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// splitmix64's, as a number of -1 to 1.
float Random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<float>(static_cast<double>(z >> 40) / (1 << 23) - 1);
}

}  // namespace

Work::Array Work::Make(const std::vector<int64_t> *shape, Dtype dtype) {
  const int64_t count = std::accumulate(shape->begin(), shape->end(), int64_t{1}, std::multiplies<>());
  Array array;
  constexpr size_t kPage = 4096;
  array.size = static_cast<size_t>(count) * SizeOf(dtype);
  array.memory.reset(static_cast<uint8_t *>(std::aligned_alloc(kPage, (array.size / kPage + 1) * kPage)));
  if (!array.memory) throw std::bad_alloc();
  std::memset(array.memory.get(), 0, (array.size / kPage + 1) * kPage);
  array.tensor.data = array.memory.get();
  array.tensor.device = {HALINE_CPU, 0};
  array.tensor.ndim = static_cast<int32_t>(shape->size());
  array.tensor.dtype = HalineDtype(dtype);
  array.tensor.shape = const_cast<int64_t *>(shape->data());
  if (shape == &shape_ && !strides_.empty()) array.tensor.strides = strides_.data();
  return array;
}

void Work::Fill(Array *array, uint64_t seed, Content content) const {
  const int64_t planes = shape_[0] * shape_[1];
  const auto count = static_cast<int64_t>(array->size / SizeOf(dtype_));
  const int64_t channels = shape_[1], size = std::max<int64_t>(1, count / std::max<int64_t>(1, planes));
  Bytes numbers(static_cast<size_t>(count) * sizeof(float));
  auto *const at = reinterpret_cast<float *>(numbers.data());
  for (int64_t i = 0; i < count; i++) {
    at[i] = Random(&seed) * 1.5f + 0.5f;
    if (content == Content::kPlain) continue;
    const int64_t plane = strides_.empty() ? i / size : i / (channels * size) * channels + i % channels;
    const int64_t s = strides_.empty() ? i % size : i / channels % size;
    if (plane % 8 == 2) at[i] = 3;
    if (plane % 8 == 3) at[i] += 20000;
    if (plane % 8 == 5) at[i] *= 1e-22f;
    if (plane % 8 == 6 && s == size / 2) at[i] = std::numeric_limits<float>::quiet_NaN();
  }
  (void)Convert(&numbers, Dtype::kFloat32, false, dtype_);
  std::memcpy(array->memory.get(), numbers.data(), array->size);
}

Work::Work(Form form, Dtype dtype, bool channels_last, const Shape &shape, Content content)
    : form_(form), dtype_(dtype), shape_(shape), channels_shape_{shape[1]}, planes_shape_{shape[0], shape[1]} {
  if (channels_last) {
    strides_.assign(shape_.size(), 1);
    int64_t stride = shape_[1];
    for (size_t i = shape_.size() - 1; i >= 2; i--) {
      strides_[i] = stride;
      stride *= shape_[i];
    }
    strides_[0] = stride;
  }
  const Dtype math = dtype == Dtype::kFloat64 ? Dtype::kFloat64 : Dtype::kFloat32;
  x_ = Make(&shape_, dtype);
  Fill(&x_, 1, content);
  scale_ = Make(&channels_shape_, math);
  shift_ = Make(&channels_shape_, math);
  for (int64_t c = 0; c < shape_[1]; c++) {
    const double scale = 0.5 + static_cast<double>(c % 4) / 4, shift = static_cast<double>(c % 5) / 4 - 0.5;
    if (math == Dtype::kFloat64) {
      reinterpret_cast<double *>(scale_.memory.get())[c] = scale;
      reinterpret_cast<double *>(shift_.memory.get())[c] = shift;
    } else {
      reinterpret_cast<float *>(scale_.memory.get())[c] = static_cast<float>(scale);
      reinterpret_cast<float *>(shift_.memory.get())[c] = static_cast<float>(shift);
    }
  }
  const bool backward = IsBackward(form);
  if (form == Form::kTraining || backward) {
    mean_ = Make(&planes_shape_, math);
    rstd_ = Make(&planes_shape_, math);
  }
  if (form == Form::kRelu || form == Form::kResidual || form == Form::kBackwardRelu) options_.activation = HALINE_RELU;
  if (form == Form::kResidual) {
    residual_ = Make(&shape_, dtype);
    Fill(&residual_, 2, content);
    options_.residual = &residual_.tensor;
  }
  y_ = Make(&shape_, dtype);
  if (!backward) {
    options_.mean = form == Form::kTraining ? &mean_.tensor : nullptr;
    options_.rstd = form == Form::kTraining ? &rstd_.tensor : nullptr;
    return;
  }
  dy_ = Make(&shape_, dtype);
  Fill(&dy_, 3, Content::kPlain);
  dscale_ = Make(&channels_shape_, math);
  dshift_ = Make(&channels_shape_, math);
  options_.mean = &mean_.tensor;
  options_.rstd = &rstd_.tensor;
  Check(haline_instance_norm(&x_.tensor, &scale_.tensor, &shift_.tensor, &y_.tensor, &options_));
  options_.mean = options_.rstd = nullptr;
  dx_ = std::exchange(y_, Array());
}

void Work::Run(const Api &api, const char *backend) {
  options_.backend = backend;
  const haline_status status =
      IsBackward(form_) ? api.backward(&x_.tensor, &dy_.tensor, &scale_.tensor, &shift_.tensor, &mean_.tensor,
                                       &rstd_.tensor, &dx_.tensor, &dscale_.tensor, &dshift_.tensor, &options_)
                        : api.forward(&x_.tensor, &scale_.tensor, &shift_.tensor, &y_.tensor, &options_);
  if (status != HALINE_OK) throw Failure(api.error());
}

void Work::Spoil() {
  for (Array *array : {&y_, &dx_, &dscale_, &dshift_}) {
    if (array->memory) std::memset(array->memory.get(), 0x5a, array->size);
  }
  if (form_ != Form::kTraining) return;  // else they are read
  for (Array *array : {&mean_, &rstd_}) std::memset(array->memory.get(), 0x5a, array->size);
}

uint64_t Work::Hash() const {
  uint64_t hash = 0xcbf29ce484222325;
  for (const Array *array : {&y_, &dx_, &dscale_, &dshift_, &mean_, &rstd_}) {
    for (size_t i = 0; i < array->size; i += sizeof(uint64_t)) {  // (the last page is there to its end)
      uint64_t word;
      std::memcpy(&word, array->memory.get() + i, sizeof(word));
      hash = (hash ^ word) * 0x9e3779b97f4a7c15;
      hash ^= hash >> 32;
    }
  }
  return hash;
}

double Work::bytes() const { return static_cast<double>(x_.size + residual_.size + y_.size + dy_.size + dx_.size); }

Ratio TimePairs(const std::function<void()> &a, const std::function<void()> &b, double seconds,
                const std::function<void(bool is_b)> &prepare) {
  constexpr double kSample = 5e-4;  // long beside the clock, short beside what disturbs
  const bool alone = haline_num_threads() == 1;
  const auto time = [&](bool is_b, int warm, int repeats) {
    if (prepare) prepare(is_b);
    const std::function<void()> &f = is_b ? b : a;
    for (int r = 0; r < warm; r++) f();
    const double start = Seconds(alone);
    for (int r = 0; r < repeats; r++) f();
    return (Seconds(alone) - start) / repeats;
  };
  (void)time(false, 0, 1);  // warms
  (void)time(true, 0, 1);
  const double once = std::max({time(false, 0, 1), time(true, 0, 1), 1e-8});
  const int warm = WarmCalls(once);
  const int repeats = static_cast<int>(std::clamp(kSample / once, 1.0, 1e5));
  std::vector<double> as, bs, ratios;
  const auto start = Clock::now();
  for (int round = 0; round < 7 || std::chrono::duration<double>(Clock::now() - start).count() < seconds; round++) {
    // Each goes first every other time.
    const bool b_first = round % 2 != 0;
    const double first = time(b_first, warm, repeats), second = time(!b_first, warm, repeats);
    as.push_back(b_first ? second : first);
    bs.push_back(b_first ? first : second);
    ratios.push_back(bs.back() / as.back());
  }
  Ratio ratio{Median(ratios), 0, Median(as), Median(bs)};
  std::vector<double> deviations;
  for (const double r : ratios) deviations.push_back(std::abs(r - ratio.median));
  ratio.error = 1.253 * 1.483 * Median(deviations) / std::sqrt(static_cast<double>(ratios.size()));
  return ratio;
}

}  // namespace haline::tool

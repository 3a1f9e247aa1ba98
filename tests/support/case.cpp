// SPDX-License-Identifier: MIT
#include "support/case.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace haline::test {
namespace {

constexpr int kGuard = 16;  // floats before and after y
constexpr uint32_t kGuardBits = 0x7f8badf0;

// Aligned to 64 bytes and not a byte longer than asked for, so that AddressSanitizer sees every read past the end.
class Memory {
 public:
  explicit Memory(int64_t count) {
    void *p = nullptr;
    if (posix_memalign(&p, 64, std::max<size_t>(1, static_cast<size_t>(count) * sizeof(float))) != 0) {
      throw std::bad_alloc();
    }
    data_.reset(static_cast<float *>(p));
  }
  float *data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float *p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data_;
};

bool IsGuard(const float *p) {
  uint32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return bits == kGuardBits;
}

}  // namespace

int64_t Count(const Shape &shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

haline_tensor Tensor(const float *data, const Shape &shape) {
  haline_tensor t = {};
  t.data = const_cast<float *>(data);
  t.device = {HALINE_CPU, 0};
  t.ndim = static_cast<int32_t>(shape.size());
  t.dtype = {HALINE_FLOAT, 32, 1};
  t.shape = const_cast<int64_t *>(shape.data());
  return t;
}

std::string Describe(const Case &c) {
  std::ostringstream text;
  text << c.data << " [";
  for (size_t i = 0; i < c.shape.size(); i++) text << (i ? ", " : "") << c.shape[i];
  text << "] eps " << c.eps;
  if (!c.scale.empty()) text << " scale " << c.scale[0];
  if (!c.shift.empty()) text << " shift " << c.shift[0];
  if (c.misaligned) text << " misaligned " << c.misaligned;
  if (c.in_place) text << " in place";
  return text.str();
}

Case Alone(const Case &c, int64_t plane) {
  const int64_t size = c.size();
  Case one = c;
  one.shape = {1, 1, size};
  one.x.assign(c.x.begin() + plane * size, c.x.begin() + (plane + 1) * size);
  if (!c.scale.empty()) one.scale = {c.scale_of(plane)};
  if (!c.shift.empty()) one.shift = {c.shift_of(plane)};
  return one;
}

std::vector<float> Run(const Case &c, const std::string &backend) {
  const int64_t count = Count(c.shape);
  if (static_cast<int64_t>(c.x.size()) != count) throw std::runtime_error("the case's x has not the shape's elements");
  const Memory x_memory(c.misaligned + count), y_memory(2 * kGuard + c.misaligned + count);
  float *x = x_memory.data() + c.misaligned;
  float *const y = y_memory.data() + kGuard + c.misaligned;
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  for (int64_t i = -kGuard; i < count + kGuard; i++) std::memcpy(y + i, &kGuardBits, sizeof(float));
  if (c.in_place) x = y;
  std::memcpy(x, c.x.data(), bytes);

  const Shape channels = {c.shape[1]};
  const haline_tensor tx = Tensor(x, c.shape), tscale = Tensor(c.scale.data(), channels),
                      tshift = Tensor(c.shift.data(), channels);
  haline_tensor ty = Tensor(y, c.shape);
  haline_options options = HALINE_OPTIONS_INIT;
  options.eps = c.eps;
  options.backend = backend.c_str();
  const haline_status status = haline_instance_norm(&tx, c.scale.empty() ? nullptr : &tscale,
                                                    c.shift.empty() ? nullptr : &tshift, &ty, &options);
  if (status != HALINE_OK) throw std::runtime_error(haline_error_message());
  if (!c.in_place && std::memcmp(x, c.x.data(), bytes) != 0) throw std::runtime_error("x was written to");
  for (int64_t i = 1; i <= kGuard; i++) {
    if (!IsGuard(y - i) || !IsGuard(y + count - 1 + i)) throw std::runtime_error("memory around y was written to");
  }
  return {y, y + count};
}

Worst WorstError(const Case &c, const std::vector<float> &y, int64_t first, int64_t last) {
  const int64_t size = c.size();
  Worst worst;
  for (int64_t p = first; p < last; p++) {
    const oracle::Moments moments = oracle::PlaneMoments(&c.x[static_cast<size_t>(p * size)], size);
    const oracle::Wide rstd = oracle::Rstd(moments.variance, c.eps) * c.scale_of(p);
    for (int64_t i = p * size; i < (p + 1) * size; i++) {
      const auto at = static_cast<size_t>(i);
      const oracle::Wide exact = (c.x[at] - moments.mean) * rstd + c.shift_of(p);
      const double error = oracle::ForwardError(y[at], exact, c.scale_of(p));
      if (!(error <= worst.error)) worst = {error, i, exact};
    }
  }
  return worst;
}

int64_t FirstDifference(const float *a, const float *b, int64_t count) {
  // By the byte, as a NaN is not equal to itself and the two zeros are.
  const auto *p = reinterpret_cast<const unsigned char *>(a), *q = reinterpret_cast<const unsigned char *>(b);
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  if (std::memcmp(p, q, bytes) == 0) return -1;
  return (std::mismatch(p, p + bytes, q).first - p) / static_cast<int64_t>(sizeof(float));
}

}  // namespace haline::test

// SPDX-License-Identifier: MIT
#include "bench/workload.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <random>

#include "bench/shapes.h"
#include "reference/tolerance.h"

namespace haline::bench {

Workload::Memory Workload::Allocate(int64_t bytes) {
  constexpr size_t kPage = 4096;
  Memory memory(
      static_cast<char *>(std::aligned_alloc(kPage, (static_cast<size_t>(bytes) + kPage - 1) / kPage * kPage)));
  if (!memory) throw std::bad_alloc();
  return memory;
}

Workload::Workload(int64_t elements, int64_t channels, Element element)
    : element_(element), x_(Allocate(elements * Size(element))), y_(Allocate(elements * Size(element))) {
  // Values as of an activation, mean and variance near 1; which ones does not matter to the time.
  std::minstd_rand random(1);
  constexpr float kUnit = 3.5f / static_cast<float>(std::minstd_rand::max());
  for (int64_t i = 0; i < elements; i++) {
    Write(element, x_.get() + i * Size(element), static_cast<float>(random()) * kUnit - 0.75f);
  }
  std::fill_n(y_.get(), elements * Size(element), '\0');
  for (int64_t c = 0; c < channels; c++) {
    scale_.push_back(0.5 + static_cast<double>(c % 7) / 4);
    shift_.push_back(static_cast<double>(c % 5) / 2 - 1);
  }
  float_scale_.assign(scale_.begin(), scale_.end());
  float_shift_.assign(shift_.begin(), shift_.end());
}

void Workload::SpoilY(int64_t elements) {
  for (int64_t i = 0; i < elements; i++) Write(element_, y_.get() + i * Size(element_), std::nan(""));
}

const std::string &Workload::Verify(const Shape &shape, Layout layout, const std::string &backend) {
  const auto [at, added] = verdicts_.try_emplace({shape, layout, backend});
  if (added) at->second = Check(shape, layout, backend);
  return at->second;
}

void Workload::FindMoments(const Shape &shape, Layout layout) {
  if (moments_shape_ == shape && moments_layout_ == layout) return;
  const int64_t planes = shape[0] * shape[1], size = Elements(shape) / planes;
  moments_.resize(static_cast<size_t>(planes));
  const Places places(shape, layout);
  std::vector<double> plane(static_cast<size_t>(size));
  for (int64_t p = 0; p < planes; p++) {
    for (int64_t s = 0; s < size; s++) plane[s] = x_at(places(p, s));
    moments_[p] = oracle::PlaneMoments(plane.data(), size);
  }
  moments_shape_ = shape;
  moments_layout_ = layout;
}

std::string Workload::Check(const Shape &shape, Layout layout, const std::string &backend) {
  const int64_t count = Elements(shape), planes = shape[0] * shape[1], size = count / planes;
  SpoilY(count);
  try {
    const Shape strides = Strides(shape, layout);
    instance_norm(X(shape, strides), Y(shape, strides), Scale(shape[1]), Shift(shape[1]),
                  {.eps = kEps, .backend = backend});
  } catch (const Error &error) {
    return error.what();
  }
  if (std::string wrong = WrongTarget(backend); !wrong.empty()) return wrong;
  FindMoments(shape, layout);
  const Places places(shape, layout);
  double worst = 0;
  for (int64_t p = 0; p < planes; p++) {
    const int64_t c = p % shape[1];
    const oracle::Moments &moments = moments_[p];
    const oracle::Wide a = oracle::Rstd(moments.variance, kEps) * scale_[c];
    for (int64_t s = 0; s < size; s++) {
      const int64_t i = places(p, s);
      const oracle::Wide exact = (x_at(i) - moments.mean) * a + shift_[c];
      const double unit = std::max({1.0, std::abs(static_cast<double>(exact)), std::abs(scale_[c])});
      const double error =
          oracle::ForwardError(y_at(i), exact, scale_[c]) - Rounding(element_, static_cast<double>(exact)) / unit;
      if (!(error <= worst)) worst = error;
    }
    if (!(worst <= oracle::kForward)) {
      return "wrong result: error " + std::to_string(worst) + " found in plane " + std::to_string(p) + ", at most " +
             std::to_string(oracle::kForward) + " wanted";
    }
  }
  return "";
}

haline_dtype DType(Element element) {
  return {static_cast<uint8_t>(element == Element::kBF16 ? HALINE_BFLOAT : HALINE_FLOAT),
          static_cast<uint8_t>(8 * Size(element)), 1};
}

const char *ElementName(Element element) {
  constexpr const char *kNames[] = {"f32", "f16", "bf16", "f64"};
  return kNames[static_cast<int>(element)];
}

Element ParseElement(const std::string &name) {
  for (const Element e : {Element::kF16, Element::kBF16, Element::kF64}) {
    if (name == ElementName(e)) return e;
  }
  return Element::kF32;
}

double Rounding(Element element, double exact) {
  // Half of the last bit, of denormals too.
  if (element == Element::kF16) return std::max(std::ldexp(std::abs(exact), -11), std::ldexp(1, -25));
  if (element == Element::kBF16) return std::ldexp(std::abs(exact), -8);
  return 0;
}

std::string WrongTarget(const std::string &backend) {
  const std::string ran = haline_last_target();
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend description = {};
    description.size = sizeof(description);
    if (haline_backend_at(i, &description) == HALINE_OK && backend == description.name && ran == description.target) {
      return "";
    }
  }
  return "kernels compiled for \"" + ran + "\" ran, those of " + backend + " wanted";
}

}  // namespace haline::bench

// SPDX-License-Identifier: MIT
#include "bench/workload.h"

#include <algorithm>
#include <limits>
#include <new>
#include <random>

#include "bench/shapes.h"
#include "reference/tolerance.h"

namespace haline::bench {

Workload::Memory Workload::Allocate(int64_t count) {
  constexpr size_t kPage = 4096;
  const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + kPage - 1) / kPage * kPage;
  Memory memory(static_cast<float *>(std::aligned_alloc(kPage, bytes)));
  if (!memory) throw std::bad_alloc();
  return memory;
}

Workload::Workload(int64_t elements, int64_t channels) : x_(Allocate(elements)), y_(Allocate(elements)) {
  // Values as of an activation, mean and variance near 1; which ones does not matter to the time.
  std::minstd_rand random(1);
  constexpr float kUnit = 3.5f / static_cast<float>(std::minstd_rand::max());
  std::generate_n(x_.get(), elements, [&] { return static_cast<float>(random()) * kUnit - 0.75f; });
  std::fill_n(y_.get(), elements, 0.f);
  for (int64_t c = 0; c < channels; c++) {
    scale_.push_back(0.5f + static_cast<float>(c % 7) / 4);
    shift_.push_back(static_cast<float>(c % 5) / 2 - 1);
  }
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
  std::vector<float> plane(static_cast<size_t>(size));
  for (int64_t p = 0; p < planes; p++) {
    for (int64_t s = 0; s < size; s++) plane[s] = x()[places(p, s)];
    moments_[p] = oracle::PlaneMoments(plane.data(), size);
  }
  moments_shape_ = shape;
  moments_layout_ = layout;
}

std::string Workload::Check(const Shape &shape, Layout layout, const std::string &backend) {
  const int64_t count = Elements(shape), planes = shape[0] * shape[1], size = count / planes;
  std::fill_n(y(), count, std::numeric_limits<float>::quiet_NaN());
  try {
    const Shape strides = Strides(shape, layout);
    instance_norm({x(), shape, strides}, {y(), shape, strides}, scale(), shift(), {.eps = kEps, .backend = backend});
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
      const double error = oracle::ForwardError(y()[i], (x()[i] - moments.mean) * a + shift_[c], scale_[c]);
      if (!(error <= worst)) worst = error;
    }
    if (!(worst <= oracle::kForward)) {
      return "wrong result: error " + std::to_string(worst) + " found in plane " + std::to_string(p) + ", at most " +
             std::to_string(oracle::kForward) + " wanted";
    }
  }
  return "";
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

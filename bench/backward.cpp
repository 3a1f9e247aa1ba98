// SPDX-License-Identifier: MIT
#include "bench/backward.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>

#include "bench/shapes.h"
#include "reference/gradient.h"
#include "reference/tolerance.h"

namespace haline::bench {
namespace {

void SetBytes(benchmark::State &state, int64_t bytes) { state.SetBytesProcessed(state.iterations() * bytes * 3); }

// The fastest of all streams for this size, by the best of some rounds.
const Stream &FasterStream(float *to, const float *a, const float *b, size_t count) {
  using Clock = std::chrono::steady_clock;
  const std::vector<Stream> &candidates = Streams();
  const size_t repeats = std::max<size_t>(1, (size_t{1} << 24) / std::max<size_t>(1, count));
  std::vector<double> best(candidates.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round < 5; round++) {
    for (size_t k = 0; k < candidates.size(); k++) {
      candidates[k].run(to, a, b, count);
      const Clock::time_point start = Clock::now();
      for (size_t i = 0; i < repeats; i++) candidates[k].run(to, a, b, count);
      best[k] = std::min(best[k], std::chrono::duration<double>(Clock::now() - start).count());
    }
  }
  return candidates[static_cast<size_t>(std::min_element(best.begin(), best.end()) - best.begin())];
}

}  // namespace

std::string BackwardRow(const std::string &dtype, const std::string &shape, Layout layout, const std::string &backend) {
  return "backward/" + dtype + "/" + LayoutName(layout) + "/" + shape + "/" + backend;
}

std::string StreamRow(const std::string &shape) { return "stream/" + shape; }

BackwardWork::BackwardWork(Workload &work, int64_t elements)
    : work_(work), dy_(static_cast<size_t>(elements * Size(work.element()))) {
  std::minstd_rand random(2);
  constexpr float kUnit = 2.f / static_cast<float>(std::minstd_rand::max());
  for (int64_t i = 0; i < elements; i++) {
    Write(work.element(), dy_.data() + i * Size(work.element()), static_cast<float>(random()) * kUnit - 1);
  }
}

void BackwardWork::Statistics(const Shape &shape, Layout layout, const std::string &backend, Tensor *mean,
                              Tensor *rstd) {
  const Shape strides = Strides(shape, layout);
  instance_norm(work_.X(shape, strides), work_.Y(shape, strides), work_.Scale(shape[1]), work_.Shift(shape[1]),
                {.eps = Workload::kEps, .backend = backend, .mean = *mean, .rstd = *rstd});
}

void BackwardWork::Run(const Shape &shape, Layout layout, const std::string &backend, const Tensor &mean,
                       const Tensor &rstd) {
  const ConstTensorView scale = work_.Scale(shape[1]);
  const Shape channels = {shape[1]}, strides = Strides(shape, layout);
  instance_norm_backward(
      work_.X(shape, strides), {dy_.data(), DType(work_.element()), shape, strides}, scale, work_.Shift(shape[1]), mean,
      rstd, work_.Y(shape, strides), TensorView(dscale_.data(), scale.dtype(), channels),
      TensorView(dshift_.data(), scale.dtype(), channels), {.eps = Workload::kEps, .backend = backend});
}

std::string BackwardWork::Check(const Shape &shape, Layout layout, const std::string &backend) {
  const int64_t planes = shape[0] * shape[1], size = Elements(shape) / planes;
  Tensor mean(Shape{shape[0], shape[1]}, work_.Scale(shape[1]).dtype()), rstd = mean;
  try {
    Statistics(shape, layout, backend, &mean, &rstd);
    work_.SpoilY(Elements(shape));
    Run(shape, layout, backend, mean, rstd);
  } catch (const Error &error) {
    return error.what();
  }
  if (std::string wrong = WrongTarget(backend); !wrong.empty()) return wrong;
  // Every element must have been written; some planes, the last among them, are held against the oracle, which is slow.
  const int64_t step = std::max<int64_t>(1, planes / std::max<int64_t>(1, (int64_t{1} << 22) / size));
  for (int64_t i = 0; i < Elements(shape); i++) {
    if (std::isnan(work_.y_at(i))) return "NaN in element " + std::to_string(i);
  }
  const Places places(shape, layout);
  for (int64_t p = (planes - 1) % step; p < planes; p += step) {
    const std::vector<oracle::Wide> x = places.Plane(p, [&](int64_t i) { return work_.x_at(i); }),
                                    dy = places.Plane(p, [&](int64_t i) { return dy_at(i); }),
                                    dx = places.Plane(p, [&](int64_t i) { return work_.y_at(i); });
    oracle::PlaneProblem problem;
    problem.size = size;
    problem.x = x.data();
    problem.dy = dy.data();
    problem.scale = work_.scale()[p % shape[1]];
    problem.eps = Workload::kEps;
    const oracle::PlaneGradient exact = oracle::Differentiate(problem);
    oracle::Wide largest = 1, worst = 0;
    for (int64_t i = 0; i < size; i++) {
      largest = std::max(largest, std::abs(exact.dx[static_cast<size_t>(i)]));
      const oracle::Wide wanted = exact.dx[static_cast<size_t>(i)];
      worst = std::max(worst, std::abs(dx[static_cast<size_t>(i)] - wanted) -
                                  Rounding(work_.element(), static_cast<double>(wanted)));
    }
    if (!(worst <= oracle::kBackward * largest)) {
      return "wrong result: error " + std::to_string(static_cast<double>(worst / largest)) + " found in plane " +
             std::to_string(p) + ", at most " + std::to_string(oracle::kBackward) + " wanted";
    }
  }
  return "";
}

void BackwardWork::Measure(benchmark::State &state, const Shape &shape, Layout layout, const std::string &backend) {
  const auto [verdict, added] = verdicts_.try_emplace({shape, layout, backend});
  if (added) verdict->second = Check(shape, layout, backend);
  if (!verdict->second.empty()) return work_.Refuse(state, verdict->second);
  Tensor mean(Shape{shape[0], shape[1]}, work_.Scale(shape[1]).dtype()), rstd = mean;
  Statistics(shape, layout, backend, &mean, &rstd);
  for (auto _ : state) {
    Run(shape, layout, backend, mean, rstd);
    benchmark::ClobberMemory();
  }
  if (const std::string wrong = WrongTarget(backend); !wrong.empty()) return work_.Refuse(state, wrong);
  SetBytes(state, Elements(shape) * Size(work_.element()));
}

void BackwardWork::Register(const Shape &shape, Layout layout, const std::vector<std::string> &backends, int threads) {
  const std::string name = ShapeName(shape);
  const int64_t floats = work_.Floats(Elements(shape));
  dscale_.resize(std::max(dscale_.size(), static_cast<size_t>(shape[1])));
  dshift_.resize(dscale_.size());
  const auto add = [&](const std::string &row, auto &&function) {
    benchmark::internal::Benchmark *added = benchmark::RegisterBenchmark(row.c_str(), function);
    added->Unit(benchmark::kMicrosecond);
    if (threads > 1) added->UseRealTime();
    return added;
  };
  const Stream &stream = FasterStream(work_.y(), work_.x(), dy_floats(), static_cast<size_t>(floats));
  auto *row = add(StreamRow(name), [this, floats, &stream](benchmark::State &state) {
    const int64_t parts = state.threads(), part = state.thread_index();
    const int64_t begin = floats * part / parts, end = floats * (part + 1) / parts;
    for (auto _ : state) {
      stream.run(work_.y() + begin, work_.x() + begin, dy_floats() + begin, static_cast<size_t>(end - begin));
      benchmark::ClobberMemory();
    }
    SetBytes(state, (end - begin) * static_cast<int64_t>(sizeof(float)));
    state.SetLabel(stream.name);
  });
  if (threads > 1) row->Threads(threads);
  for (const std::string &backend : backends) {
    add(BackwardRow(ElementName(work_.element()), name, layout, backend),
        [=, this](benchmark::State &state) { Measure(state, shape, layout, backend); });
  }
}

}  // namespace haline::bench

// SPDX-License-Identifier: MIT
#include "tools/measure.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <system_error>
#include <thread>

#include "bench/copy.h"
#include "reference/oracle.h"
#include "reference/tolerance.h"
#include "tools/failure.h"
#include "tools/work.h"

namespace haline::tool {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

uint64_t Fnv1a(const float *y, size_t count) {
  const auto *bytes = reinterpret_cast<const unsigned char *>(y);
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < count * sizeof(float); i++) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}

// The oracle's moments are worked out once, for all back ends.
class Verifier {
 public:
  Verifier(const ConstTensorView &x, const Tensor &scale, const Tensor &shift, double eps)
      : x_(static_cast<const float *>(x.data())), scale_(scale), shift_(shift), eps_(eps) {
    const Shape &shape = x.shape();
    for (size_t i = 2; i < shape.size(); i++) size_ *= shape[i];
    for (int64_t p = 0; p < shape[0] * shape[1]; p++) moments_.push_back(oracle::PlaneMoments(x_ + p * size_, size_));
  }

  double MaxError(const float *y) const {
    double most = 0;
    for (size_t p = 0; p < moments_.size(); p++) {
      const oracle::Moments &m = moments_[p];
      const auto c = static_cast<int64_t>(p) % scale_.size();
      const oracle::Wide factor = oracle::Rstd(m.variance, eps_) * scale_[c];
      for (size_t i = p * size_; i < (p + 1) * size_; i++) {
        const oracle::Wide exact = (x_[i] - m.mean) * factor + shift_[c];
        const double error = oracle::ForwardError(y[i], exact, scale_[c]);
        if (!(error <= most)) most = error;
        if (std::isnan(most)) return most;
      }
    }
    return most;
  }

 private:
  const float *x_;
  const Tensor &scale_, &shift_;
  double eps_;
  int64_t size_ = 1;
  std::vector<oracle::Moments> moments_;
};

// The time of one copy, out of `repeats`, each thread at its own share.
double TimeCopy(const bench::Copy &copy, float *to, const float *from, size_t count, int threads, int repeats) {
  if (threads == 1) {
    const auto start = Clock::now();
    for (int r = 0; r < repeats; r++) copy.run(to, from, count);
    return Since(start) / repeats;
  }
  std::barrier together(threads);
  const auto share = [&](int thread) {
    const size_t first = count * thread / threads, last = count * (thread + 1) / threads;
    together.arrive_and_wait();
    for (int r = 0; r < repeats; r++) copy.run(to + first, from + first, last - first);
    together.arrive_and_wait();
  };
  std::vector<std::jthread> others;
  for (int thread = 1; thread < threads; thread++) {
    try {
      others.emplace_back(share, thread);
    } catch (const std::system_error &) {
      for (int missing = thread; missing <= threads; missing++) together.arrive_and_drop();  // and this one
      throw Failure("--threads: " + std::to_string(threads) + " found, fewer wanted: the system gives no more");
    }
  }
  const size_t last = count / threads;
  together.arrive_and_wait();
  const auto start = Clock::now();
  for (int r = 0; r < repeats; r++) copy.run(to, from, last);
  together.arrive_and_wait();
  return Since(start) / repeats;
}

// Something that takes its own time, over `repeats` calls.
struct Runner {
  std::function<double(int repeats)> time;
  int repeats = 1, warm = 0;
  std::vector<double> samples;
};

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// In turns, so that what disturbs the machine disturbs all alike.
void TimeInTurns(std::vector<Runner> &runners, double seconds) {
  constexpr double kSample = 1e-3;  // long beside the clock, short beside what disturbs
  for (Runner &runner : runners) {
    double once = runner.time(1);
    once = std::min(once, runner.time(1));  // the first call also warms
    runner.repeats = static_cast<int>(std::clamp(kSample / std::max(once, 1e-9), 1.0, 1e5));
    runner.warm = WarmCalls(once);
  }
  const auto start = Clock::now();
  for (int round = 0; round < 5 || (round < 1001 && Since(start) < seconds); round++) {
    for (Runner &runner : runners) {
      if (runner.warm > 0) (void)runner.time(runner.warm);
      runner.samples.push_back(runner.time(runner.repeats));
    }
  }
}

}  // namespace

Tensor Sample(const Shape &shape) {
  Tensor x(shape);
  int64_t size = 1;
  for (size_t i = 2; i < shape.size(); i++) size *= shape[i];
  uint64_t state = 0;
  for (int64_t i = 0; i < x.size(); i++) {
    uint64_t z = state += 0x9e3779b97f4a7c15;  // splitmix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    // The sum of four uniform integers is near enough to normal, and exact.
    const uint64_t sum = (z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48);
    const auto channel = static_cast<float>(i / size % shape[1] % 8);
    x[i] = (static_cast<float>(sum) / 65536 - 2) * (1 + channel / 4) + channel;
  }
  return x;
}

Result Measure(const std::string &name, const ConstTensorView &x_view, const std::vector<std::string> &names,
               int threads, double seconds, const std::function<void(const std::string &)> &progress) {
  const Shape &shape = x_view.shape();
  const auto *x = static_cast<const float *>(x_view.data());
  Tensor y(shape), scale(Shape{shape[1]}), shift(Shape{shape[1]});
  const auto count = static_cast<size_t>(y.size());
  for (int64_t c = 0; c < shape[1]; c++) {
    scale[c] = 0.5f + static_cast<float>(c % 4) / 4;
    shift[c] = static_cast<float>(c % 5) / 4 - 0.5f;
  }
  Check(haline_set_num_threads(threads));
  // Through the C interface, so that a call of a microsecond is not measured with the making of views.
  const ConstTensorView y_view = y, scale_view = scale, shift_view = shift;
  const haline_tensor cx = x_view.c_tensor(), cscale = scale_view.c_tensor(), cshift = shift_view.c_tensor();
  haline_tensor cy = y_view.c_tensor();
  haline_options options = HALINE_OPTIONS_INIT;
  const auto run = [&](const std::string &backend) {
    options.backend = backend.c_str();
    Check(haline_instance_norm(&cx, &cscale, &cshift, &cy, &options));
  };

  Result result{name, shape, 2.0 * static_cast<double>(count) * sizeof(float), "", 0, {}};
  progress(name + ": the oracle");
  const Verifier verifier(x_view, scale, shift, options.eps);
  for (const std::string &backend : names) {
    progress(std::string(name).append(": verifying ").append(backend));
    std::fill_n(y.data(), count, std::nanf(""));
    run(backend);
    result.backends.push_back({backend, haline_last_target(), verifier.MaxError(y.data()), Fnv1a(y.data(), count), 0});
  }

  progress(name + ": timing");
  const bench::Copy &copy = bench::FasterCopy(y.data(), x, count);
  result.copy = copy.name;
  std::vector<Runner> runners(1);
  runners[0].time = [&](int repeats) { return TimeCopy(copy, y.data(), x, count, threads, repeats); };
  for (const std::string &backend : names) {
    runners.emplace_back().time = [&](int repeats) {
      const auto start = Clock::now();
      for (int r = 0; r < repeats; r++) run(backend);
      return Since(start) / repeats;
    };
  }
  TimeInTurns(runners, seconds);
  result.copy_seconds = Median(runners[0].samples);
  for (size_t i = 0; i < names.size(); i++) result.backends[i].seconds = Median(runners[i + 1].samples);
  return result;
}

}  // namespace haline::tool

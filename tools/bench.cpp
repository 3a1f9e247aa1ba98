// SPDX-License-Identifier: MIT
#include "tools/bench.h"

#include <stdexcept>

#include "bench/shapes.h"
#include "haline/haline.hpp"
#include "tools/data.h"
#include "tools/failure.h"
#include "tools/info.h"
#include "tools/measure.h"
#include "tools/progress.h"
#include "tools/report.h"

namespace haline::tool {
namespace {

std::vector<Shape> ChooseShapes(const std::vector<std::string> &names) {
  if (names.empty()) return {{32, 512, 2, 2}, {8, 64, 32, 32}, {1, 32, 512, 512}};  // tiny planes, in cache, in memory
  try {
    return bench::SelectShapes(names);
  } catch (const std::invalid_argument &error) {
    throw UsageError("--shape: " + std::string(error.what()));
  }
}

// The kernels say themselves what they were compiled for; it must be what the table of back ends says.
void CheckWhichRan(const Result &result) {
  for (const BackendResult &b : result.backends) {
    for (const haline_backend &known : AllBackends()) {
      if (b.name == known.name && b.target != known.target) {
        throw Failure(b.name + ": kernels for " + b.target + " found, for " + known.target + " wanted");
      }
    }
  }
}

}  // namespace

std::string Bench(const BenchOptions &options) {
  const std::vector<std::string> names = options.backends.empty() ? backends() : options.backends;
  const Progress progress;
  const auto show = [&](const std::string &text) { progress.Show(text); };
  std::vector<Result> results;
  const auto measure = [&](const std::string &name, const ConstTensorView &x, double seconds) {
    results.push_back(Measure(name, x, names, options.threads, seconds, show));
    CheckWhichRan(results.back());
  };
  if (!options.in.empty()) {
    Input input(options.in);
    const Data data = ReadData(input, Dtype::kFloat32);
    if (data.shape.size() < 2 || data.numbers.empty()) {
      throw Failure(input.name() + ": shape " + ShapeText(data.shape) + " found, [N, C, *] with elements wanted");
    }
    if (data.fortran) throw Failure(input.name() + ": Fortran order found, C order (numpy.ascontiguousarray) wanted");
    measure(input.name() + " (" + bench::ShapeName(data.shape) + ")",
            {data.numbers.data(), dtype_of<float>(), data.shape}, options.seconds);
  } else {
    const std::vector<Shape> shapes = ChooseShapes(options.shapes);
    for (const Shape &shape : shapes) {
      const std::string name = bench::ShapeName(shape);
      show(name + ": making values");
      measure(name, Sample(shape), options.seconds / static_cast<double>(shapes.size()));
    }
  }
  std::string report = options.json ? Json(results, options.threads) : Table(results, options.threads);
  const std::string broken = BrokenPromise(results);
  if (!broken.empty()) throw Failure(broken + "\n" + report);
  return report;
}

}  // namespace haline::tool

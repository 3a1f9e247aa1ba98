// How fast is haline, on this machine, by shape and back end, and beside a copy of the same bytes?
//
// Rows forward/f32/<nchw or nhwc>/<shape>/<back end> and copy/<shape>; docs/benchmarks.md says how to read them.
//
// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "bench/backward.h"
#include "bench/copy.h"
#include "bench/shapes.h"
#include "bench/summary.h"
#include "bench/workload.h"
#include "haline/haline.hpp"

namespace haline::bench {
namespace {

void SetBytes(benchmark::State &state, int64_t elements) {
  state.SetBytesProcessed(state.iterations() * elements * 2 * static_cast<int64_t>(sizeof(float)));
}

void Forward(benchmark::State &state, Workload &work, const Shape &shape, Layout layout, const std::string &backend) {
  const std::string &verdict = work.Verify(shape, layout, backend);
  if (!verdict.empty()) return work.Refuse(state, verdict);
  const Shape strides = Strides(shape, layout);
  const ConstTensorView x(work.x(), shape, strides);
  const TensorView y(work.y(), shape, strides);
  const Options options{.eps = Workload::kEps, .backend = backend};
  for (auto _ : state) {
    instance_norm(x, y, work.scale(), work.shift(), options);
    benchmark::ClobberMemory();
  }
  if (const std::string wrong = WrongTarget(backend); !wrong.empty()) return work.Refuse(state, wrong);
  SetBytes(state, Elements(shape));
}

// Each thread copies its share.
void CopyShare(benchmark::State &state, const Workload &work, int64_t elements, const Copy &copy) {
  const int64_t threads = state.threads(), thread = state.thread_index();
  const int64_t begin = elements * thread / threads, end = elements * (thread + 1) / threads;
  for (auto _ : state) {
    copy.run(work.y() + begin, work.x() + begin, static_cast<size_t>(end - begin));
    benchmark::ClobberMemory();
  }
  SetBytes(state, end - begin);
  state.SetLabel(copy.name);
}

void Register(Workload &work, const Shape &shape, Layout layout, const std::vector<std::string> &backends,
              int threads) {
  const std::string name = ShapeName(shape);
  const int64_t elements = Elements(shape);
  const auto add = [&](const std::string &row, auto &&function) {
    benchmark::internal::Benchmark *added = benchmark::RegisterBenchmark(row.c_str(), function);
    added->Unit(benchmark::kMicrosecond);
    if (threads > 1) added->UseRealTime();  // the time of one thread is its own; that of several is the clock's
    return added;
  };
  const Copy &copy = FasterCopy(work.y(), work.x(), static_cast<size_t>(elements));
  auto *row = add(CopyRow(name), [=, &work, &copy](benchmark::State &s) { CopyShare(s, work, elements, copy); });
  if (threads > 1) row->Threads(threads);
  for (const std::string &backend : backends) {
    add(ForwardRow(name, layout, backend),
        [=, &work](benchmark::State &s) { Forward(s, work, shape, layout, backend); });
  }
}

constexpr Bandwidth kBackward = {"counting two reads and one write, and (fraction of the stream's)", "stream",
                                 "streamed by", BackwardRow, StreamRow};

struct Arguments {
  std::vector<std::string> shapes = {"table"};
  std::string layout = LayoutName(Layout::kNchw);
  std::string pass = "forward";
  int threads = 1;
  std::vector<std::string> rest;  // Google Benchmark's
};

std::string Footer() {
  std::ostringstream text;
  text << "Sets of shapes:\n";
  for (const ShapeSet &set : ShapeSets()) {
    text << "  " << std::left << std::setw(11) << set.name << set.what << " (" << set.shapes.size() << ")\n";
  }
  text << "\nRows are forward/f32/<layout>/<shape>/<back end> and copy/<shape>, with --pass=backward\n"
          "backward/f32/<layout>/<shape>/<back end> and stream/<shape>. Google Benchmark's options work too; by\n"
          "default --benchmark_repetitions=9 --benchmark_min_time=0.03 --benchmark_enable_random_interleaving=true\n"
          "--benchmark_report_aggregates_only=true. Among the others:\n"
          "  --benchmark_filter=REGEX    the rows to run, as in 'copy|avx512'\n"
          "  --benchmark_out=FILE        the rows, as JSON\n"
          "  --benchmark_format=console  the rows on the terminal, instead of the table\n"
          "  --benchmark_list_tests      the rows' names\n"
          "\nExample: haline_bench --shapes=cache,8x64x31x31 --benchmark_filter='copy|avx512'";
  return text.str();
}

int Run(const Arguments &arguments, char *program) {
  const Layout layout = arguments.layout == LayoutName(Layout::kNhwc) ? Layout::kNhwc : Layout::kNchw;
  const std::vector<Shape> shapes = SelectShapes(arguments.shapes);
  Check(haline_set_num_threads(arguments.threads));

  if (!Start(program, arguments.rest)) return 2;

  int64_t elements = 0, channels = 0;
  for (const Shape &shape : shapes) {
    elements = std::max(elements, Elements(shape));
    channels = std::max(channels, shape[1]);
  }
  Workload work(elements, channels);
  const std::vector<std::string> backends = haline::backends();
  const bool forward = arguments.pass != "backward", backward = arguments.pass != "forward";
  BackwardWork backward_work(work, backward ? elements : 0);
  std::vector<std::string> names;
  for (const Shape &shape : shapes) {
    if (forward) Register(work, shape, layout, backends, arguments.threads);
    if (backward) backward_work.Register(shape, layout, backends, arguments.threads);
    names.push_back(ShapeName(shape));
  }
  benchmark::AddCustomContext("haline_version", haline_version());
  benchmark::AddCustomContext("haline_threads", std::to_string(haline_num_threads()));
  const bool ran = RunAndPrint(arguments.rest, [&](std::ostream &out, const Medians &medians) {
    if (forward) PrintBandwidth(out, medians, names, layout, backends);
    if (backward) PrintBandwidth(out, medians, names, layout, backends, kBackward);
  });
  return ran && !work.failed() ? 0 : 1;
}

}  // namespace
}  // namespace haline::bench

int main(int argc, char **argv) {
  try {
    haline::bench::Arguments arguments;
    CLI::App app("The speed of haline's back ends, as GB/s and as a fraction of a copy's speed.", "haline_bench");
    app.add_option("--shapes", arguments.shapes, "Sets of shapes (below) and shapes such as 8x64x32x32")
        ->delimiter(',')
        ->capture_default_str();
    app.add_option("--layout", arguments.layout, "How tensors lie in memory: planes, or channels last (nhwc, ndhwc)")
        ->check(CLI::IsMember(std::vector<std::string>{"nchw", "nhwc"}))
        ->capture_default_str();
    app.add_option("--pass", arguments.pass, "What to measure")
        ->check(CLI::IsMember({"forward", "backward", "both"}))
        ->capture_default_str();
    app.add_option("--threads", arguments.threads, "Threads that haline, and the copy, may use")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    app.add_flag_callback(
        "--list-shapes",
        [] {
          std::cout << haline::bench::ShapesAsJson();
          throw CLI::Success();
        },
        "Print the sets of shapes as JSON, and leave");
    app.allow_extras();
    app.footer(haline::bench::Footer());
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
      return app.exit(error) == 0 ? 0 : 2;
    }
    arguments.rest = app.remaining();
    return haline::bench::Run(arguments, argv[0]);
  } catch (const std::exception &error) {
    std::cerr << "haline_bench: " << error.what() << "\n";
    return 2;
  }
}

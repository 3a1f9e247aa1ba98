// SPDX-License-Identifier: MIT
#include "bench/summary.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace haline::bench {
namespace {

template <typename... Values>
std::string Format(const char *format, Values... values) {
  char text[160];
  (void)std::snprintf(text, sizeof(text), format, values...);
  return text;
}

class MedianReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context &context) override {
    PrintBasicContext(&GetErrorStream(), context);
    return true;
  }

  void ReportRuns(const std::vector<Run> &runs) override {
    for (const Run &run : runs) {
      if (run.error_occurred) {
        // Once, not for each repetition.
        const std::string name = run.run_name.function_name;
        if (refused_.insert(name).second) GetErrorStream() << name << ": " << run.error_message << "\n";
        continue;
      }
      // The median of several repetitions, or the one there is.
      if (run.run_type == Run::RT_Aggregate ? run.aggregate_name != "median" : run.repetitions > 1) continue;
      const auto bytes = run.counters.find("bytes_per_second");
      const bool by_the_clock = run.run_name.time_type == "real_time";
      medians_[run.run_name.function_name] = {(by_the_clock ? run.GetAdjustedRealTime() : run.GetAdjustedCPUTime()) /
                                                  benchmark::GetTimeUnitMultiplier(run.time_unit),
                                              bytes == run.counters.end() ? 0 : bytes->second.value, run.report_label};
    }
  }

  const Medians &medians() const { return medians_; }

 private:
  Medians medians_;
  std::set<std::string> refused_;
};

}  // namespace

bool Start(char *program, const std::vector<std::string> &words) {
  std::vector<std::string> all = {"--benchmark_repetitions=9", "--benchmark_min_time=0.03",
                                  "--benchmark_enable_random_interleaving=true",
                                  "--benchmark_report_aggregates_only=true"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char *> argv = {program};
  for (std::string &word : all) argv.push_back(word.data());
  int argc = static_cast<int>(argv.size());
  benchmark::Initialize(&argc, argv.data());
  return !benchmark::ReportUnrecognizedArguments(argc, argv.data());
}

bool RunAndPrint(const std::vector<std::string> &words,
                 const std::function<void(std::ostream &, const Medians &)> &print) {
  const bool rows = std::any_of(words.begin(), words.end(),
                                [](const std::string &word) { return word.rfind("--benchmark_format", 0) == 0; });
  MedianReporter reporter;
  const size_t ran = benchmark::RunSpecifiedBenchmarks(rows ? nullptr : &reporter);
  if (!reporter.medians().empty()) print(reporter.GetOutputStream(), reporter.medians());
  benchmark::Shutdown();
  return ran > 0;
}

std::string ForwardRow(const std::string &dtype, const std::string &shape, Layout layout, const std::string &backend) {
  return "forward/" + dtype + "/" + LayoutName(layout) + "/" + shape + "/" + backend;
}

std::string CopyRow(const std::string &shape) { return "copy/" + shape; }

void PrintBandwidth(std::ostream &out, const Medians &medians, const std::string &dtype,
                    const std::vector<std::string> &shapes, Layout layout, const std::vector<std::string> &backends,
                    const Bandwidth &bandwidth) {
  const auto find = [&](const std::string &name) {
    const auto at = medians.find(name);
    return at == medians.end() ? Median() : at->second;
  };
  out << "\nGB/s, " << bandwidth.title << "\n\n";
  out << Format("%-20s %8s", "shape", bandwidth.baseline);
  for (const std::string &backend : backends) out << Format(" %15s", backend.c_str());
  out << "  " << bandwidth.made << "\n";
  for (const std::string &shape : shapes) {
    const Median copy = find(bandwidth.baseline_row(shape));
    out << Format("%-20s %8.1f", shape.c_str(), copy.bytes_per_second / 1e9);
    for (const std::string &backend : backends) {
      const double speed = find(bandwidth.row(dtype, shape, layout, backend)).bytes_per_second;
      if (speed <= 0) {
        out << Format(" %15s", "-");
      } else if (copy.bytes_per_second <= 0) {
        out << Format(" %8.1f    (-)", speed / 1e9);
      } else {
        out << Format(" %8.1f (%.2f)", speed / 1e9, speed / copy.bytes_per_second);
      }
    }
    out << "  " << copy.label << "\n";
  }
  out.flush();
}

}  // namespace haline::bench

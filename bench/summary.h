// From Google Benchmark's rows to one table, printed when all is measured. The rows themselves go to the file of
// --benchmark_out.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_BENCH_SUMMARY_H_
#define HALINE_BENCH_SUMMARY_H_

#include <benchmark/benchmark.h>

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "bench/shapes.h"

namespace haline::bench {

// The medians of all repetitions of a row.
struct Median {
  double seconds = 0;           // a call; by the clock with several threads, else of the thread
  double bytes_per_second = 0;  // 0: the row sets no bytes
  std::string label;
};

using Medians = std::map<std::string, Median>;  // by the row's name

// Starts Google Benchmark with what haline's benchmarks mean by default: short repetitions of all rows in a random
// order, so that whatever else the machine does hits every row alike. `words` come after that, and win. `program` must
// stay. False, with a message on the terminal, where a word is unknown.
bool Start(char *program, const std::vector<std::string> &words);

// Runs the rows that are registered, then calls `print`; not where --benchmark_format asks for the rows themselves.
// False where no row ran.
bool RunAndPrint(const std::vector<std::string> &words,
                 const std::function<void(std::ostream &, const Medians &)> &print);

// The names of the rows.
std::string ForwardRow(const std::string &dtype, const std::string &shape, Layout layout, const std::string &backend);
std::string CopyRow(const std::string &shape);

// The rows of a table, and what they are measured against.
struct Bandwidth {
  const char *title, *baseline, *made;  // of the columns with the baseline's speed, and what it was made by
  std::string (*row)(const std::string &dtype, const std::string &shape, Layout layout, const std::string &backend);
  std::string (*baseline_row)(const std::string &shape);
};
constexpr Bandwidth kForward = {"counting one read and one write, and (fraction of the copy's)", "copy", "copied by",
                                ForwardRow, CopyRow};

// GB/s of each shape (lines) and back end (columns), and the fraction of the baseline's speed in the same run.
void PrintBandwidth(std::ostream &out, const Medians &medians, const std::string &dtype,
                    const std::vector<std::string> &shapes, Layout layout, const std::vector<std::string> &backends,
                    const Bandwidth &bandwidth = kForward);

}  // namespace haline::bench

#endif  // HALINE_BENCH_SUMMARY_H_

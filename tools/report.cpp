// SPDX-License-Identifier: MIT
#include "tools/report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "reference/tolerance.h"

namespace haline::tool {
namespace {

template <typename... Values>
std::string Line(const char *format, Values... values) {
  char text[256];
  (void)std::snprintf(text, sizeof(text), format, values...);
  return text;
}

// GPUs' back ends: by the targets of their kernels.
bool Sent(const BackendResult &b) {
  return b.target.find("-opencl") != std::string::npos || b.target.find("-cuda") != std::string::npos;
}

double Rate(double bytes, double seconds) { return bytes / seconds / 1e9; }

std::string Hex(uint64_t hash) { return Line("%016llx", static_cast<unsigned long long>(hash)); }

std::string Size(double bytes) {
  const bool mega = bytes >= 1e6;
  return Line(mega ? "%.1f MB" : "%.1f kB", bytes / (mega ? 1e6 : 1e3));
}

}  // namespace

std::string Table(const std::vector<Result> &results, int threads) {
  std::string text = Line("haline %s, %d %s\n", haline_version(), threads, threads == 1 ? "thread" : "threads");
  bool sent = false;
  for (const Result &r : results) {
    text += "\n" + r.name + ", " + Size(r.bytes / 2) + " in and out\n";
    text += "  back end      GB/s  of copy  max error  hash of output\n";
    for (const BackendResult &b : r.backends) {
      const double rate = Rate(r.bytes, b.seconds);
      text += Line("  %-10s  %6.*f  %7.2f  %9.1e  %s\n", b.name.c_str(), rate < 1 ? 3 : 1, rate,
                   r.copy_seconds / b.seconds, b.max_error, Hex(b.hash).c_str());
      sent = sent || Sent(b);
    }
    text +=
        Line("  %-10s  %6.1f  %7.2f          -  (%s)\n", "copy", Rate(r.bytes, r.copy_seconds), 1.0, r.copy.c_str());
  }
  text += Line(
      "\nGB/s: one read and one write. max error: against the exact result, in units of\n"
      "max(1, |y|, |scale|); %.0e is promised. Equal hashes: equal bytes.\n",
      oracle::kForward);
  if (sent) text += "opencl, cuda: with the tensors' way there and back.\n";
  return text;
}

std::string Json(const std::vector<Result> &results, int threads) {
  nlohmann::ordered_json root = {
      {"version", haline_version()}, {"threads", threads}, {"promised_error", oracle::kForward}};
  for (const Result &r : results) {
    nlohmann::ordered_json entry = {{"name", r.name},
                                    {"shape", r.shape},
                                    {"bytes", r.bytes},
                                    {"copy", {{"name", r.copy}, {"gb_per_s", Rate(r.bytes, r.copy_seconds)}}}};
    for (const BackendResult &b : r.backends) {
      entry["backends"].push_back({{"name", b.name},
                                   {"target", b.target},
                                   {"gb_per_s", Rate(r.bytes, b.seconds)},
                                   {"seconds", b.seconds},
                                   {"of_copy", r.copy_seconds / b.seconds},
                                   {"max_error", b.max_error},
                                   {"hash", Hex(b.hash)}});
    }
    root["results"].push_back(entry);
  }
  return root.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string BrokenPromise(const std::vector<Result> &results) {
  for (const Result &r : results) {
    for (const BackendResult &b : r.backends) {
      if (!(b.max_error <= oracle::kForward)) {
        return r.name + ": " + b.name + ": " +
               Line("an error of %.3g found, at most %.0e wanted", b.max_error, oracle::kForward);
      }
      if (b.hash != r.backends[0].hash) {
        return r.name + ": " + b.name + ": output " + Hex(b.hash) + " found, " + Hex(r.backends[0].hash) +
               " (that of " + r.backends[0].name + ") wanted";
      }
    }
  }
  return "";
}

}  // namespace haline::tool

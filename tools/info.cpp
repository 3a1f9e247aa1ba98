// SPDX-License-Identifier: MIT
#include "tools/info.h"

#include <cstdlib>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "haline/haline.hpp"

namespace haline::tool {
namespace {

struct Choice {
  std::string name;  // empty: none
  std::string why;
};

std::string Environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

Choice ChosenBackend() {
  if (const char *name = haline_current_backend()) {
    return {name, Environment("HALINE_BACKEND").empty() ? "the best that runs here" : "HALINE_BACKEND names it"};
  }
  return {"", haline_error_message()};
}

std::string WhyThreads() {
  const std::string wanted = Environment("HALINE_NUM_THREADS");
  if (!wanted.empty() && wanted == std::to_string(haline_num_threads())) return "HALINE_NUM_THREADS says so";
  const std::string automatic = "the processors this process may use";
  return wanted.empty() ? automatic : automatic + "; HALINE_NUM_THREADS: \"" + wanted + "\" found, 1 to 1024 wanted";
}

}  // namespace

haline_backend BackendAt(int32_t index) {
  haline_backend backend = {};
  backend.size = sizeof(backend);
  Check(haline_backend_at(index, &backend));
  return backend;
}

std::vector<haline_backend> AllBackends() {
  std::vector<haline_backend> all;
  for (int32_t i = 0; i < haline_backend_count(); i++) all.push_back(BackendAt(i));
  return all;
}

std::string Info(bool json) {
  const Choice chosen = ChosenBackend();
  const int threads = haline_num_threads();
  if (json) {
    nlohmann::ordered_json root = {{"version", haline_version()}};
    for (const haline_backend &b : AllBackends()) {
      root["backends"].push_back({{"name", b.name},
                                  {"built", b.built != 0},
                                  {"runs_here", b.runs_here != 0},
                                  {"target", b.target},
                                  {"reason", b.reason}});
    }
    root["chosen"] = {{"backend", nullptr}, {"why", chosen.why}};
    if (!chosen.name.empty()) root["chosen"]["backend"] = chosen.name;
    root["tuning"] = haline_current_tuning();
    root["threads"] = {{"count", threads}, {"why", WhyThreads()}};
    return root.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  }
  std::ostringstream text;
  text << "haline " << haline_version() << "\n\n";
  text << std::left << std::setw(12) << "back end" << std::setw(7) << "built" << std::setw(6) << "runs"
       << "Halide target, or why it does not run here\n";
  for (const haline_backend &b : AllBackends()) {
    text << std::setw(12) << b.name << std::setw(7) << (b.built ? "yes" : "no") << std::setw(6)
         << (b.runs_here ? "yes" : "no") << (b.runs_here ? b.target : b.reason) << "\n";
  }
  text << "\nchosen   " << (chosen.name.empty() ? "none" : chosen.name) << " (" << chosen.why << ")\n"
       << "threads  " << threads << " (" << WhyThreads() << ")\n"
       << "tuning   " << haline_current_tuning() << "\n";
  return text.str();
}

}  // namespace haline::tool

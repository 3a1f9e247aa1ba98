// haline_compare: are the results of another build of the library the same bytes, and how fast is it? For the tuner
// (scripts/tune.sh), which makes libraries that differ in the schedule of a kernel. One JSON object a line:
//
//   {"library": "variant.so", "differs": ""}                                        or in which case the bytes differ
//   {"library": "variant.so", "shape": "8x64x32x32", "ratio": 0.98, "error": 0.002, "gb_per_s": 61, "base_gb_per_s":
//   60,
//    "copy_gb_per_s": 110}
//
// `ratio` is its time to that of the base, medians of turns in one process; `error` the standard error of that.
//
// SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/copy.h"
#include "bench/shapes.h"
#include "haline/haline.hpp"
#include "tools/failure.h"
#include "tools/work.h"

namespace haline::tool {
namespace {

struct Arguments {
  std::string base, backend, dtype = "float32", layout = "channels-first", form = "forward";
  std::vector<std::string> libraries, shapes;
  double seconds = 0.1;  // of each library and shape
  bool check = true;
};

Api Open(const std::string &path) {
  void *const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw Failure(dlerror());
  const auto find = [&](const char *name) {
    void *const found = dlsym(library, name);
    if (!found) throw Failure(path + ": no " + name + " found, haline's library wanted");
    return found;
  };
  const auto set_threads = reinterpret_cast<decltype(&haline_set_num_threads)>(find("haline_set_num_threads"));
  if (set_threads(haline_num_threads()) != HALINE_OK) throw Failure(path + ": the number of threads is refused");
  Api api;
  api.forward = reinterpret_cast<decltype(api.forward)>(find("haline_instance_norm"));
  api.backward = reinterpret_cast<decltype(api.backward)>(find("haline_instance_norm_backward"));
  api.error = reinterpret_cast<decltype(api.error)>(find("haline_error_message"));
  return api;
}

uint64_t HashOf(Work *work, const Api &api, const std::string &backend) {
  work->Spoil();
  work->Run(api, backend.c_str());
  return work->Hash();
}

// Every class of plane sizes, tails, special values; every form, both layouts. Where the bytes differ, or "".
std::string Difference(const Api &base, const Api &other, const Arguments &arguments) {
  for (const int64_t size : {1,   2,   4,   15,  16,  31,   49,   63,   64,    65,    100,   127,   128,
                             255, 511, 512, 513, 640, 1000, 1023, 4095, 16384, 16385, 17000, 65537, 200001}) {
    for (const bool channels_last : {false, true}) {
      for (size_t form = 0; form < std::size(kForms); form++) {
        const Shape shape = {2, 9, size};
        Work work(static_cast<Form>(form), *ComputedDtype(arguments.dtype), channels_last, shape, Content::kSpecial);
        if (HashOf(&work, base, arguments.backend) == HashOf(&work, other, arguments.backend)) continue;
        return std::string(kForms[form]) + (channels_last ? ", channels-last, " : ", ") + bench::ShapeName(shape);
      }
    }
  }
  return "";
}

// Of x to where the result goes.
double CopySpeed(Work *work) {
  const bench::Copy &copy = bench::FasterCopy(work->to(), work->from(), work->floats());
  const auto run = [&] { copy.run(work->to(), work->from(), work->floats()); };
  const Ratio both = TimePairs(run, run, 0.02);
  return 2e-9 * static_cast<double>(work->floats() * sizeof(float)) / std::min(both.a_seconds, both.b_seconds);
}

void Print(const nlohmann::ordered_json &line) { std::cout << line.dump() << std::endl; }

void Compare(const Arguments &arguments) {
  const Api base = Open(arguments.base);
  const Dtype dtype = *ComputedDtype(arguments.dtype);
  const auto form = static_cast<Form>(std::find(std::begin(kForms), std::end(kForms), arguments.form) - kForms);
  struct Library {
    std::string path;
    Api api;
  };
  std::vector<Library> right;
  for (const std::string &path : arguments.libraries) {
    const Api api = Open(path);
    const std::string differs = arguments.check ? Difference(base, api, arguments) : "";
    if (arguments.check) Print({{"library", path}, {"differs", differs}});
    if (differs.empty()) right.push_back({path, api});
  }
  for (const Shape &shape : bench::SelectShapes(arguments.shapes)) {
    Work work(form, dtype, arguments.layout == "channels-last", shape, Content::kPlain);
    const double copy = CopySpeed(&work);
    const uint64_t wanted = HashOf(&work, base, arguments.backend);
    for (const Library &library : right) {
      if (HashOf(&work, library.api, arguments.backend) != wanted) {
        Print({{"library", library.path}, {"differs", bench::ShapeName(shape)}});
        continue;
      }
      const Ratio ratio = TimePairs([&] { work.Run(base, arguments.backend.c_str()); },
                                    [&] { work.Run(library.api, arguments.backend.c_str()); }, arguments.seconds);
      Print({{"library", library.path},
             {"shape", bench::ShapeName(shape)},
             {"ratio", ratio.median},
             {"error", ratio.error},
             {"gb_per_s", work.bytes() / ratio.b_seconds / 1e9},
             {"base_gb_per_s", work.bytes() / ratio.a_seconds / 1e9},
             {"copy_gb_per_s", copy}});
    }
  }
}

}  // namespace
}  // namespace haline::tool

int main(int argc, char **argv) {
  using namespace haline::tool;
  Arguments arguments;
  int threads = 1;
  CLI::App app("Other builds of haline's library against a base: bytes, then time.", "haline_compare");
  bool list = false;
  app.add_option("LIBRARY", arguments.libraries, "those to compare");
  app.add_option("--base", arguments.base);
  app.add_option("--backend", arguments.backend);
  app.add_option("--dtype", arguments.dtype)->check(CLI::IsMember({"float32", "float16", "bfloat16", "float64"}));
  app.add_option("--layout", arguments.layout)->check(CLI::IsMember({"channels-first", "channels-last"}));
  app.add_option("--form", arguments.form)
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kForms), std::end(kForms))));
  app.add_option("--shape", arguments.shapes, "a shape or a set of the benchmarks; may repeat")
      ->allow_extra_args(false);
  app.add_option("--threads", threads)->check(CLI::Range(1, 1024));
  app.add_option("--seconds", arguments.seconds, "of timing, for each library and shape");
  app.add_flag("!--no-check", arguments.check, "do not compare bytes on every class of shapes first");
  app.add_flag("--list", list, "print the shapes, one a line, and leave");
  CLI11_PARSE(app, argc, argv);
  try {
    if (list) {
      for (const auto &shape : haline::bench::SelectShapes(arguments.shapes)) {
        std::cout << haline::bench::ShapeName(shape) << "\n";
      }
      return 0;
    }
    haline::Check(haline_set_num_threads(threads));
    Compare(arguments);
    return 0;
  } catch (const std::exception &error) {
    (void)std::fprintf(stderr, "haline_compare: %s\n", error.what());
    return 1;
  }
}

// The `haline` command line: arguments in, exit code out. What it does is in normalize, info, bench and select.
//
// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <new>

#include "haline/haline.hpp"
#include "tools/bench.h"
#include "tools/failure.h"
#include "tools/info.h"
#include "tools/normalize.h"
#include "tools/parse.h"
#include "tools/select.h"

namespace haline::tool {
namespace {

constexpr char kAbout[] =
    "haline: instance normalization. Every plane (n, c) of a tensor [N, C, *] gets\n"
    "y = scale[c] * (x - mean) / sqrt(variance + eps) + shift[c].";

constexpr char kMore[] =
    "  haline normalize photo.jpg flat.png    even out a picture's contrast and colours\n"
    "  haline info                            which processors' kernels run here\n"
    "  haline bench --shape 8x64x32x32        are they right, and how fast are they?\n"
    "  haline select here.tuning              which settings are the fastest here?\n"
    "\n"
    "`haline COMMAND --help` tells more.\n";

constexpr char kIn[] =
    "PNG (8 or 16 bits; gray, RGB or palette; with or without alpha),\n"
    "JPEG (gray or colour) or .npy (bool, integers, floats of 16 to 64\n"
    "bits; any byte order, C or Fortran order), told by its content;\n"
    "- is standard input. A picture is read as [1, 1 or 3, H, W] with\n"
    "values of 0 to 1";

constexpr char kOut[] =
    ".png, .jpg, .jpeg or .npy; - is standard output and wants --format.\n"
    "It appears whole or not at all, and may be IN";

constexpr char kDtype[] =
    "computed in and, to .npy, written: float16, float32, float64, or\n"
    "bfloat16 (to pictures only) [that of IN where that has floats;\n"
    "float64 for integers of 32 and 64 bits, float32 for all else]";

constexpr char kLayout[] =
    "the dimensions of .npy files: channels-first, [N, C, *], or\n"
    "channels-last, [N, *, C] [channels-first]";

constexpr char kActivation[] =
    "done to y: none, relu (0 for what is negative) or leaky_relu:SLOPE\n"
    "(times SLOPE; 0.01 if left out) [none]";

constexpr char kNormalizeMore[] =
    "Pictures: 0 is black and 1 is white, and y is cut off there; the default scale and shift\n"
    "put the mean at middle gray and show two standard deviations on either side. A picture gets\n"
    "8 bits a sample, a PNG made of a 16-bit PNG 16. Alpha goes to a PNG unchanged; JPEG takes\n"
    "opaque pictures only, .npy the colours only. A .npy of one picture, [1, 1 or 3, H, W] or with\n"
    "--layout channels-last [1, H, W, 1 or 3], can become a picture.\n"
    "\n"
    ".npy to .npy keeps the dimensions and C or Fortran order.\n"
    "\n"
    "  haline normalize photo.jpg flat.png\n"
    "  haline normalize --scale 0.2 --shift 0.48,0.46,0.41 photo.png warm.png\n"
    "  haline normalize --eps 1e-3 --scale @gamma.npy --shift @beta.npy x.npy y.npy\n"
    "  haline normalize --layout channels-last --dtype float16 --activation relu x.npy y.npy";

constexpr char kInfoMore[] = "  haline info --json";

constexpr char kBenchMore[] =
    "Each back end is held against an exact reference, then timed beside a copy of the same\n"
    "bytes (the faster of memcpy and a non-temporal one). Fails where an error is larger than\n"
    "promised, or where two back ends differ in a bit.\n"
    "Hash: of the output's bytes, equal on all back ends; the values that --shape makes are the\n"
    "same on every machine, so hashes can be compared across machines too. A .npy file is read\n"
    "as float32, and wants C order.\n"
    "\n"
    "  haline bench --shape 8x64x32x32 --shape memory --threads 4";

constexpr char kSelectMore[] =
    "Tries other settings of the library for each kind of planes (tiny, in cache, in memory, huge):\n"
    "which back end, how much work at a time. Each must give the same bytes, and what is written is\n"
    "faster here by more than the noise. The library reads the file that HALINE_TUNING names; on\n"
    "another processor, or with another version of haline, it is ignored (`haline info` says so).\n"
    "\n"
    "  haline select here.tuning && export HALINE_TUNING=$PWD/here.tuning\n"
    "  haline select --shape style --dtype float16 --pass forward --threads 1 --seconds 20 style.tuning";

constexpr char kExits[] = "Exit codes: 0 success, 1 failure (files, the machine, a broken promise), 2 wrong usage.";

std::string WrongBackend(const std::string &text) {
  std::string names;
  for (int32_t i = 0; i < haline_backend_count(); i++) {  // no further than need be: GPUs' drivers take time to open
    const std::string name = BackendAt(i).name;
    if (text == name) return "";
    names += (names.empty() ? "" : ", ") + name;
  }
  return Found(text, "one of " + names);
}

void Print(const std::string &text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Failure("standard output: an error in writing found, a place for the result wanted");
  }
}

// CLI11's help without its remarks on each option: our own words say the same.
class Help : public CLI::Formatter {
 public:
  Help() { column_width(20); }
  std::string make_option_opts(const CLI::Option *option) const override {
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }
};

int Run(int argc, char **argv) {
  CLI::App app(kAbout, "haline");
  app.formatter(std::make_shared<Help>());
  app.set_version_flag("--version", std::string("haline ") + haline_version(), "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.require_subcommand(0, 1);
  app.footer(std::string(kMore) + kExits);

  const auto add_threads = [](CLI::App *command, int *threads, const std::string &what) {
    command->add_option("--threads", *threads, what)->type_name("N")->check([](const std::string &text) {
      double number;
      const bool right = ParseNumber(text, &number) && number >= 1 && number <= 1024 && number == std::floor(number);
      return right ? "" : Found(text, "1 to 1024");
    });
  };

  NormalizeOptions n;
  int n_threads = 0;
  auto *normalize = app.add_subcommand("normalize", "Normalize a picture or a tensor.");
  normalize->add_option("IN", n.in, kIn)->required()->type_name("");
  normalize->add_option("OUT", n.out, kOut)->required()->type_name("");
  // Taken as they are checked.
  const auto add_parsed = [&n, normalize](const char *name, const char *type, const std::string &what, auto parse) {
    normalize->add_option(name, what)->type_name(type)->check([&n, parse](const std::string &text) {
      return parse(text, &n);
    });
  };
  add_parsed("--eps", "X", "added to the variance; 0 or more [1e-5]", ParseEps);
  normalize
      ->add_option("--scale", n.scale, "a value, one a channel (1,2,3) or @FILE.npy\n[0.25 to pictures, 1 to .npy]")
      ->type_name("X");
  normalize->add_option("--shift", n.shift, "likewise [0.5 to pictures, 0 to .npy]")->type_name("X");
  add_parsed("--activation", "NAME", kActivation, ParseActivation);
  add_parsed("--dtype", "NAME", kDtype, ParseDtype);
  add_parsed("--layout", "NAME", kLayout, ParseLayout);
  normalize->add_option("--format", n.format, "of OUT, whatever its name: png, jpeg or npy")->type_name("NAME");
  normalize->add_option("--backend", n.backend, "use this one [the best; see `haline info`]")
      ->type_name("NAME")
      ->check(WrongBackend);
  add_threads(normalize, &n_threads, "1 to 1024 [all processors]");
  normalize->footer(kNormalizeMore);

  bool json = false;
  auto *info = app.add_subcommand("info", "Print which back ends there are, which run here and what is chosen.");
  info->add_flag("--json", json, "for machines");
  info->footer(kInfoMore);

  BenchOptions b;
  auto *bench = app.add_subcommand("bench", "Check and time the back ends that run here.");
  auto *in = bench->add_option("IN", b.in, "a picture or .npy file to work on")->type_name("");
  bench->add_option("--shape", b.shapes, "such as 8x64x32x32, or a set: tiny, cache, memory;\nmay repeat")
      ->type_name("SHAPE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->excludes(in);
  bench->add_option("--backend", b.backends, "only this one; may repeat")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(WrongBackend);
  add_threads(bench, &b.threads, "1 to 1024, for haline and the copy [1]");
  bench->add_option("--seconds", b.seconds, "of timing, over all shapes; 0 to 3600 [3]")
      ->type_name("X")
      ->check([](const std::string &text) {
        double seconds;
        return ParseNumber(text, &seconds) && seconds <= 3600 ? "" : Found(text, "a number of 0 to 3600");
      });
  bench->add_flag("--json", b.json, "for machines");
  bench->footer(kBenchMore);

  SelectOptions s;
  auto *select = app.add_subcommand("select", "Measure what suits this machine, for HALINE_TUNING.");
  select->add_option("OUT", s.out, "the file to write; - is standard output")->required()->type_name("");
  const auto add_list = [select](const char *name, std::vector<std::string> *values, const std::string &what) {
    return select->add_option(name, *values, what)
        ->type_name("NAME")
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  add_list("--shape", &s.shapes, "such as 8x64x32x32, or a set: style, cifar, ...;\nmay repeat [some of each kind]");
  add_list("--dtype", &s.dtypes, "float32, float16, bfloat16, float64; may repeat\n[float32]")
      ->check([](const std::string &text) {
        return ComputedDtype(text) ? "" : Found(text, "float16, bfloat16, float32 or float64");
      });
  add_list("--pass", &s.passes, "forward or backward; may repeat [both]")->check([](const std::string &text) {
    return text == "forward" || text == "backward" ? "" : Found(text, "forward or backward");
  });
  add_list("--layout", &s.layouts, "channels-first or channels-last; may repeat\n[channels-first]")
      ->check([](const std::string &text) {
        return text == "channels-first" || text == "channels-last" ? ""
                                                                   : Found(text, "channels-first or channels-last");
      });
  add_threads(select, &s.threads, "1 to 1024 [all processors]");
  select->add_option("--seconds", s.seconds, "about, for all of it; 0 to 86400 [60]")
      ->type_name("X")
      ->check([](const std::string &text) {
        double seconds;
        return ParseNumber(text, &seconds) && seconds <= 86400 ? "" : Found(text, "a number of 0 to 86400");
      });
  select->footer(kSelectMore);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    throw UsageError(error.what());
  }

  if (*normalize) {
    if (n_threads > 0) Check(haline_set_num_threads(n_threads));
    Normalize(n);
  } else if (*info) {
    Print(Info(json));
  } else if (*bench) {
    Print(Bench(b));
  } else if (*select) {
    const std::string text = Select(s);
    (s.out == "-" ? std::cerr : std::cout) << text << std::flush;
  } else {
    Print(app.help());
  }
  return kSuccess;
}

int Main(int argc, char **argv) {
  try {
    return Run(argc, argv);
  } catch (const UsageError &error) {
    (void)std::fprintf(stderr, "haline: %s\nSee `haline --help`.\n", error.what());
    return kUsage;
  } catch (const std::bad_alloc &) {
    (void)std::fprintf(stderr, "haline: not enough memory found for this input, more wanted\n");
    return kFailure;
  } catch (const std::exception &error) {
    (void)std::fprintf(stderr, "haline: %s\n", error.what());
    return kFailure;
  }
}

}  // namespace
}  // namespace haline::tool

int main(int argc, char **argv) { return haline::tool::Main(argc, argv); }

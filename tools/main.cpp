// The `haline` command line: arguments in, exit code out. What it does is in normalize, info and bench.
//
// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>
#include <charconv>
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

namespace haline::tool {
namespace {

constexpr char kAbout[] =
    "haline: instance normalization. Every plane (n, c) of a tensor [N, C, *] gets\n"
    "y = scale[c] * (x - mean) / sqrt(variance + eps) + shift[c].";

constexpr char kIn[] =
    "PNG (8 or 16 bits; gray, RGB or palette; with or without alpha),\n"
    "JPEG (gray or colour) or .npy (float32, C order, [N, C, *]), told\n"
    "by its content; - is standard input. A picture is read as\n"
    "[1, 1 or 3, H, W] with values of 0 to 1";

constexpr char kOut[] =
    ".png, .jpg, .jpeg or .npy; - is standard output and wants --format.\n"
    "It appears whole or not at all, and may be IN";

constexpr char kNormalizeMore[] =
    "Pictures: 0 is black and 1 is white, and y is cut off there; the default scale and shift\n"
    "put the mean at middle gray and show two standard deviations on either side. A picture gets\n"
    "8 bits a sample, a PNG made of a 16-bit PNG 16. Alpha goes to a PNG unchanged; JPEG takes\n"
    "opaque pictures only, .npy the colours only. A .npy of shape [1, 1 or 3, H, W] can become\n"
    "a picture.\n"
    "\n"
    "  haline normalize photo.jpg flat.png\n"
    "  haline normalize --scale 0.2 --shift 0.48,0.46,0.41 photo.png warm.png\n"
    "  haline normalize --eps 1e-3 --scale @gamma.npy --shift @beta.npy x.npy y.npy";

constexpr char kBenchMore[] =
    "Each back end is held against an exact reference, then timed beside a copy of the same\n"
    "bytes (the faster of memcpy and a non-temporal one). Fails where an error is larger than\n"
    "promised, or where two back ends differ in a bit.\n"
    "Hash: of the output's bytes, equal on all back ends; the values that --shape makes are the\n"
    "same on every machine, so hashes can be compared across machines too.";

constexpr char kExits[] = "Exit codes: 0 success, 1 failure (files, the machine, a broken promise), 2 wrong usage.";

// Finite and not negative.
bool ParseNumber(const std::string &text, double *number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number >= 0 && std::isfinite(*number);
}

std::string Found(const std::string &text, const std::string &wanted) {
  return "\"" + text + "\" found, " + wanted + " wanted";
}

std::vector<std::string> BackendNames() {
  std::vector<std::string> names;
  for (const haline_backend &backend : AllBackends()) names.push_back(backend.name);
  return names;
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
  app.footer(std::string("`haline COMMAND --help` tells more.\n") + kExits);

  std::string names;
  for (const std::string &name : BackendNames()) names += (names.empty() ? "" : ", ") + name;
  const auto backend_check = [&names](const std::string &text) {
    for (const std::string &name : BackendNames()) {
      if (text == name) return std::string();
    }
    return Found(text, "one of " + names);
  };
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
  normalize->add_option("--eps", "added to the variance; 0 or more [1e-5]")
      ->type_name("X")
      ->check([](const std::string &text) {
        double eps;
        return ParseNumber(text, &eps) ? "" : Found(text, "a finite number of 0 and up");
      })
      ->each([&n](const std::string &text) { ParseNumber(text, &n.eps); });
  normalize
      ->add_option("--scale", n.scale, "a value, one a channel (1,2,3) or @FILE.npy\n[0.25 to pictures, 1 to .npy]")
      ->type_name("X");
  normalize->add_option("--shift", n.shift, "likewise [0.5 to pictures, 0 to .npy]")->type_name("X");
  normalize->add_option("--format", n.format, "of OUT, whatever its name: png, jpeg or npy")->type_name("NAME");
  normalize->add_option("--backend", n.backend, "use this one [the best; see `haline info`]")
      ->type_name("NAME")
      ->check(backend_check);
  add_threads(normalize, &n_threads, "1 to 1024 [all processors]");
  normalize->footer(kNormalizeMore);

  bool json = false;
  auto *info = app.add_subcommand("info", "Print which back ends there are, which run here and what is chosen.");
  info->add_flag("--json", json, "for machines");

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
      ->check(backend_check);
  add_threads(bench, &b.threads, "1 to 1024, for haline and the copy [1]");
  bench->add_option("--seconds", b.seconds, "of timing, over all shapes; 0 to 3600 [3]")
      ->type_name("X")
      ->check([](const std::string &text) {
        double seconds;
        return ParseNumber(text, &seconds) && seconds <= 3600 ? "" : Found(text, "a number of 0 to 3600");
      });
  bench->add_flag("--json", b.json, "for machines");
  bench->footer(kBenchMore);

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

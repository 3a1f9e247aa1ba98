// SPDX-License-Identifier: MIT
#include "tools/select.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "bench/shapes.h"
#include "haline/haline.hpp"
#include "runtime/tuning_file.h"
#include "tools/failure.h"
#include "tools/info.h"
#include "tools/output_file.h"
#include "tools/progress.h"
#include "tools/search.h"
#include "tools/work.h"

namespace haline::tool {
namespace {

// Some of each kind: tiny; in cache, odd sizes too; in memory; huge.
const std::vector<std::string> kShapes = {"32x512x2x2",  "64x512x4x4",   "32x256x8x8",   "8x64x32x32",   "1x64x128x128",
                                          "1x512x31x31", "128x64x32x32", "1x32x512x512", "1x8x1080x1920"};

constexpr const char *kDtypes[kTunedElements] = {"float32", "float16", "bfloat16", "float64"};

// Planes of one kind, the settings that are searched for them, and the work that they are searched with.
struct Class {
  int element;
  Pass pass;
  Regime regime;
  std::vector<Shape> shapes;
  Choices choices;  // the back end, then the knobs

  bool last() const { return regime >= kLastRegimes; }
  std::string name() const {
    return std::string(kElementNames[element]) + "." + kPassNames[pass] + "." + kRegimeNames[regime];
  }
};

Regime RegimeOfShape(const Shape &shape, Dtype dtype, bool last) {
  const int64_t total = bench::Elements(shape);
  return RegimeOf(total / (shape[0] * shape[1]), static_cast<int64_t>(SizeOf(dtype)), total, last);
}

// Around the default, a factor of two a step: where what is tuned comes into play for such planes.
Choices ChoicesFor(Regime regime, int threads) {
  Choices choices(1 + kKnobs);
  choices[0] = {Settings::kUnset};
  bool best = true;
  const std::vector<haline_backend> backends = AllBackends();
  for (size_t i = 0; i < backends.size(); i++) {
    if (backends[i].runs_here && !best) choices[0].push_back(static_cast<int64_t>(i));
    if (backends[i].runs_here) best = false;  // the first one is the default
  }
  for (int k = 0; k < kKnobs; k++) choices[1 + k] = {Settings::kUnset};
  const auto add = [&](KnobIndex knob, std::initializer_list<int> shifts) {
    for (const int shift : shifts) {
      const int64_t standard = kKnobTable[knob].otherwise;
      const int64_t value = shift < 0 ? standard >> -shift : standard << shift;
      choices[1 + knob].push_back(std::clamp(value, kKnobTable[knob].least, kKnobTable[knob].most));
    }
  };
  const bool last = regime >= kLastRegimes;
  const int size = last ? regime - kLastRegimes : regime;
  if (size != kHugePlanes || (last && threads > 1)) add(kTaskKnob, {-3, -2, -1, 1, 2, 3});
  if (size != kHugePlanes && threads > 1) add(kSerialKnob, {-2, -1, 1, 2});
  if ((size == kInMemory || size == kHugePlanes) && !last) add(kSplitKnob, {-3, -2, -1});
  if (size == kCached || size == kInMemory) add(kStreamKnob, {-2, -1, 1, 2, 3});
  if ((size == kCached || size == kInMemory) && !last) add(kFlowKnob, {0, 31});
  return choices;
}

void Put(const Choice &choice, const Class &of, Settings *settings) {
  Settings::Class &at = settings->classes[of.element][of.pass][of.regime];
  at.backend = choice[0];
  for (int k = 0; k < kKnobs; k++) at.knobs[k] = choice[1 + k];
}

std::string Text(const Settings &settings) {
  std::string text(kLongestTuning, '\0');
  text.resize(WriteTuning(settings, text.data(), text.size()));
  if (text.empty()) throw Failure("more settings found than a file takes, fewer wanted");
  return text;
}

// Settings made those of the library, by the way that everyone's take.
class Trial {
 public:
  Trial() {
    std::string path = (std::filesystem::temp_directory_path() / "haline-select-XXXXXX").string();
    file_ = mkstemp(path.data());
    if (file_ < 0) throw Failure(path + ": a temporary file that can't be made found, one that can be made wanted");
    path_ = path;
  }
  ~Trial() {
    (void)haline_set_tuning(nullptr);
    close(file_);
    unlink(path_.c_str());
  }
  Trial(const Trial &) = delete;
  Trial &operator=(const Trial &) = delete;

  void Use(const Choice &choice, const Class &of) const {
    Settings settings;
    Put(choice, of, &settings);
    const std::string text = Text(settings);
    const auto size = static_cast<ssize_t>(text.size());
    if (ftruncate(file_, 0) != 0 || pwrite(file_, text.data(), text.size(), 0) != size) {
      throw Failure(path_ + ": an error in writing found, a place for settings wanted");
    }
    Check(haline_set_tuning(path_.c_str()));
  }

 private:
  std::string path_;
  int file_ = -1;
};

// The works of one class; each candidate's bytes are those of the default before it is timed.
class ClassTimer {
 public:
  ClassTimer(const Class &of, const Trial &trial, double seconds) : of_(of), trial_(trial), seconds_(seconds) {
    const Form form = of.pass == kForwardPass ? Form::kForward : Form::kBackward;
    for (const Shape &shape : of.shapes) {
      works_.push_back(
          std::make_unique<Work>(form, *ComputedDtype(kDtypes[of.element]), of.last(), shape, Content::kPlain));
    }
    Check(haline_set_tuning(nullptr));
    for (const auto &work : works_) hashes_.push_back(HashOf(work.get()));
  }

  std::vector<Ratio> Time(const Choice &candidate, const Choice &incumbent, int effort) {
    trial_.Use(candidate, of_);
    for (size_t i = 0; i < works_.size(); i++) {
      if (HashOf(works_[i].get()) != hashes_[i]) {
        throw Failure(of_.name() + ", " + bench::ShapeName(of_.shapes[i]) +
                      ": other bytes than by default found, the same wanted: please report this");
      }
    }
    std::vector<Ratio> ratios;
    for (const auto &work : works_) {
      const auto run = [&] { work->Run(Api(), nullptr); };
      ratios.push_back(TimePairs(run, run, seconds_ * effort / static_cast<double>(works_.size()),
                                 [&](bool is_candidate) { trial_.Use(is_candidate ? candidate : incumbent, of_); }));
    }
    return ratios;
  }

 private:
  static uint64_t HashOf(Work *work) {
    work->Spoil();
    work->Run(Api(), nullptr);
    return work->Hash();
  }

  const Class &of_;
  const Trial &trial_;
  const double seconds_;
  std::vector<std::unique_ptr<Work>> works_;
  std::vector<uint64_t> hashes_;
};

std::vector<Class> Classes(const SelectOptions &options, int threads) {
  std::vector<Shape> shapes;
  try {
    shapes = bench::SelectShapes(options.shapes.empty() ? kShapes : options.shapes);
  } catch (const std::invalid_argument &error) {
    throw UsageError("--shape: " + std::string(error.what()));
  }
  const auto chosen = [](const std::vector<std::string> &names, const char *name, bool by_default) {
    return names.empty() ? by_default : std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<Class> classes;
  for (int e = 0; e < kTunedElements; e++) {
    if (!chosen(options.dtypes, kDtypes[e], e == 0)) continue;
    for (int p = 0; p < kPasses; p++) {
      if (!chosen(options.passes, kPassNames[p], true)) continue;
      for (int r = 0; r < kRegimes; r++) {
        const bool last = r >= kLastRegimes;
        if (!chosen(options.layouts, last ? "channels-last" : "channels-first", !last)) continue;
        Class found{e, static_cast<Pass>(p), static_cast<Regime>(r), {}, {}};
        for (const Shape &shape : shapes) {
          if (RegimeOfShape(shape, *ComputedDtype(kDtypes[e]), last) == r) found.shapes.push_back(shape);
        }
        found.choices = ChoicesFor(found.regime, threads);
        if (!found.shapes.empty()) classes.push_back(found);
      }
    }
  }
  return classes;
}

}  // namespace

std::string Select(const SelectOptions &options) {
  OutputFile out(options.out);  // an impossible place is found now, and not after the measurements
  if (options.threads > 0) Check(haline_set_num_threads(options.threads));
  const std::vector<Class> classes = Classes(options, haline_num_threads());
  int efforts = 0, done = 0;
  for (const Class &c : classes) efforts += Efforts(c.choices);

  const Progress progress;
  const Trial trial;
  Settings settings;
  std::string report;
  for (const Class &c : classes) {
    ClassTimer timer(c, trial, options.seconds / efforts);
    int here = done;
    const Found found = Search(c.choices, [&](const Choice &candidate, const Choice &incumbent, int effort) {
      const double left = options.seconds * (efforts - here) / efforts;
      progress.Show(c.name() + ": " + std::to_string(100 * here / efforts) + " %, about " +
                    std::to_string(static_cast<int>(left)) + " s left");
      here += effort;
      return timer.Time(candidate, incumbent, effort);
    });
    done += Efforts(c.choices);
    Put(found.choice, c, &settings);
    char gain[64];
    std::snprintf(gain, sizeof(gain), found.gain == 1 ? ": as by default" : ": %.2f times as fast", found.gain);
    report += c.name() + gain + "\n";
  }
  const std::string text = Text(settings);
  out.Write(text.data(), text.size());
  out.Commit();
  return report + std::to_string(settings.count()) + " settings written; HALINE_TUNING=" + out.name() +
         " has the library read them\n";
}

}  // namespace haline::tool

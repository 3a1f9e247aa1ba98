#include "tuning.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>

#include "error.h"
#include "haline/haline.h"
#include "plan.h"

namespace haline {
namespace {

// Read by every call, and written while others read: a call that gets some of the old and some of the new is as right
// as any.
struct Class {
  std::atomic<int64_t> backend{Settings::kUnset}, knobs[kKnobs];
};
Class in_force[kTunedElements][kPasses][kRegimes];
std::atomic<bool> any{false};  // are there settings?

std::mutex mutex;  // held while settings change; guards the line
char line[1024] = "none";

void Enforce(const Settings &settings) {
  for (int e = 0; e < kTunedElements; e++) {
    for (int p = 0; p < kPasses; p++) {
      for (int r = 0; r < kRegimes; r++) {
        const Settings::Class &from = settings.classes[e][p][r];
        Class &to = in_force[e][p][r];
        to.backend.store(from.backend, std::memory_order_relaxed);
        for (int k = 0; k < kKnobs; k++) to.knobs[k].store(from.knobs[k], std::memory_order_relaxed);
      }
    }
  }
  any.store(settings.count() > 0, std::memory_order_release);
}

// Settings that come with the library: generators/schedules/*.tuning.
constexpr const char *kBuiltIn[] = {
#include "built_in_tuning.inc"
    nullptr};

// Null, or what is wrong with the file.
const char *ReadFile(const char *path, Settings *settings, char *why, size_t why_size) {
  const std::unique_ptr<char[]> text(new (std::nothrow) char[kLongestTuning + 1]);
  std::FILE *const file = text ? std::fopen(path, "re") : nullptr;
  if (!file) {
    std::snprintf(why, why_size, "%s", text ? std::strerror(errno) : "out of memory");
    return why;
  }
  const size_t size = std::fread(text.get(), 1, kLongestTuning + 1, file);
  const bool failed = std::ferror(file) != 0;
  (void)std::fclose(file);
  if (failed) {
    std::snprintf(why, why_size, "could not be read");
    return why;
  }
  return ParseTuning({text.get(), size}, settings, why, why_size);
}

// With the mutex held.
const char *Load(const char *path, char *why, size_t why_size) {
  Settings settings;
  if (!path || !*path) {
    settings = OwnSettings(kBuiltIn);
    Enforce(settings);
    std::snprintf(line, sizeof(line), "none");
    if (settings.count() > 0) std::snprintf(line, sizeof(line), "built in: %d settings", settings.count());
    return nullptr;
  }
  const char *const wrong = ReadFile(path, &settings, why, why_size);
  if (!wrong) {
    Enforce(settings);
    std::snprintf(line, sizeof(line), "%s: %d settings", path, settings.count());
  }
  return wrong;
}

void UseEnvironment() {
  static const bool used = [] {
    const std::lock_guard<std::mutex> lock(mutex);
    char why[512];
    const char *const path = std::getenv("HALINE_TUNING");
    Load(nullptr, why, sizeof(why));
    const char *const wrong = Load(path, why, sizeof(why));
    if (wrong) std::snprintf(line, sizeof(line), "%s: ignored: %s", path, wrong);
    return true;
  }();
  (void)used;
}

}  // namespace

Tuning TuningOf(const Problem &problem) {
  UseEnvironment();
  Tuning tuning;
  if (!any.load(std::memory_order_acquire)) return tuning;
  const int element = static_cast<int>(problem.element);
  const Regime regime = RegimeOf(problem.size(), Size(problem.element), problem.size() * problem.planes(),
                                 problem.planes() > 0 && CommonLayout(problem) == Layout::kLast);
  const Class &at = in_force[element][problem.dy.data ? kBackwardPass : kForwardPass][regime];
  const auto set = [&](KnobIndex knob, int64_t *value) {
    const int64_t wanted = at.knobs[knob].load(std::memory_order_relaxed);
    if (wanted != Settings::kUnset) *value = wanted;
  };
  tuning.backend = static_cast<int>(at.backend.load(std::memory_order_relaxed));
  set(kTaskKnob, &tuning.task_elements);
  set(kSerialKnob, &tuning.serial_elements);
  set(kSplitKnob, &tuning.split_plane);
  set(kStreamKnob, &tuning.stream_bytes);
  set(kFlowKnob, &tuning.flow_elements);
  return tuning;
}

}  // namespace haline

using namespace haline;

haline_status haline_set_tuning(const char *file) {
  UseEnvironment();  // so that it does not come later
  const std::lock_guard<std::mutex> lock(mutex);
  char why[512];
  const char *const wrong = Load(file, why, sizeof(why));
  return wrong ? Fail(HALINE_INVALID_ARGUMENT, "tuning file %s: %s", file, wrong) : HALINE_OK;
}

const char *haline_current_tuning(void) {
  UseEnvironment();
  thread_local char copy[sizeof(line)];
  const std::lock_guard<std::mutex> lock(mutex);
  std::memcpy(copy, line, sizeof(line));
  return copy;
}

#include "tuning_file.h"

#include <charconv>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "haline/haline.h"
#include "plan.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace haline {
namespace {

constexpr char kTitle[] = "haline tuning 1";

uint64_t Fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// The name of `what` in `names`, or -1.
int Find(const char *const *names, int count, std::string_view what) {
  for (int i = 0; i < count; i++) {
    if (what == names[i]) return i;
  }
  return -1;
}

// What is up to the first `end`, taken off the front of `text`; all of it where there is none.
std::string_view Take(std::string_view *text, std::string_view end) {
  const size_t at = text->find(end);
  const std::string_view taken = text->substr(0, at);
  text->remove_prefix(at == std::string_view::npos ? text->size() : at + end.size());
  return taken;
}

struct Complaint {
  char *text;
  size_t size;
  [[gnu::format(printf, 2, 3)]] const char *operator()(const char *format, ...) const {
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, size, format, args);
    va_end(args);
    for (char *c = text; *c; c++) {
      if (static_cast<unsigned char>(*c) < ' ' || *c == 0x7f) *c = '?';  // a corrupt file may hold anything
    }
    return text;
  }
};

// "f32.forward.cached.backend" and its value. Null, or what is wrong.
const char *Set(std::string_view key, std::string_view value, Settings *settings, const Complaint &complain) {
  const std::string_view whole = key;
  const int element = Find(kElementNames, kTunedElements, Take(&key, ".")),
            pass = Find(kPassNames, kPasses, Take(&key, ".")), regime = Find(kRegimeNames, kRegimes, Take(&key, "."));
  const auto unknown = [&] {
    return complain("\"%.*s\" found, a setting such as f32.forward.cached.task_elements wanted",
                    static_cast<int>(whole.size()), whole.data());
  };
  if (element < 0 || pass < 0 || regime < 0) return unknown();
  Settings::Class &at = settings->classes[element][pass][regime];
  if (key == "backend") {
    for (int32_t i = 0; i < haline_backend_count(); i++) {
      haline_backend backend = {};
      backend.size = sizeof(backend);
      if (haline_backend_at(i, &backend) != HALINE_OK || value != backend.name || !backend.runs_here) continue;
      at.backend = i;
      return nullptr;
    }
    return complain("%.*s: \"%.*s\" found, a back end that runs here wanted", static_cast<int>(whole.size()),
                    whole.data(), static_cast<int>(value.size()), value.data());
  }
  for (int i = 0; i < kKnobs; i++) {
    const Knob &knob = kKnobTable[i];
    if (key != knob.name) continue;
    int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < knob.least || number > knob.most) {
      return complain("%.*s: \"%.*s\" found, %" PRId64 " to %" PRId64 " wanted", static_cast<int>(whole.size()),
                      whole.data(), static_cast<int>(value.size()), value.data(), knob.least, knob.most);
    }
    at.knobs[i] = number;
    return nullptr;
  }
  return unknown();
}

#if defined(__x86_64__)
void NameProcessor(char *out, size_t size) {
  unsigned words[12] = {}, a = 0, b, c, d;
  char brand[sizeof(words) + 1] = "x86-64";
  if (__get_cpuid_max(0x80000000, nullptr) >= 0x80000004) {
    for (unsigned i = 0; i < 3; i++) {
      __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
    }
    std::memcpy(brand, words, sizeof(words));
  }
  __get_cpuid(1, &a, &b, &c, &d);
  unsigned family = a >> 8 & 15, model = a >> 4 & 15;
  if (family == 6 || family == 15) model += (a >> 16 & 15) << 4;
  if (family == 15) family += a >> 20 & 255;
  const char *start = brand + std::strspn(brand, " ");
  size_t length = std::strlen(start);
  while (length > 0 && start[length - 1] == ' ') length--;
  std::snprintf(out, size, "%.*s, family %u, model %u, stepping %u", static_cast<int>(length), start, family, model,
                a & 15);
}
#else
// The main identification register, as Linux shows it.
void NameProcessor(char *out, size_t size) {
  char text[64] = "unknown";
  if (std::FILE *file = std::fopen("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "re")) {
    if (!std::fgets(text, sizeof(text), file)) std::strcpy(text, "unknown");
    (void)std::fclose(file);
  }
  text[std::strcspn(text, "\n")] = '\0';
  std::snprintf(out, size, "AArch64, midr_el1 %s", text);
}
#endif

}  // namespace

Settings::Settings() {
  for (int i = 0; i < kClasses; i++) {
    at(i).backend = kUnset;
    for (int64_t &knob : at(i).knobs) knob = kUnset;
  }
}

int Settings::count() const {
  int count = 0;
  for (int i = 0; i < kClasses; i++) {
    count += at(i).backend != kUnset;
    for (const int64_t knob : at(i).knobs) count += knob != kUnset;
  }
  return count;
}

Regime RegimeOf(int64_t size, int64_t bytes, int64_t total, bool last) {
  const Regime regime = size < kTiny              ? kTinyPlanes
                        : size * bytes > 1 << 20  ? kHugePlanes  // x and y of a plane are more than an L2 holds
                        : total * bytes > 4 << 20 ? kInMemory    // x and y are more than a share of an L3
                                                  : kCached;
  return last ? static_cast<Regime>(kLastRegimes + regime) : regime;
}

const char *ParseTuning(std::string_view text, Settings *settings, char *why, size_t why_size) {
  const Complaint complain{why, why_size};
  *settings = Settings();
  if (text.size() > kLongestTuning) return complain("more than %zu bytes found, fewer wanted", kLongestTuning);
  const std::string_view all = text;
  if (Take(&text, "\n") != kTitle) return complain("another first line found, \"%s\" wanted", kTitle);

  // The checksum first: what follows it, or lacks it, is not to be explained line by line.
  constexpr std::string_view kChecksum = "checksum = ";
  const size_t last = all.rfind(kChecksum);
  char wanted[17];
  if (last == std::string_view::npos || all[last - 1] != '\n')
    return complain("no checksum found, one wanted: cut off?");
  std::snprintf(wanted, sizeof(wanted), "%016" PRIx64, Fnv1a(all.substr(0, last)));
  std::string_view rest = all.substr(last + kChecksum.size());
  const std::string_view found = Take(&rest, "\n");
  if (found != wanted || !rest.empty()) {
    return complain("checksum \"%.*s\" found, %s wanted: changed or damaged", static_cast<int>(found.size() % 64),
                    found.data(), wanted);
  }

  text = all.substr(0, last);
  Take(&text, "\n");
  const auto expect = [&](std::string_view key, const char *value) -> const char * {
    std::string_view line = Take(&text, "\n");
    if (Take(&line, " = ") == key && line == value) return nullptr;
    return complain("%.*s \"%.*s\" found, \"%s\" wanted", static_cast<int>(key.size()), key.data(),
                    static_cast<int>(line.size()), line.data(), value);
  };
  if (const char *wrong = expect("library", haline_version())) return wrong;
  if (const char *wrong = expect("processor", Processor())) return wrong;
  Settings read;
  while (!text.empty()) {
    std::string_view line = Take(&text, "\n");
    const std::string_view key = Take(&line, " = ");
    if (const char *wrong = Set(key, line, &read, complain)) return wrong;
  }
  *settings = read;
  return nullptr;
}

Settings OwnSettings(const char *const *texts) {
  Settings settings, read;
  char why[256];
  for (; *texts; texts++) {
    if (ParseTuning(*texts, &read, why, sizeof(why))) continue;
    for (int i = 0; i < Settings::kClasses; i++) {
      const Settings::Class &from = read.at(i);
      Settings::Class &to = settings.at(i);
      if (from.backend != Settings::kUnset) to.backend = from.backend;
      for (int k = 0; k < kKnobs; k++) {
        if (from.knobs[k] != Settings::kUnset) to.knobs[k] = from.knobs[k];
      }
    }
  }
  return settings;
}

size_t WriteTuning(const Settings &settings, char *out, size_t size) {
  size_t used = 0;
  const auto print = [&](const char *format, auto... values) {
    const int length = used < size ? std::snprintf(out + used, size - used, format, values...) : -1;
    used = length < 0 || used + static_cast<size_t>(length) >= size ? size : used + static_cast<size_t>(length);
  };
  print("%s\nlibrary = %s\nprocessor = %s\n", kTitle, haline_version(), Processor());
  for (int e = 0; e < kTunedElements; e++) {
    for (int p = 0; p < kPasses; p++) {
      for (int r = 0; r < kRegimes; r++) {
        const Settings::Class &at = settings.classes[e][p][r];
        const auto line = [&](const char *key) {
          print("%s.%s.%s.%s = ", kElementNames[e], kPassNames[p], kRegimeNames[r], key);
        };
        haline_backend backend = {};
        backend.size = sizeof(backend);
        if (at.backend != Settings::kUnset &&
            haline_backend_at(static_cast<int32_t>(at.backend), &backend) == HALINE_OK) {
          line("backend");
          print("%s\n", backend.name);
        }
        for (int k = 0; k < kKnobs; k++) {
          if (at.knobs[k] == Settings::kUnset) continue;
          line(kKnobTable[k].name);
          print("%" PRId64 "\n", at.knobs[k]);
        }
      }
    }
  }
  if (used >= size) return 0;
  const uint64_t checksum = Fnv1a({out, used});
  print("checksum = %016" PRIx64 "\n", checksum);
  return used >= size ? 0 : used;
}

const char *Processor() {
  static const struct Name {
    char text[128];
    Name() {
      NameProcessor(text, sizeof(text));
      for (char *c = text; *c; c++) {
        if (static_cast<unsigned char>(*c) < ' ') *c = ' ';
      }
    }
  } name;
  return name.text;
}

}  // namespace haline

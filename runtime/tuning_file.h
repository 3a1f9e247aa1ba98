// What may be tuned at run time, and the file that says so: read by the library (HALINE_TUNING), written by `haline
// select`. Nothing here can change a bit of a result. The format, settings in any order, one a line:
//
//   haline tuning 1
//   library = 0.1.0
//   processor = AMD EPYC 9B45, family 26, model 2, stepping 1
//   f32.forward.cached.backend = x86-avx2
//   f32.forward.cached.task_elements = 65536
//   checksum = 8d7a2cf10b6f3e55                             (FNV-1a, 64 bits, of all lines before)
#ifndef HALINE_RUNTIME_TUNING_FILE_H_
#define HALINE_RUNTIME_TUNING_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace haline {

// Where planes of one kind spend their time: each kind has settings of its own, those of channels-last tensors others.
enum Regime { kTinyPlanes, kCached, kInMemory, kHugePlanes, kLastRegimes, kRegimes = 2 * kLastRegimes };
constexpr const char *kRegimeNames[kRegimes] = {"tiny",      "cached",      "memory",      "huge",
                                                "tiny-last", "cached-last", "memory-last", "huge-last"};

enum Pass { kForwardPass, kBackwardPass, kPasses };
constexpr const char *kPassNames[kPasses] = {"forward", "backward"};

constexpr int kTunedElements = 4;  // by element.h's Element
constexpr const char *kElementNames[kTunedElements] = {"f32", "f16", "bf16", "f64"};

// A number that plan.cpp goes by. The evidence for what each is by default is in docs/tuning.md.
struct Knob {
  const char *name;
  int64_t otherwise, least, most;
};
enum KnobIndex { kTaskKnob, kSerialKnob, kSplitKnob, kStreamKnob, kFlowKnob, kKnobs };
constexpr Knob kKnobTable[kKnobs] = {
    {"task_elements", 32768, 64, 1 << 24},       // of a task: x and y of it, read twice, stay in a core's L2
    {"serial_elements", 32768, 2, 1 << 24},      // fewer in all: a thread costs more than it saves; each has half of it
    {"split_plane", 1 << 20, 1 << 17, 1 << 20},  // larger planes are worked on by all threads together
    {"stream_bytes", 12 << 20, 1 << 20, int64_t{1} << 40},  // of x, y, ...: results of as many go past the caches
    {"flow_elements", 512, 512, int64_t{1} << 40},  // of a plane: results of as many wait for the next part's sums
};

// All settings; what is not set is as if there were no file.
struct Settings {
  static constexpr int64_t kUnset = -1;
  struct Class {
    int64_t backend;  // an index of haline_backend_at
    int64_t knobs[kKnobs];
  };

  Class classes[kTunedElements][kPasses][kRegimes];

  // All classes, one after the other.
  static constexpr int kEach = int{kPasses} * int{kRegimes}, kClasses = kTunedElements * kEach;
  Class &at(int i) { return classes[i / kEach][i % kEach / kRegimes][i % kRegimes]; }
  const Class &at(int i) const { return const_cast<Settings *>(this)->at(i); }

  Settings();
  int count() const;  // of those that are set
};

// Of planes of `size` elements of `bytes` bytes, in a tensor of `total` elements; `last`: channels-last.
Regime RegimeOf(int64_t size, int64_t bytes, int64_t total, bool last);

// Reads a file's text. Null, and `settings`, where all is well; else what is wrong with it, in `why`, and no settings.
const char *ParseTuning(std::string_view text, Settings *settings, char *why, size_t why_size);

// What those of the texts say, up to a null, that are for this library and processor; later ones before earlier ones.
Settings OwnSettings(const char *const *texts);

// The file's text, terminated, into `out`; its length, or 0 where `size` bytes are not enough.
size_t WriteTuning(const Settings &settings, char *out, size_t size);
constexpr size_t kLongestTuning = 32768;

// Name, family, model: another one has other best settings. At most 127 characters, none of them below ' '.
const char *Processor();

}  // namespace haline

#endif  // HALINE_RUNTIME_TUNING_FILE_H_

// The settings in force: the defaults, or what a file of tuning_file.h says. The file is that of HALINE_TUNING, read
// once, at the first use; one that is damaged, or made for another processor or version, is as if it were not there.
#ifndef HALINE_RUNTIME_TUNING_H_
#define HALINE_RUNTIME_TUNING_H_

#include "problem.h"
#include "tuning_file.h"

namespace haline {

// What one call goes by.
struct Tuning {
  int backend = -1;  // to prefer, an index of haline_backend_at, where the caller and the process name none
  int64_t task_elements = kKnobTable[kTaskKnob].otherwise;
  int64_t serial_elements = kKnobTable[kSerialKnob].otherwise;
  int64_t split_plane = kKnobTable[kSplitKnob].otherwise;
  int64_t stream_bytes = Settings::kUnset, flow_elements = Settings::kUnset;  // plan.h has the defaults
};

Tuning TuningOf(const Problem &problem);

}  // namespace haline

#endif  // HALINE_RUNTIME_TUNING_H_

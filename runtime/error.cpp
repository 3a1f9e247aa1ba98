#include "error.h"

#include <HalideRuntime.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace haline {
namespace {

thread_local char message[1024];
thread_local char halide_message[512];

// In place of Halide's handler, which prints and aborts. Ours is the private copy of the Halide runtime inside the
// library: a host program's own is untouched.
void KeepHalideError(void *, const char *text) {
  std::snprintf(halide_message, sizeof(halide_message), "%s", text);
  halide_message[std::strcspn(halide_message, "\n")] = '\0';
}

const auto installed = halide_set_error_handler(KeepHalideError);

}  // namespace

haline_status Fail(haline_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  std::vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  return status;
}

const char *ErrorMessage() { return message; }
const char *HalideMessage() { return halide_message; }

haline_status FromHalide(int code, const char *kernel) {
  if (code == 0) return HALINE_OK;
  if (code == halide_error_code_out_of_memory) return Fail(HALINE_OUT_OF_MEMORY, "out of memory in kernel %s", kernel);
  if (code == halide_error_code_device_malloc_failed) {
    return Fail(HALINE_OUT_OF_MEMORY, "out of device memory in kernel %s: %s", kernel, halide_message);
  }
  return Fail(HALINE_INTERNAL, "kernel %s failed with Halide's code %d: %s", kernel, code, halide_message);
}

}  // namespace haline

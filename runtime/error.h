// The one way errors travel: a status up the stack, a message for the calling thread beside it.
#ifndef HALINE_RUNTIME_ERROR_H_
#define HALINE_RUNTIME_ERROR_H_

#include "haline/haline.h"

namespace haline {

// Keeps the formatted message for this thread and returns `status`. Truncates at 1,023 characters; never allocates.
[[gnu::format(printf, 2, 3)]] haline_status Fail(haline_status status, const char *format, ...);

const char *ErrorMessage();
const char *HalideMessage();  // what Halide's runtime said last in this thread

// Turns the code of a Halide kernel (0: success) into a status; Halide's own message, if it left one, is kept.
haline_status FromHalide(int code, const char *kernel);

}  // namespace haline

#endif  // HALINE_RUNTIME_ERROR_H_

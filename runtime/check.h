// From the caller's tensors and options to a problem that is known to be sound, or to an error.
#ifndef HALINE_RUNTIME_CHECK_H_
#define HALINE_RUNTIME_CHECK_H_

#include "haline/haline.h"
#include "problem.h"

namespace haline {

// The caller's options as this version has them: `given` itself, or, in `room`, with the defaults of what an older
// header did not know; and in the problem what no tensor has a say in.
haline_status GetOptions(const haline_options *given, haline_options *room, const haline_options **options,
                         Problem *problem);

haline_status CheckForward(const haline_tensor *x, const haline_tensor *scale, const haline_tensor *shift,
                           const haline_tensor *y, const haline_options *options, Problem *problem);

haline_status CheckBackward(const haline_tensor *x, const haline_tensor *dy, const haline_tensor *scale,
                            const haline_tensor *shift, const haline_tensor *mean, const haline_tensor *rstd,
                            const haline_tensor *dx, const haline_tensor *dscale, const haline_tensor *dshift,
                            const haline_options *options, Problem *problem);

haline_status CheckMoments(const haline_tensor *x, const haline_tensor *mean, const haline_tensor *m2,
                           const haline_options *options, Problem *problem);

}  // namespace haline

#endif  // HALINE_RUNTIME_CHECK_H_

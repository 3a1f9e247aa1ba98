/* haline: instance normalization. The C interface.
 *
 * For x of shape [N, C, *] (rank 2 and up; rank 2 has one element a plane), every plane (n, c) of S elements gets
 *
 *   mean = sum(x) / S        var = sum((x - mean)^2) / S  (biased)
 *   y    = scale[c] * (x - mean) / sqrt(var + eps) + shift[c]
 *
 * as in Ulyanov, Vedaldi, Lempitsky, "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.
 * Accuracy: |y - exact| <= 1e-6 * max(1, |y|, |scale|) for all finite x (docs/numerics.md). The bytes of y are the
 * same on every back end, with any number of threads, in place or not, for a plane alone or in a batch.
 *
 * Every function is safe to call from any thread. None prints, aborts or throws; those that can fail return a
 * haline_status and leave a message for the calling thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HALINE_HALINE_H_
#define HALINE_HALINE_H_

#include <stddef.h>
#include <stdint.h>

#define HALINE_VERSION_MAJOR 0
#define HALINE_VERSION_MINOR 1
#define HALINE_VERSION_PATCH 0

#if defined(HALINE_STATIC) || !defined(__GNUC__)
#define HALINE_API
#else
#define HALINE_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum haline_status {
  HALINE_OK = 0,
  HALINE_INVALID_ARGUMENT = 1, /* an argument is wrong; the message names it */
  HALINE_UNSUPPORTED = 2,      /* a right argument that haline, this build or this machine can't serve */
  HALINE_OUT_OF_MEMORY = 3,
  HALINE_INTERNAL = 4 /* a defect of haline's: please report the message */
} haline_status;

/* Tensors: the layout of DLPack's DLTensor, member for member, so that a `DLTensor *` may be passed by a cast, and
 * no header but this one is needed. */
enum { HALINE_CPU = 1, HALINE_CUDA = 2, HALINE_OPENCL = 4 };                   /* kDLCPU, kDLCUDA, kDLOpenCL */
enum { HALINE_INT = 0, HALINE_UINT = 1, HALINE_FLOAT = 2, HALINE_BFLOAT = 4 }; /* kDLInt, ..., kDLBfloat */

typedef struct haline_device {
  int32_t type; /* HALINE_CPU, HALINE_CUDA, HALINE_OPENCL */
  int32_t id;   /* of CUDA: which one; of others 0 */
} haline_device;

typedef struct haline_dtype {
  uint8_t code;   /* HALINE_FLOAT, HALINE_BFLOAT; HALINE_INT for lengths */
  uint8_t bits;   /* 16, 32, 64 */
  uint16_t lanes; /* 1 */
} haline_dtype;

typedef struct haline_tensor {
  void *data; /* may be null where the tensor has no elements; of OpenCL: a cl_mem */
  haline_device device;
  int32_t ndim;
  haline_dtype dtype;
  int64_t *shape;       /* ndim extents */
  int64_t *strides;     /* ndim strides in elements, or null for a contiguous tensor, the last dimension innermost */
  uint64_t byte_offset; /* of the first element from data */
} haline_tensor;

typedef enum haline_activation {
  HALINE_NO_ACTIVATION = 0,
  HALINE_RELU = 1,      /* z where z > 0, else 0 */
  HALINE_LEAKY_RELU = 2 /* z where z > 0, else z * negative_slope */
} haline_activation;

/* Options grow at the end; `size` tells which version a caller was compiled with. Start from HALINE_OPTIONS_INIT. */
typedef struct haline_options {
  size_t size;         /* sizeof(haline_options) */
  double eps;          /* added to the variance; >= 0, default 1e-5 */
  const char *backend; /* a name from haline_backend_at, or null: what haline_set_backend chose */

  /* The struct's first version ended here. Null, 0: not used. */

  /* y = act(norm(x) + residual), in the same pass. */
  haline_activation activation;
  double negative_slope;         /* of HALINE_LEAKY_RELU; finite, default 0.01 */
  const haline_tensor *residual; /* the shape and type of x; may be y */

  /* Valid lengths, int32 or int64 [N], 0 to x's last extent: of each sample's rows (the last dimension) only the first
   * lengths[n] elements count. Beyond them y (and dx, dresidual) is 0. The host's, also of tensors on a device; or
   * they lie there too, and then the call copies them to the host first, and waits for the queue to get there. */
  const haline_tensor *lengths;

  /* Training: the statistics of each plane, float32 or float64 [N, C], rounded once. 0 for a plane without elements. */
  haline_tensor *mean;
  haline_tensor *rstd; /* 1 / sqrt(var + eps); 0 where var + eps is 0 */

  /* Frozen statistics: float32 or float64, [C] or [N, C]. given_mean and one of the others: then x's own are not
   * worked out, and a NaN or infinity of x stays where it is. */
  const haline_tensor *given_mean;
  const haline_tensor *given_rstd;
  const haline_tensor *given_variance; /* with eps */

  /* Updated as PyTorch's track_running_stats does, float32 or float64 [C]: running = (1 - momentum) * running +
   * momentum * the mean over the samples of the planes' mean and of their unbiased variance (0 for planes of one
   * element). Samples without elements are left out. */
  haline_tensor *running_mean;
  haline_tensor *running_variance;
  double momentum; /* 0 to 1, default 0.1 */

  /* Backward: the gradient of the residual, the shape and type of x; overlaps no other tensor of the call. */
  haline_tensor *dresidual;
  /* Backward: 1 where mean and rstd were given to the forward pass, and do not depend on x. */
  int32_t frozen;

  /* Tensors on a device: a CUstream of the device (null: its default stream), or the cl_command_queue. Work is put
   * there, in order, and nothing waits for it (but for lengths that lie there: see above). */
  void *queue;

  /* given_variance is the M2 of so many elements, as haline_merge_moments gives it, and its variance M2 / given_count;
   * 0: it is a variance. */
  int64_t given_count;
} haline_options;

#define HALINE_OPTIONS_INIT                                                                                         \
  {                                                                                                                 \
    sizeof(haline_options), 1e-5, NULL, HALINE_NO_ACTIVATION, 0.01, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
        NULL, 0.1, NULL, 0, NULL, 0                                                                                 \
  }

/* y = the instance norm of x.
 *
 * x, y     float32, float16, bfloat16 or float64 [N, C, *], the same shape and type. Any extent may be 0: nothing to
 *          do. y may be x (in place, with the same strides); partly overlapping tensors are refused. At most 2^31 - 1
 *          elements a plane; any number in all. Strides are free, channels-last included, as long as a plane's
 *          dimensions collapse to at most 4 loops; planes that are not contiguous are copied, some at a time.
 * scale    [C] or [N, C] (conditional and adaptive norms), or null: ones. float32 (float64 where x is), or x's type.
 * shift    as scale, or null: zeros.
 * options  null: the defaults.
 *
 * All tensors lie on one device, the CPU or a GPU (but for the lengths, which may be the host's). Those of a GPU are
 * worked on where they are, with the caller's queue; of OpenCL's, only whole memory objects, or parts of one that its
 * device could make a sub-buffer of.
 *
 * A constant plane (a plane of one element too) gives exactly shift, also where eps is 0. A NaN or an infinity makes
 * its own plane all NaN (0x7fc00000; 0x7e00, 0x7fc0, 0x7ff8...) and no other. Nothing is written when an argument is
 * refused. Runs on up to haline_num_threads() threads, small tensors on the calling one. */
HALINE_API haline_status haline_instance_norm(const haline_tensor *x, const haline_tensor *scale,
                                              const haline_tensor *shift, haline_tensor *y,
                                              const haline_options *options);

/* The gradients of y = act(norm(x) + residual), given that of y.
 *
 * x, dy       what haline_instance_norm was given, and the gradient of its result; the same shape and type.
 * scale, shift, options  as they were given there: eps, activation, negative_slope, residual, lengths. (shift matters
 *             only where there is an activation.)
 * mean, rstd  the statistics that it returned: float32 or float64 [N, C]. With options.frozen, those that it was
 *             given: [C] too.
 * dx          the gradient of x, x's shape and type, or null. May be x or dy (with the same strides).
 * dscale      the gradients of scale and shift, or null: [C], summed over the samples in their order, or [N, C];
 * dshift      float32 (float64 where x is), or x's type.
 *
 * With S elements a plane, g the gradient of z = norm(x) + residual and xhat = (x - mean) * rstd:
 *   dshift = sum(g)    dscale = sum(g * xhat)    dx = scale * rstd * (g - dshift / S - xhat * dscale / S)
 * Accurate to 5e-6 * max(1, the largest |gradient|) (docs/numerics.md: and, for dscale and dshift, the square root of a
 * 512th of the elements added up); the same bytes on every back end and with any number of threads.
 */
HALINE_API haline_status haline_instance_norm_backward(const haline_tensor *x, const haline_tensor *dy,
                                                       const haline_tensor *scale, const haline_tensor *shift,
                                                       const haline_tensor *mean, const haline_tensor *rstd,
                                                       haline_tensor *dx, haline_tensor *dscale, haline_tensor *dshift,
                                                       const haline_options *options);

/* The moments of each plane of x, a tile of something larger: the number of elements (of every plane), their mean and
 * M2, the sum of (x - mean)^2. mean and m2: float64 [N, C]. Of the options only the back end and the queue are used. */
HALINE_API haline_status haline_moments(const haline_tensor *x, int64_t *count, haline_tensor *mean, haline_tensor *m2,
                                        const haline_options *options);

/* The moments of `tiles` tiles together, those of tile i being counts[i], means[i] and m2s[i] (float64, all of one
 * shape). Merged pairwise, as a binary tree over the tiles' indices: the same bytes whatever came first, and
 * merge(a, b) = merge(b, a). A tile of count 0 adds nothing; a total of 0 is refused. mean and m2 may be those of a
 * tile. Then haline_instance_norm with given_mean = mean, given_variance = m2 and given_count = count normalises every
 * tile. All of them lie on one device; of the options only the queue is used, null: the defaults. */
HALINE_API haline_status haline_merge_moments(int32_t tiles, const int64_t *counts, const haline_tensor *const *means,
                                              const haline_tensor *const *m2s, int64_t *count, haline_tensor *mean,
                                              haline_tensor *m2, const haline_options *options);

/* What went wrong in the calling thread's last failed call: the argument, what was found and what was wanted.
 * Never null; valid until the next failing call in the same thread. */
HALINE_API const char *haline_error_message(void);

/* "HALINE_OK", ...; "unknown status" for other values. */
HALINE_API const char *haline_status_name(haline_status status);

/* Back ends, best first: "x86-avx512", "x86-avx2", "x86-64", "arm-neon"; then those of GPUs, "cuda" and "opencl", which
 * take tensors that lie on their device. Where one of them is named for tensors of the CPU, these are sent there and
 * back, and the call waits for it. */
typedef struct haline_backend {
  size_t size; /* in: sizeof(haline_backend) */
  const char *name;
  const char *target; /* the Halide target its kernels were compiled for; "" where not built */
  int32_t built;      /* 1: this library has it */
  int32_t runs_here;  /* 1: and this machine runs it */
  const char *reason; /* why it does not run here; "" where it does */
  int32_t device;     /* HALINE_CPU, or the type of the devices whose tensors it is for */
} haline_backend;

HALINE_API int32_t haline_backend_count(void);
HALINE_API haline_status haline_backend_at(int32_t index, haline_backend *backend);

/* Forces a back end for the whole process; null goes back to the automatic choice: the one that the environment
 * variable HALINE_BACKEND names, or else the best that runs here. The variable is read once, at the first use. */
HALINE_API haline_status haline_set_backend(const char *name);

/* The name of the back end that a call without options would use now; null, with a message, where HALINE_BACKEND
 * names one that does not exist or does not run here. */
HALINE_API const char *haline_current_backend(void);

/* The Halide target that the kernels of the calling thread's last successful call were compiled for, as those kernels
 * themselves report it; "" before the first call, and after a call that had nothing to do. For tests that must know
 * what ran. */
HALINE_API const char *haline_last_target(void);

/* Threads that one call may use, the calling one included. 0: the default, which is the environment variable
 * HALINE_NUM_THREADS, or else the number of processors this process may run on. At most 1024. */
HALINE_API haline_status haline_set_num_threads(int32_t threads);
HALINE_API int32_t haline_num_threads(void);

/* Settings for this machine, which `haline select` has measured and written into a file: which back end, and how large
 * a share of the work at a time, for which kind of planes. They change the time, never a bit. Null or "": those that
 * the library was built with for this processor, if any; a file that is damaged, or made for another processor or
 * version of haline, is refused, and changes nothing. At first use the one that the environment variable HALINE_TUNING
 * names is read; if that is refused, calls work as without it. */
HALINE_API haline_status haline_set_tuning(const char *file);

/* What is in force, one line: "none", "built in: 3 settings", "FILE: 3 settings", or "FILE: ignored: why" of the one
 * that HALINE_TUNING names. Valid until the calling thread's next call of this function. */
HALINE_API const char *haline_current_tuning(void);

/* "0.1.0" */
HALINE_API const char *haline_version(void);

#ifdef __cplusplus
}
#endif

#endif /* HALINE_HALINE_H_ */

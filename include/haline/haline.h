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
enum { HALINE_CPU = 1 };                                    /* kDLCPU */
enum { HALINE_INT = 0, HALINE_UINT = 1, HALINE_FLOAT = 2 }; /* kDLInt, kDLUInt, kDLFloat */

typedef struct haline_device {
  int32_t type; /* HALINE_CPU */
  int32_t id;   /* 0 */
} haline_device;

typedef struct haline_dtype {
  uint8_t code;   /* HALINE_FLOAT */
  uint8_t bits;   /* 32 */
  uint16_t lanes; /* 1 */
} haline_dtype;

typedef struct haline_tensor {
  void *data; /* may be null where the tensor has no elements */
  haline_device device;
  int32_t ndim;
  haline_dtype dtype;
  int64_t *shape;       /* ndim extents */
  int64_t *strides;     /* ndim strides in elements, or null for a contiguous tensor, the last dimension innermost */
  uint64_t byte_offset; /* of the first element from data */
} haline_tensor;

/* Options grow at the end; `size` tells which version a caller was compiled with. Start from HALINE_OPTIONS_INIT. */
typedef struct haline_options {
  size_t size;         /* sizeof(haline_options) */
  double eps;          /* added to the variance; >= 0, default 1e-5 */
  const char *backend; /* a name from haline_backend_at, or null: what haline_set_backend chose */
} haline_options;

#define HALINE_OPTIONS_INIT \
  { sizeof(haline_options), 1e-5, NULL }

/* y = the instance norm of x.
 *
 * x, y     float32 [N, C, *], contiguous, the same shape. Any extent may be 0: nothing to do. y may be x (in place);
 *          partly overlapping tensors are refused. At most 2^31 - 1 elements a plane; any number in all.
 * scale    float32 [C], contiguous, or null: ones.
 * shift    float32 [C], contiguous, or null: zeros.
 * options  null: the defaults.
 *
 * A constant plane (a plane of one element too) gives exactly shift, also where eps is 0. A NaN or an infinity makes
 * its own plane all NaN (0x7fc00000) and no other. Nothing is written unless HALINE_OK is returned.
 * Runs on up to haline_num_threads() threads, small tensors on the calling one. Allocates nothing that grows with
 * the tensor, but for planes of more than 2^20 elements (48 bytes for each 65,536). */
HALINE_API haline_status haline_instance_norm(const haline_tensor *x, const haline_tensor *scale,
                                              const haline_tensor *shift, haline_tensor *y,
                                              const haline_options *options);

/* What went wrong in the calling thread's last failed call: the argument, what was found and what was wanted.
 * Never null; valid until the next failing call in the same thread. */
HALINE_API const char *haline_error_message(void);

/* "HALINE_OK", ...; "unknown status" for other values. */
HALINE_API const char *haline_status_name(haline_status status);

/* Back ends, best first: "x86-avx512", "x86-avx2", "x86-64", "arm-neon". */
typedef struct haline_backend {
  size_t size; /* in: sizeof(haline_backend) */
  const char *name;
  const char *target; /* the Halide target its kernels were compiled for; "" where not built */
  int32_t built;      /* 1: this library has it */
  int32_t runs_here;  /* 1: and this machine runs it */
  const char *reason; /* why it does not run here; "" where it does */
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

/* "0.1.0" */
HALINE_API const char *haline_version(void);

#ifdef __cplusplus
}
#endif

#endif /* HALINE_HALINE_H_ */

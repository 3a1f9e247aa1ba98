// What haline needs of a GPU's programming interface beside what Halide's runtime does: whose context and queue a call
// uses, and the caller's memory. The interfaces' libraries are looked for at run time, as Halide's runtime does.
#ifndef HALINE_RUNTIME_GPU_API_H_
#define HALINE_RUNTIME_GPU_API_H_

#include <HalideRuntime.h>

#include <cstdint>

#include "haline/haline.h"

namespace haline {

// Device memory is known by addresses: numbers that bytes can be added to. Where an interface has handles instead, they
// are numbered, within a call.
using Address = uint64_t;

class GpuApi {
 public:
  virtual const halide_device_interface_t *interface() const = 0;

  // "" where a device was found, or else why haline can't use one.
  virtual const char *WhyNot() const = 0;

  // Until Leave, the calling thread's kernels and copies go to the caller's queue, or where `own` is true to a queue of
  // haline's. A queue or a device that does not exist is an error.
  // `name` is a tensor there, for messages.
  virtual haline_status Enter(const char *name, const haline_device &device, void *queue, bool own) = 0;
  virtual void Leave() = 0;

  // From the caller's tensor's `data`, and from memory that Halide's runtime has allocated.
  virtual Address AddressOf(void *data) = 0;
  virtual Address AddressOf(halide_buffer_t *allocated) = 0;
  virtual void Forget(Address) {}  // before such memory is freed
  virtual void ForgetAll() {}      // before a call's first address

  // How far into a memory object an address is, and which such offsets a device allows: between Enter and Leave.
  virtual int64_t OffsetOf(Address) const { return 0; }
  virtual int64_t Alignment() const { return 1; }

  // Bytes of shared memory that a block may have: between Enter and Leave. (CUDA: without asking for more.)
  virtual int64_t SharedBytes() const { return 48 << 10; }

  // Makes the buffer one over the memory at an address: a code of Halide's. And ends that, whatever came of it.
  virtual int Wrap(halide_buffer_t *buffer, Address address) = 0;
  virtual void Unwrap(halide_buffer_t *buffer) = 0;

 protected:
  ~GpuApi() = default;
};

// The interface of a back end, and the back end of a device type of DLPack's; null: not built into this library, or
// none.
GpuApi *FindGpuApi(const char *backend);
const char *GpuBackendOf(int32_t device_type);
extern const char *const kGpuDeviceTypes;  // those built in, for messages: ", 2 (CUDA), 4 (OpenCL)"

GpuApi *OpenCl();
GpuApi *Cuda();

}  // namespace haline

#endif  // HALINE_RUNTIME_GPU_API_H_

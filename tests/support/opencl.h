// Tensors in OpenCL memory, for tests of the GPU back ends.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_OPENCL_H_
#define HALINE_TESTS_SUPPORT_OPENCL_H_

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include <string>
#include <vector>

#include "support/typed.h"

namespace haline::test {

// The caller's context and queue, on the first device that there is; no queue where there is none.
class OpenClQueue {
 public:
  OpenClQueue();
  ~OpenClQueue();
  OpenClQueue(const OpenClQueue &) = delete;
  OpenClQueue &operator=(const OpenClQueue &) = delete;

  cl_device_id device() const { return device_; }
  cl_context context() const { return context_; }
  cl_command_queue queue() const { return queue_; }

 private:
  cl_device_id device_ = nullptr;
  cl_context context_ = nullptr;
  cl_command_queue queue_ = nullptr;
};

// A tensor with the values and strides of one of the host's, `byte_offset` into a memory object of its own.
class OpenClTensor {
 public:
  OpenClTensor(const OpenClQueue &queue, const Typed &host, const Shape &strides = {}, uint64_t byte_offset = 0);
  ~OpenClTensor();
  OpenClTensor(const OpenClTensor &) = delete;
  OpenClTensor &operator=(const OpenClTensor &) = delete;

  haline_tensor *t() { return &tensor_; }
  // The bytes of the elements, row-major, once the queue is done; throws where memory beside them was written to.
  std::string bytes() const;

 private:
  std::vector<int64_t> Offsets() const;  // of the elements in the memory object, in bytes

  const OpenClQueue &queue_;
  Shape shape_, strides_;
  int64_t size_, first_, bytes_;
  cl_mem memory_ = nullptr;
  haline_tensor tensor_ = {};
};

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_OPENCL_H_

// SPDX-License-Identifier: MIT
#include "support/opencl.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace haline::test {
namespace {

constexpr unsigned char kRest = 0xcd;

}  // namespace

OpenClQueue::OpenClQueue() {
  cl_platform_id platform;
  cl_uint count = 0;
  if (clGetPlatformIDs(1, &platform, &count) != CL_SUCCESS || count == 0) return;
  if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device_, &count) != CL_SUCCESS) return;
  context_ = clCreateContext(nullptr, 1, &device_, nullptr, nullptr, nullptr);
  if (context_) queue_ = clCreateCommandQueue(context_, device_, 0, nullptr);
}

OpenClQueue::~OpenClQueue() {
  if (queue_) clReleaseCommandQueue(queue_);
  if (context_) clReleaseContext(context_);
}

OpenClTensor::OpenClTensor(const OpenClQueue &queue, const Typed &host, const Shape &strides, uint64_t byte_offset)
    : queue_(queue),
      shape_(host.shape()),
      strides_(strides.empty() ? Contiguous(shape_) : strides),
      size_(Size(host.type())),
      first_(static_cast<int64_t>(byte_offset)) {
  int64_t reach = 0;
  for (size_t i = 0; i < shape_.size(); i++) reach += (shape_[i] - 1) * strides_[i];
  bytes_ = first_ + (reach + 1) * size_ + 64;
  std::string memory(static_cast<size_t>(bytes_), static_cast<char>(kRest));
  const std::vector<int64_t> offsets = Offsets();
  for (int64_t i = 0; i < host.count(); i++) {
    const uint64_t bits = host.Bits(i);
    std::memcpy(&memory[static_cast<size_t>(offsets[static_cast<size_t>(i)])], &bits, static_cast<size_t>(size_));
  }
  memory_ =
      clCreateBuffer(queue.context(), CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, memory.size(), memory.data(), nullptr);
  if (!memory_) throw std::runtime_error("no OpenCL memory for a test's tensor");
  tensor_.data = memory_;
  tensor_.device = {HALINE_OPENCL, 0};
  tensor_.ndim = static_cast<int32_t>(shape_.size());
  tensor_.dtype = DType(host.type());
  tensor_.shape = shape_.data();
  tensor_.strides = strides.empty() ? nullptr : strides_.data();
  tensor_.byte_offset = byte_offset;
}

OpenClTensor::~OpenClTensor() {
  if (memory_) clReleaseMemObject(memory_);
}

std::vector<int64_t> OpenClTensor::Offsets() const {
  const int64_t count = Count(shape_);
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i < count; i++) {
    int64_t offset = 0, rest = i;
    for (size_t d = shape_.size(); d-- > 0;) {
      offset += rest % shape_[d] * strides_[d];
      rest /= shape_[d];
    }
    offsets.push_back(first_ + offset * size_);
  }
  return offsets;
}

std::string OpenClTensor::bytes() const {
  std::string memory(static_cast<size_t>(bytes_), '\0'), elements;
  if (clEnqueueReadBuffer(queue_.queue(), memory_, CL_TRUE, 0, memory.size(), memory.data(), 0, nullptr, nullptr) !=
      CL_SUCCESS) {
    throw std::runtime_error("OpenCL memory can't be read: a kernel before has failed");
  }
  for (const int64_t at : Offsets()) {
    elements.append(memory, static_cast<size_t>(at), static_cast<size_t>(size_));
    std::memset(&memory[static_cast<size_t>(at)], kRest, static_cast<size_t>(size_));
  }
  const bool untouched =
      std::all_of(memory.begin(), memory.end(), [](char byte) { return static_cast<unsigned char>(byte) == kRest; });
  if (!untouched) throw std::runtime_error("memory beside the tensor's elements was written to");
  return elements;
}

}  // namespace haline::test

// Tensors and calls on the CUDA driver without a GPU (fake_cuda.h).
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_CUDA_FIXTURE_H_
#define HALINE_TESTS_SUPPORT_CUDA_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "support/fake_cuda.h"
#include "support/faults.h"
#include "support/status.h"
#include "support/typed.h"

namespace haline::test {

class CudaTest : public testing::Test {
 protected:
  void SetUp() override {
    cuda_.Reset();
    TheFaults().Reset();
    options_.queue = &stream_;
  }
  void TearDown() override {
    TheFaults().Reset();
    for (const std::string &complaint : cuda_.complaints) ADD_FAILURE() << complaint;
  }

  // A tensor in the fake's memory.
  haline_tensor *Device(Type type, const Shape &shape, int id = 0) {
    shapes_.push_back(std::make_unique<Shape>(shape));
    tensors_.push_back(std::make_unique<haline_tensor>());
    haline_tensor &t = *tensors_.back();
    uint64_t bytes = static_cast<uint64_t>(Size(type));
    for (const int64_t extent : shape) bytes *= static_cast<uint64_t>(extent);
    t.data = reinterpret_cast<void *>(cuda_.Memory(bytes));  // NOLINT(performance-no-int-to-ptr): an address it is
    t.device = {HALINE_CUDA, id};
    t.ndim = static_cast<int32_t>(shape.size());
    t.dtype = DType(type);
    t.shape = shapes_.back()->data();
    return &t;
  }

  haline_status Forward(Type type, const Shape &shape) {
    return haline_instance_norm(Device(type, shape), nullptr, nullptr, Device(type, shape), &options_);
  }
  haline_status Backward(Type type, const Shape &shape) {
    const Shape planes = {shape[0], shape[1]}, channels = {shape[1]};
    return haline_instance_norm_backward(Device(type, shape), Device(type, shape), nullptr, nullptr,
                                         Device(Type::kF32, planes), Device(Type::kF32, planes), Device(type, shape),
                                         Device(type, channels), Device(type, channels), &options_);
  }

  int Calls(const std::string &function) const {
    const auto found = TheFaults().calls.find(function);
    return found == TheFaults().calls.end() ? 0 : found->second;
  }
  void ExpectNothingWaitsOrCopies() const {
    for (const char *name : {"cuStreamSynchronize", "cuCtxSynchronize", "cuMemcpyHtoD_v2", "cuMemcpyDtoH_v2",
                             "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemAlloc_v2", "cuMemFree_v2"}) {
      EXPECT_EQ(Calls(name), 0) << name;
    }
  }

  FakeCuda &cuda_ = FakeCuda::Get();
  FakeContext own_context_{0}, other_context_{0};  // of the caller's making, on device 0
  FakeStream stream_{&own_context_};
  haline_options options_ = HALINE_OPTIONS_INIT;
  std::vector<std::unique_ptr<Shape>> shapes_;
  std::vector<std::unique_ptr<haline_tensor>> tensors_;
};

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_CUDA_FIXTURE_H_

// oneDNN's group normalization with a group for each channel, which is instance norm, behind a C interface for ctypes.
// Compiled against oneDNN's own headers by bench/report/peers/onednn.py.
//
// SPDX-License-Identifier: MIT
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "oneapi/dnnl/dnnl.hpp"

using dnnl::memory;

namespace {

// Plain memory, as the caller laid it out. Null where a pass has no such tensor.
struct Problem {
  int32_t backward;       // 0 or 1
  int32_t ndim;           // 3 to 5
  int64_t shape[5];       // [N, C, *]
  int32_t dtype;          // 0: float32, 1: bfloat16, 2: float16
  int32_t channels_last;  // 0 or 1
  float eps, slope;       // slope 1: no activation
  void *x, *y, *scale, *shift, *dy, *dx, *dscale, *dshift;
};

// An engine and a stream for all; the stream is in order.
struct Device {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

Device &GetDevice() {
  static Device device;
  return device;
}

struct Step {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
};

struct Prepared {
  std::vector<Step> steps;  // one after the other
  std::string implementation;
};

void Execute(Device &device, const std::vector<Step> &steps) {
  for (const Step &step : steps) step.primitive.execute(device.stream, step.arguments);
}

memory::desc Describe(const Problem &p) {
  const memory::dims shape(p.shape, p.shape + p.ndim);
  constexpr memory::format_tag kFirst[] = {memory::format_tag::ncw, memory::format_tag::nchw,
                                           memory::format_tag::ncdhw};
  constexpr memory::format_tag kLast[] = {memory::format_tag::nwc, memory::format_tag::nhwc, memory::format_tag::ndhwc};
  constexpr memory::data_type kTypes[] = {memory::data_type::f32, memory::data_type::bf16, memory::data_type::f16};
  return {shape, kTypes[p.dtype], (p.channels_last ? kLast : kFirst)[p.ndim - 3]};
}

std::unique_ptr<Prepared> Prepare(const Problem &p) {
  Device &device = GetDevice();
  const memory::desc tensor = Describe(p);
  const memory::desc channel({p.shape[1]}, memory::data_type::f32, memory::format_tag::a);
  const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
  const auto in = [&](const memory::desc &what, void *data) { return memory(what, device.engine, data); };
  auto prepared = std::make_unique<Prepared>();

  const auto kind = p.backward ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const auto describe = [&](const dnnl::primitive_attr &attributes) {
    return dnnl::group_normalization_forward::primitive_desc(device.engine, kind, tensor, tensor, p.shape[1], p.eps,
                                                             flags, attributes);
  };
  // In place, so that its gradient is one from the result.
  const auto relu = p.backward ? dnnl::algorithm::eltwise_relu_use_dst_for_bwd : dnnl::algorithm::eltwise_relu;
  const auto activation = [&] {
    return dnnl::eltwise_forward::primitive_desc(device.engine, kind, relu, tensor, tensor, p.slope);
  };
  auto forward = describe({});
  std::optional<Step> then;  // the activation
  if (p.slope != 1) {
    dnnl::post_ops after;
    after.append_eltwise(dnnl::algorithm::eltwise_relu, p.slope, 0.f);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(after);
    const auto fused = describe(attributes);
    // Where fusing costs the fast kernel, two primitives are faster.
    if (!p.backward && std::string(fused.impl_info_str()).rfind("ref", 0) != 0) {
      forward = fused;
    } else {
      then = {dnnl::eltwise_forward(activation()), {{DNNL_ARG_SRC, in(tensor, p.y)}, {DNNL_ARG_DST, in(tensor, p.y)}}};
    }
  }
  Step norm{dnnl::group_normalization_forward(forward),
            {{DNNL_ARG_SRC, in(tensor, p.x)},
             {DNNL_ARG_DST, in(tensor, p.y)},
             {DNNL_ARG_SCALE, in(channel, p.scale)},
             {DNNL_ARG_SHIFT, in(channel, p.shift)}}};
  const memory mean(forward.mean_desc(), device.engine), variance(forward.variance_desc(), device.engine);
  if (p.backward) norm.arguments.insert({{DNNL_ARG_MEAN, mean}, {DNNL_ARG_VARIANCE, variance}});
  prepared->steps = {norm};
  if (then) prepared->steps.push_back(*then);
  prepared->implementation = forward.impl_info_str();
  if (!p.backward) return prepared;

  Execute(device, prepared->steps);
  device.stream.wait();
  prepared->steps.clear();
  memory gradient = in(tensor, p.dy);
  if (p.slope != 1) {
    const dnnl::eltwise_backward::primitive_desc back(device.engine, relu, tensor, tensor, tensor, p.slope,
                                                      activation());
    const memory of_norm(tensor, device.engine);
    prepared->steps.push_back(
        {dnnl::eltwise_backward(back),
         {{DNNL_ARG_DST, in(tensor, p.y)}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_SRC, of_norm}}});
    gradient = of_norm;
  }
  const dnnl::group_normalization_backward::primitive_desc backward(device.engine, dnnl::prop_kind::backward, tensor,
                                                                    tensor, tensor, p.shape[1], p.eps, flags, forward);
  prepared->steps.push_back({dnnl::group_normalization_backward(backward),
                             {{DNNL_ARG_SRC, in(tensor, p.x)},
                              {DNNL_ARG_DIFF_DST, gradient},
                              {DNNL_ARG_MEAN, mean},
                              {DNNL_ARG_VARIANCE, variance},
                              {DNNL_ARG_SCALE, in(channel, p.scale)},
                              {DNNL_ARG_DIFF_SRC, in(tensor, p.dx)},
                              {DNNL_ARG_DIFF_SCALE, in(channel, p.dscale)},
                              {DNNL_ARG_DIFF_SHIFT, in(channel, p.dshift)}}});
  prepared->implementation = backward.impl_info_str();
  return prepared;
}

thread_local std::string message;

}  // namespace

extern "C" {

// 0 where oneDNN finds a processor; driver_message() says why not. To be called before other libraries bring a TBB of
// their own.
int driver_start() {
  try {
    GetDevice();
    return 0;
  } catch (const std::exception &error) {
    message = error.what();
    return 1;
  }
}

// Null where oneDNN refuses; driver_message() says why. To be freed by driver_free.
Prepared *driver_prepare(const Problem *problem) {
  try {
    return Prepare(*problem).release();
  } catch (const std::exception &error) {
    message = error.what();
    return nullptr;
  }
}

// Runs it `times` times, and waits once, as a network would. 0 where all went well.
int driver_run(Prepared *prepared, int64_t times) {
  try {
    Device &device = GetDevice();
    for (int64_t i = 0; i < times; i++) Execute(device, prepared->steps);
    device.stream.wait();
    return 0;
  } catch (const std::exception &error) {
    message = error.what();
    return 1;
  }
}

void driver_free(Prepared *prepared) { delete prepared; }
const char *driver_implementation(const Prepared *prepared) { return prepared->implementation.c_str(); }
const char *driver_message() { return message.c_str(); }
}

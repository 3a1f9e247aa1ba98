#include "gpu.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "backend.h"
#include "gpu_engine.h"
#include "tensor.h"

namespace haline {
namespace {

// What the processor takes and GPUs don't.
haline_status CheckPlace(const char *name, const char *data, GpuApi *api) {
  if (!data) return HALINE_OK;
  const int64_t offset = api->OffsetOf(reinterpret_cast<Address>(data)), alignment = api->Alignment();
  if (offset % alignment == 0) return HALINE_OK;
  return Fail(HALINE_UNSUPPORTED,
              "%s: a byte_offset of %lld found, a multiple of %lld wanted, where parts of memory objects may start on "
              "this device",
              name, static_cast<long long>(offset), static_cast<long long>(alignment));
}

haline_status CheckForGpu(const Problem &p, GpuApi *api) {
  const std::pair<const char *, const Array *> arrays[] = {{"x", &p.x},   {"y", &p.y},   {"residual", &p.residual},
                                                           {"dy", &p.dy}, {"dx", &p.dx}, {"dresidual", &p.dresidual}};
  for (const auto &[name, array] : arrays) {
    bool negative = array->n_stride < 0 || array->c_stride < 0;
    for (int i = 0; i < array->loop_count; i++) negative = negative || array->loops[i].stride < 0;
    if (negative && array->data) {
      return Fail(HALINE_UNSUPPORTED, "%s: a negative stride found, 0 and up wanted of a device's tensors", name);
    }
    if (array->data && !Copyable(*array)) {
      return Fail(HALINE_UNSUPPORTED,
                  "%s: a stride of 2^31 or more elements found within a plane, less wanted of a "
                  "device's tensors",
                  name);
    }
    const haline_status status = CheckPlace(name, array->data, api);
    if (status != HALINE_OK) return status;
  }
  if (p.size() > kMostIndex) {
    return Fail(HALINE_UNSUPPORTED, "x: planes of %lld elements found, at most %lld wanted on a device",
                static_cast<long long>(p.size()), static_cast<long long>(kMostIndex));
  }
  // These are added up over the samples in one launch.
  const auto by_channel = [](const PerPlane &values) { return values && values.n_stride == 0; };
  if (p.planes() > kMostIndex &&
      (p.running_mean || p.running_variance || by_channel(p.dscale) || by_channel(p.dshift))) {
    return Fail(HALINE_UNSUPPORTED,
                "x: %lld planes found, at most %lld wanted on a device, where results by channel are "
                "asked for",
                static_cast<long long>(p.planes()), static_cast<long long>(kMostIndex));
  }
  const std::pair<const char *, const PerPlane *> numbers[] = {{"scale", &p.scale},
                                                               {"shift", &p.shift},
                                                               {"mean", &p.mean},
                                                               {"rstd", &p.rstd},
                                                               {"variance", &p.variance},
                                                               {"m2", &p.m2},
                                                               {"running_mean", &p.running_mean},
                                                               {"running_variance", &p.running_variance},
                                                               {"dscale", &p.dscale},
                                                               {"dshift", &p.dshift}};
  for (const auto &[name, values] : numbers) {
    if (*values && (values->n_stride < 0 || values->c_stride < 0)) {
      return Fail(HALINE_UNSUPPORTED, "%s: a negative stride found, 0 and up wanted of a device's tensors", name);
    }
    const haline_status status = CheckPlace(name, values->data, api);
    if (status != HALINE_OK) return status;
  }
  return HALINE_OK;
}

}  // namespace

haline_status RunPass(const Problem &problem, GpuPass pass, GpuApi *api, const GpuKernels &kernels) {
  const haline_status status = CheckForGpu(problem, api);
  if (status != HALINE_OK) return status;
  return pass == GpuPass::kForward ? GpuForward(problem, api, kernels) : GpuBackward(problem, api, kernels);
}

haline_status ChooseGpu(const char *name, const haline_tensor &t, Problem *problem) {
  const char *backend = GpuBackendOf(t.device.type);
  if (!backend) {
    return Fail(HALINE_UNSUPPORTED, "%s: device type %d found, 1 (CPU)%s wanted", name, t.device.type, kGpuDeviceTypes);
  }
  if (problem->backend && std::strcmp(problem->backend, backend) != 0) {
    return Fail(HALINE_INVALID_ARGUMENT, "backend: \"%s\" found, null or \"%s\" (where %s is) wanted", problem->backend,
                backend, name);
  }
  FindGpuApi(backend)->ForgetAll();
  problem->backend = backend;
  problem->device = t.device;
  return HALINE_OK;
}

haline_status FetchLengths(const haline_tensor &lengths, Problem *problem) {
  GpuApi *const api = FindGpuApi(problem->backend);
  const int64_t stride = Stride(lengths, 0), bits = lengths.dtype.bits, count = (problem->batch - 1) * stride + 1;
  if (stride < 0 || count > kMostIndex) {
    return Fail(HALINE_UNSUPPORTED, "lengths: a stride of %lld found, 0 and up and not too large wanted",
                static_cast<long long>(stride));
  }
  problem->fetched_lengths.reset(std::malloc(static_cast<size_t>(count * bits / 8)), std::free);
  if (!problem->fetched_lengths)
    return Fail(HALINE_OUT_OF_MEMORY, "out of memory for %lld lengths", static_cast<long long>(problem->batch));
  haline_status status = api->Enter("lengths", problem->device, problem->queue, false);
  if (status == HALINE_OK) status = CheckPlace("lengths", Data(lengths), api);
  if (status == HALINE_OK) {
    halide_dimension_t dim = {0, static_cast<int32_t>(count), 1, 0};
    halide_buffer_t buffer = {};
    buffer.type = halide_type_t(halide_type_int, static_cast<uint8_t>(bits));
    buffer.dimensions = 1;
    buffer.dim = &dim;
    buffer.host = static_cast<uint8_t *>(problem->fetched_lengths.get());
    int code = api->Wrap(&buffer, reinterpret_cast<Address>(Data(lengths)));
    buffer.set_device_dirty();
    if (code == 0) code = halide_copy_to_host(nullptr, &buffer);
    if (code == 0) code = halide_device_sync(nullptr, &buffer);
    api->Unwrap(&buffer);
    status = FromHalide(code, "copy of the lengths");
  }
  api->Leave();
  problem->lengths = static_cast<const char *>(problem->fetched_lengths.get());
  return status;
}

haline_status RunOnGpu(const Problem &problem, GpuPass pass, const GpuKernels &kernels) {
  GpuApi *const api = FindGpuApi(kernels.name);
  const bool own = problem.device.type == HALINE_CPU;
  haline_status status = api->Enter("x", problem.device, problem.queue, own);
  if (status == HALINE_OK) {
    status = own ? SendAndRun(problem, pass, api, kernels) : RunPass(problem, pass, api, kernels);
  }
  api->Leave();
  return status;
}

haline_status MergeTilesThere(const Problem &problem, const Tile *tiles, int32_t count) {
  const KernelSet *kernels = nullptr;
  haline_status status = ChooseBackend(problem.backend, -1, &kernels);
  if (status != HALINE_OK) return status;
  GpuApi *const api = FindGpuApi(problem.backend);
  status = api->Enter("mean", problem.device, problem.queue, false);
  if (status == HALINE_OK) status = CheckForGpu(problem, api);
  for (int32_t i = 0; i < count && status == HALINE_OK; i++) {
    status = CheckPlace("means", Data(*tiles[i].mean), api);
    if (status == HALINE_OK) status = CheckPlace("m2s", Data(*tiles[i].m2), api);
  }
  if (status == HALINE_OK) status = MergeOnGpu(problem, tiles, count, api, *kernels->gpu);
  api->Leave();
  return status;
}

}  // namespace haline

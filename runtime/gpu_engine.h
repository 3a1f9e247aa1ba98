// What the GPU's forward and backward pass share: device memory, the caller's tensors as kernels take them, the parts
// that a problem is cut into. Everything is put into the call's queue; nothing waits for it.
#ifndef HALINE_RUNTIME_GPU_ENGINE_H_
#define HALINE_RUNTIME_GPU_ENGINE_H_

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <utility>

#include "error.h"
#include "gpu_api.h"
#include "gpu_kernels.h"
#include "gpu_parts.h"
#include "merge.h"
#include "plan.h"
#include "problem.h"
#include "view.h"

namespace haline {

// The first failure of a call; its message stays in the thread.
struct GpuOutcome {
  haline_status status = HALINE_OK;
  bool failed() const { return status != HALINE_OK; }
  void Keep(haline_status s) {
    if (!failed()) status = s;
  }
};

// Device memory that goes with the object: freed once the kernels before are done with it.
class GpuMemory {
 public:
  GpuMemory() = default;
  GpuMemory(GpuApi *api, int64_t bytes, const char *what, GpuOutcome *outcome);
  GpuMemory(GpuMemory &&other) noexcept { *this = std::move(other); }
  GpuMemory &operator=(GpuMemory &&other) noexcept;
  ~GpuMemory() { Free(); }

  Address address() const { return address_; }
  haline_status ToDevice(const void *from);  // as many bytes of the host's memory; waits
  haline_status ToHost(void *to);

 private:
  void Free();

  GpuApi *api_ = nullptr;
  Address address_ = 0;
  halide_dimension_t dims_[2] = {};
  halide_buffer_t buffer_ = {};
};

// A Halide buffer over device memory that someone else owns.
class GpuView {
 public:
  using Dim = View::Dim;

  // Strides are taken as they are: 0 repeats an element.
  GpuView(GpuApi *api, Address address, halide_type_t type, std::initializer_list<Dim> dims, GpuOutcome *outcome);
  ~GpuView() { api_->Unwrap(&buffer_); }
  GpuView(const GpuView &) = delete;
  GpuView &operator=(const GpuView &) = delete;

  operator halide_buffer_t *() { return &buffer_; }

 private:
  GpuApi *api_;
  halide_dimension_t dims_[6];
  halide_buffer_t buffer_ = {};
};

class GpuEngine {
 public:
  GpuEngine(const Problem &problem, GpuApi *api, const GpuKernels &kernels)
      : problem_(problem), api_(api), kernels_(kernels.elements[static_cast<int>(problem.element)]), all_(kernels) {}

 protected:
  // Numbers of planes in device memory, double: (c, n), both from the part's first on.
  struct Numbers {
    Address address = 0;
    int64_t c_stride = 0, n_stride = 0;
  };

  // A caller's tensor on a part: in place, or, where its planes are more than one loop, in a copy. What kernels leave
  // alone of one that they write to stays as it is.
  class Operand {
   public:
    Operand(GpuEngine *engine, const Array &array, const Part &part);
    operator halide_buffer_t *() { return *view_; }
    // Call after writing.
    void Flush() {
      if (copy_.address()) Copy(true);
    }

   private:
    void Copy(bool back);

    GpuEngine *const engine_;
    const Array array_;
    const Part part_;
    GpuMemory copy_;
    std::optional<GpuView> view_;
  };

  // Makes zeros and ones. Before all else.
  void SetUp();

  // Calls task(part) for parts that make up the problem.
  template <typename F>
  void ForParts(const F &task) {
    const auto [channels, batch] = GpuParts(problem_);
    for (int64_t n = 0; n < problem_.batch; n += batch) {
      for (int64_t c = 0; c < problem_.channels && !outcome_.failed(); c += channels) {
        task(Part{n, std::min(batch, problem_.batch - n), c, std::min(channels, problem_.channels - c),
                  problem_.rows * problem_.length(n)});
      }
    }
  }

  template <typename... Params, typename... Args>
  void Call(const char *name, const Kernel<Params...> &kernel, Args &&...args) {
    if (outcome_.failed()) return;
    const int code = kernel.function(args...);
    if (code != 0) outcome_.Keep(FromHalide(code, name));
  }

  // Room for so many columns of doubles of a part's planes, each column's start aligned for any device.
  GpuMemory Columns(const Part &part, int64_t count) {
    return GpuMemory(api_, ColumnStride(part) * count * 8, "scratch", &outcome_);
  }
  static int64_t ColumnStride(const Part &part) { return (part.planes() + 127) / 128 * 128; }
  GpuView ColumnsView(Address address, const Part &part, int64_t count) {
    return {api_,
            address,
            HalideType(Element::kF64),
            {{part.channels, 1, part.c}, {count, ColumnStride(part)}, {part.batch, part.channels, part.n}},
            &outcome_};
  }
  // (c, which, block, n)
  GpuView Sums(Address address, const Part &part, int64_t count, int64_t blocks) {
    const int64_t stride = ColumnStride(part);
    return {
        api_,
        address,
        HalideType(Element::kF64),
        {{part.channels, 1, part.c}, {count, stride}, {blocks, count * stride}, {part.batch, part.channels, part.n}},
        &outcome_};
  }
  static Numbers Column(Address address, const Part &part, int64_t which) {
    return {address + static_cast<Address>(which * ColumnStride(part) * 8), 1, part.channels};
  }
  GpuView NumbersView(const Numbers &numbers, const Part &part) {
    return {api_,
            numbers.address,
            HalideType(Element::kF64),
            {{part.channels, numbers.c_stride, part.c}, {part.batch, numbers.n_stride, part.n}},
            &outcome_};
  }
  Numbers Zeros() const { return {constants_.address(), 0, 0}; }
  Numbers Ones() const { return {constants_.address() + kConstantBytes, 0, 0}; }

  // The caller's numbers as doubles, in `memory` where they have to be made: times a factor, or as
  // per_plane_generator's form says. Missing ones are `otherwise`.
  Numbers ToDouble(const PerPlane &values, const Part &part, GpuMemory *memory, const Numbers &otherwise);
  void Convert(const PerPlane &from, const Part &part, int form, const Numbers &to);
  // And the way back, into the caller's memory; form 2 is the factor itself.
  void Record(const PerPlane &to, const Part &part, const Numbers &from, double factor, int form = 0);

  // result = the sum of the numbers over the samples; or where there is a momentum, an update of what is there by their
  // mean.
  void AddSamples(const Numbers &numbers, const PerPlane &result, const double *momentum, int64_t samples);

  // Pivots and sums of x; sums has room for two columns a block.
  void Moments(const Part &part, Address pivots, Address sums);
  // What Moments would give of planes with a mean and a variance: form 0 where `value` is that, form 1 where it is
  // rstd.
  void GivenMoments(const Part &part, const PerPlane &value, int form, Address sums);

  // Whether resident kernels can take the part's planes: `tensors` of them and the sums of `terms` in a block's shared
  // memory (generators/resident.h).
  bool Resident(const Part &part, int64_t tensors, int64_t terms) const;

  // coefficients_generator.cpp's columns by one of them, and y, unless the form is kNoResult.
  static constexpr int kNoResult = -1;
  static constexpr int64_t kForwardColumns = 7, kForwardFast = 3;
  void ResidentForward(const Part &part, const Array &y, int form, Address coefficients);

  // Zeros beyond the lengths.
  void FillRows(const Array &array, const Part &part);

  const Array &residual() const { return problem_.residual.data ? problem_.residual : problem_.x; }
  bool has_residual() const { return problem_.residual.data != nullptr; }
  Array Nowhere(int64_t size) const;  // to write to where nothing is wanted

  const Problem &problem_;
  GpuApi *const api_;
  const GpuElementKernels &kernels_;
  const GpuKernels &all_;
  GpuOutcome outcome_;

 private:
  static constexpr int64_t kConstantBytes = 1024;

  // Where a tensor's planes begin and which: all, or, where Halide's indices can't reach all, the part's.
  struct Placed {
    Address address;
    GpuView::Dim c, n;
  };
  Placed Place(const Array &array, const Part &part) const;
  // What copy_generator.cpp takes: the caller's tensor, and a copy of the part (or, without an address, zeros).
  GpuView Loops(const Array &array, const Part &part);
  GpuView LoopsOfCopy(const Array &array, const Part &part, Address copy);
  GpuView PerPlaneView(const PerPlane &values, const Part &part);
  const GpuElementKernels &KernelsOf(Element element) const { return all_.elements[static_cast<int>(element)]; }

  GpuMemory constants_;
};

haline_status MergeOnGpu(const Problem &problem, const Tile *tiles, int32_t count, GpuApi *api,
                         const GpuKernels &kernels);
haline_status GpuForward(const Problem &problem, GpuApi *api, const GpuKernels &kernels);
haline_status GpuBackward(const Problem &problem, GpuApi *api, const GpuKernels &kernels);

}  // namespace haline

#endif  // HALINE_RUNTIME_GPU_ENGINE_H_

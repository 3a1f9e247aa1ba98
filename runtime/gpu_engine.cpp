#include "gpu_engine.h"

#include <cstring>
#include <limits>

namespace haline {
namespace {

constexpr int64_t kRow = 1024;  // bytes, of which columns of numbers are multiples

// generators/resident.h has the same number: small planes of a block. And the bytes of all else that a plane has there.
constexpr int64_t kResidentPlanes = 8, kResidentRest = 512;

halide_type_t BitsType(Element e) { return halide_type_t(halide_type_uint, static_cast<uint8_t>(8 * Size(e))); }

Address AddressOf(const char *data) { return reinterpret_cast<Address>(data); }

}  // namespace

GpuMemory::GpuMemory(GpuApi *api, int64_t bytes, const char *what, GpuOutcome *outcome) {
  if (outcome->failed()) return;
  // Extents are 32 bits wide: units, and where they can be rows of them, are large.
  int64_t unit = 8;
  while (bytes % unit != 0) unit /= 2;
  const int64_t row = bytes % kRow == 0 ? kRow / unit : 1, rows = std::max<int64_t>(bytes / (unit * row), 1);
  dims_[0] = {0, static_cast<int32_t>(row), 1, 0};
  dims_[1] = {0, static_cast<int32_t>(rows), static_cast<int32_t>(row), 0};
  buffer_.type = halide_type_t(halide_type_uint, static_cast<uint8_t>(8 * unit));
  buffer_.dimensions = 2;
  buffer_.dim = dims_;
  const bool countable = rows <= std::numeric_limits<int32_t>::max();
  if (!countable || halide_device_malloc(nullptr, &buffer_, api->interface()) != 0) {
    buffer_.device = 0;
    outcome->Keep(Fail(HALINE_OUT_OF_MEMORY, "out of device memory: %lld bytes of %s wanted%s%s",
                       static_cast<long long>(bytes), what, countable ? ": " : "", countable ? HalideMessage() : ""));
    return;
  }
  api_ = api;
  address_ = api->AddressOf(&buffer_);
  if (address_ == 0) outcome->Keep(Fail(HALINE_INTERNAL, "more device memory in use than a call can name"));
}

GpuMemory &GpuMemory::operator=(GpuMemory &&other) noexcept {
  if (this == &other) return *this;
  Free();
  api_ = std::exchange(other.api_, nullptr);
  address_ = std::exchange(other.address_, 0);
  std::copy(other.dims_, other.dims_ + 2, dims_);
  buffer_ = other.buffer_;
  buffer_.dim = dims_;
  return *this;
}

void GpuMemory::Free() {
  if (!api_) return;
  if (address_) api_->Forget(address_);
  halide_device_free(nullptr, &buffer_);
  api_ = nullptr;
}

haline_status GpuMemory::ToDevice(const void *from) {
  buffer_.host = static_cast<uint8_t *>(const_cast<void *>(from));
  buffer_.set_host_dirty();
  return FromHalide(halide_copy_to_device(nullptr, &buffer_, api_->interface()), "copy to the device");
}

haline_status GpuMemory::ToHost(void *to) {
  buffer_.host = static_cast<uint8_t *>(to);
  buffer_.set_device_dirty();
  const int code = halide_copy_to_host(nullptr, &buffer_);
  return FromHalide(code != 0 ? code : halide_device_sync(nullptr, &buffer_), "copy from the device");
}

GpuView::GpuView(GpuApi *api, Address address, halide_type_t type, std::initializer_list<Dim> dims, GpuOutcome *outcome)
    : api_(api) {
  buffer_.type = type;
  buffer_.dimensions = static_cast<int32_t>(dims.size());
  buffer_.dim = dims_;
  int i = 0;
  for (const Dim &dim : dims) {
    // The stride of a single element does not matter. (The first one's is 1, as some kernels demand.)
    const int64_t stride = dim.extent > 1 ? dim.stride : i == 0 ? 1 : 0;
    dims_[i++] = {static_cast<int32_t>(dim.min), static_cast<int32_t>(dim.extent), static_cast<int32_t>(stride), 0};
  }
  if (outcome->failed()) return;
  // (That the tensors themselves start at such a place was checked: this is a part of one that is indexed part by
  // part.)
  if (api->OffsetOf(address) % api->Alignment() != 0) {
    outcome->Keep(
        Fail(HALINE_UNSUPPORTED,
             "a tensor of more than 2^31 elements found whose planes begin where this device's parts of memory "
             "objects can't, at every %lld bytes",
             static_cast<long long>(api->Alignment())));
    return;
  }
  outcome->Keep(FromHalide(api->Wrap(&buffer_, address), "argument"));
}

void GpuEngine::SetUp() {
  constants_ = GpuMemory(api_, 3 * kConstantBytes, "scratch", &outcome_);
  if (outcome_.failed()) return;
  const Part one{0, 1, 0, 1, 1};
  for (const Numbers &constant : {Zeros(), Ones()}) {
    GpuView view = NumbersView(constant, one);
    Call("per_plane", KernelsOf(Element::kF64).to_double, view, constant.address == Ones().address ? 1.0 : 0.0, 2, 0, 1,
         0, 1, 0, view);
  }
}

GpuEngine::Placed GpuEngine::Place(const Array &array, const Part &part) const {
  if (Indexable(array, {problem_.channels, problem_.batch})) {
    return {AddressOf(array.data), {problem_.channels, array.c_stride}, {problem_.batch, array.n_stride}};
  }
  return {AddressOf(array.plane(part.n, part.c)),
          {part.channels, array.c_stride, part.c},
          {part.batch, array.n_stride, part.n}};
}

GpuView GpuEngine::Loops(const Array &array, const Part &part) {
  const Placed at = Place(array, part);
  const Loop *l = array.loops;  // those past loop_count are of one element
  return {api_,
          at.address,
          BitsType(array.element),
          {{l[0].extent, l[0].stride},
           {l[1].extent, l[1].stride},
           {l[2].extent, l[2].stride},
           {l[3].extent, l[3].stride},
           at.c,
           at.n},
          &outcome_};
}

GpuView GpuEngine::LoopsOfCopy(const Array &array, const Part &part, Address copy) {
  int64_t strides[kMostLoops], stride = copy ? 1 : 0;
  for (int i = 0; i < kMostLoops; i++) strides[i] = std::exchange(stride, stride * array.loops[i].extent);
  const Loop *l = array.loops;
  return {api_,
          copy ? copy : Zeros().address,
          BitsType(array.element),
          {{l[0].extent, strides[0]},
           {l[1].extent, strides[1]},
           {l[2].extent, strides[2]},
           {l[3].extent, strides[3]},
           {part.channels, stride, part.c},
           {part.batch, part.channels * stride, part.n}},
          &outcome_};
}

GpuEngine::Operand::Operand(GpuEngine *engine, const Array &array, const Part &part)
    : engine_(engine), array_(engine->problem_.Valid(array, part.n)), part_(part) {
  if (Direct(array)) {
    const Placed at = engine->Place(array_, part);
    view_.emplace(engine->api_, at.address, HalideType(array.element),
                  std::initializer_list<GpuView::Dim>{{part.size, array_.loops[0].stride}, at.c, at.n},
                  &engine->outcome_);
    return;
  }
  copy_ = GpuMemory(engine->api_, part.planes() * part.size * Size(array.element), "copies of strided planes",
                    &engine->outcome_);
  if (engine->outcome_.failed()) return;
  Copy(false);
  view_.emplace(
      engine->api_, copy_.address(), HalideType(array.element),
      std::initializer_list<GpuView::Dim>{
          {part.size, 1}, {part.channels, part.size, part.c}, {part.batch, part.channels * part.size, part.n}},
      &engine->outcome_);
}

void GpuEngine::Operand::Copy(bool back) {
  GpuView tensor = engine_->Loops(array_, part_), copy = engine_->LoopsOfCopy(array_, part_, copy_.address());
  engine_->Call("copy", engine_->KernelsOf(array_.element).copy, back ? copy : tensor, 0, array_.loops[0].extent,
                part_.c, part_.channels, part_.n, part_.batch, 0, back ? tensor : copy);
}

void GpuEngine::FillRows(const Array &array, const Part &part) {
  const int64_t valid = problem_.length(part.n), extent = array.loops[0].extent;
  if (!array.data || valid == extent) return;
  GpuView zeros = LoopsOfCopy(array, part, 0), tensor = Loops(array, part);
  Call("copy", KernelsOf(array.element).copy, zeros, valid, extent - valid, part.c, part.channels, part.n, part.batch,
       0, tensor);
}

GpuView GpuEngine::PerPlaneView(const PerPlane &values, const Part &part) {
  // By channel, there is a row of them without samples too.
  const int64_t batch = values.n_stride == 0 ? std::max<int64_t>(1, problem_.batch) : problem_.batch;
  const halide_type_t type = HalideType(values.element);
  if (Indexable(values, {problem_.channels, batch})) {
    return {api_,
            AddressOf(values.data),
            type,
            {{problem_.channels, values.c_stride}, {batch, values.n_stride}},
            &outcome_};
  }
  return {api_,
          AddressOf(values.at(part.n, part.c)),
          type,
          {{part.channels, values.c_stride, part.c}, {part.batch, values.n_stride, part.n}},
          &outcome_};
}

GpuEngine::Numbers GpuEngine::ToDouble(const PerPlane &values, const Part &part, GpuMemory *memory,
                                       const Numbers &otherwise) {
  if (!values) return otherwise;
  *memory = Columns(part, 1);
  if (outcome_.failed()) return otherwise;
  const Numbers numbers = Column(memory->address(), part, 0);
  Convert(values, part, 0, numbers);
  return numbers;
}

void GpuEngine::Convert(const PerPlane &from, const Part &part, int form, const Numbers &to) {
  GpuView in = PerPlaneView(from, part), out = NumbersView(to, part);
  Call("to_double", KernelsOf(from.element).to_double, in, 1.0, form, part.c, part.channels, part.n, part.batch, 0,
       out);
}

void GpuEngine::Record(const PerPlane &to, const Part &part, const Numbers &from, double factor, int form) {
  if (!to) return;
  GpuView in = NumbersView(from, part), out = PerPlaneView(to, part);
  Call("from_double", KernelsOf(to.element).from_double, in, factor, form, part.c, part.channels, part.n, part.batch, 0,
       out);
}

void GpuEngine::AddSamples(const Numbers &numbers, const PerPlane &result, const double *momentum, int64_t samples) {
  const Part whole{0, problem_.batch, 0, problem_.channels, 0}, row{0, 1, 0, problem_.channels, 0};
  const GpuMemory sums = Columns(row, 2);
  if (outcome_.failed()) return;
  const Numbers old = Column(sums.address(), row, 0), fresh = Column(sums.address(), row, 1);
  const auto vector = [&](const Numbers &of) {
    return GpuView(api_, of.address, HalideType(Element::kF64), {{problem_.channels, 1}}, &outcome_);
  };
  if (momentum) Convert(result, row, 0, old);
  {
    GpuView values = NumbersView(numbers, whole), from = vector(old), to = vector(fresh);
    Call("samples", kernels_.samples, values, from, momentum ? 1 - *momentum : 0.0, momentum ? *momentum : 0.0,
         static_cast<double>(samples), momentum != nullptr, 0, to);
  }
  Record(result, row, fresh, 1);
}

void GpuEngine::Moments(const Part &part, Address pivots, Address sums) {
  const int64_t blocks = Blocks(part.size);
  Operand x(this, problem_.x, part);
  GpuView pivot = NumbersView({pivots, 1, part.channels}, part), out = Sums(sums, part, 2, blocks);
  Call("pivot", kernels_.pivot, x, 0, pivot);
  Call("moments", part.size < kLarge ? kernels_.moments_small : kernels_.moments_large, x, pivot, 0, out);
}

void GpuEngine::GivenMoments(const Part &part, const PerPlane &value, int form, Address sums) {
  GpuView zero = NumbersView(Column(sums, part, 0), part);
  Call("to_double", KernelsOf(Element::kF64).to_double, zero, 0.0, 2, part.c, part.channels, part.n, part.batch, 0,
       zero);
  Convert(value, part, form, Column(sums, part, 1));
}

bool GpuEngine::Resident(const Part &part, int64_t tensors, int64_t terms) const {
  if (part.size > kBlock) return false;
  // A block for each plane: where channels lie side by side, it would use a few bytes of every line that it reads.
  const bool across = problem_.x.loop_count == 1 && problem_.x.loops[0].stride != 1;
  if (across && part.size >= kLarge) return false;
  const int64_t chunk = Chunk(part.size), chunks = (part.size + chunk - 1) / chunk,
                planes = part.size < kLarge ? kResidentPlanes : 1, math = problem_.element == Element::kF64 ? 8 : 4,
                elements = tensors * part.size * Size(problem_.element), sums = chunks * kLanes * terms * math;
  return planes * (elements + sums + kResidentRest) <= api_->SharedBytes();
}

void GpuEngine::ResidentForward(const Part &part, const Array &result, int form, Address coefficients) {
  GpuMemory scales, shifts;
  Operand x(this, problem_.x, part), r(this, residual(), part), y(this, result, part);
  GpuView scale = NumbersView(ToDouble(problem_.scale, part, &scales, Ones()), part),
          shift = NumbersView(ToDouble(problem_.shift, part, &shifts, Zeros()), part),
          out = ColumnsView(coefficients, part, kForwardColumns);
  Call("resident", part.size < kLarge ? kernels_.resident_small : kernels_.resident_large, x, r, scale, shift,
       has_residual(), problem_.slope, problem_.eps, form, static_cast<int32_t>(part.size), part.c, part.channels,
       part.n, part.batch, 0, y, out);
  y.Flush();
}

Array GpuEngine::Nowhere(int64_t size) const {
  Array nowhere;
  nowhere.element = problem_.element;
  nowhere.data = reinterpret_cast<char *>(constants_.address() + 2 * kConstantBytes);
  nowhere.loops[0] = {size, 0};
  return nowhere;
}

}  // namespace haline

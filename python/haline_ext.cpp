// haline._haline: the C interface for Python. haline/__init__.py is what users see; this takes every argument by its
// place, opens the arrays, and calls the library without the GIL.
#include <nanobind/nanobind.h>

#include <cstring>
#include <string>
#include <vector>

#include "argument.h"
#include "haline/haline.h"

namespace nb = nanobind;

namespace haline_python {
namespace {

// What the library calls otherwise than Python does.
struct Renamed {
  const char *from, *to;
};
constexpr Renamed kForwardNames[] = {
    {"y:", "out:"}, {"given_mean:", "mean:"}, {"given_rstd:", "rstd:"}, {"given_variance:", "variance:"}};
constexpr Renamed kBackwardNames[] = {{"dx:", "out:"}};

// Raises what a status means, with the library's message.
void Check(haline_status status, const Renamed *names = nullptr, size_t name_count = 0, bool moved = false) {
  if (status == HALINE_OK) return;
  std::string message = haline_error_message();
  for (size_t i = 0; i < name_count; i++) {
    if (message.rfind(names[i].from, 0) != 0) continue;
    message.replace(0, std::strlen(names[i].from), names[i].to);
    break;
  }
  if (moved && message.find("shape") != std::string::npos) message += " (shapes with the channel axis moved to 1)";
  PyObject *const type = status == HALINE_OUT_OF_MEMORY ? PyExc_MemoryError
                         : status == HALINE_INTERNAL    ? PyExc_RuntimeError
                                                        : PyExc_ValueError;
  PyErr_SetString(type, message.c_str());
  throw nb::python_error();
}

template <size_t count>
void Check(haline_status status, const Renamed (&names)[count], bool moved) {
  Check(status, names, count, moved);
}

double Number(const char *name, nb::handle value) {
  const double number = PyFloat_AsDouble(value.ptr());
  if (number == -1 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw nb::python_error();
    PyErr_Clear();
    Raise(PyExc_TypeError, "%s: %s found, a number wanted", name, nb::type_name(value.type()).c_str());
  }
  return number;
}

int64_t Integer(const char *name, nb::handle value) {
  const Py_ssize_t number = PyNumber_AsSsize_t(value.ptr(), nullptr);  // beyond its range: the nearest
  if (number == -1 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw nb::python_error();
    PyErr_Clear();
    Raise(PyExc_TypeError, "%s: %s found, an integer wanted", name, nb::type_name(value.type()).c_str());
  }
  return number;
}

const char *Text(const char *name, nb::handle value) {
  if (value.is_none()) return nullptr;
  if (!PyUnicode_Check(value.ptr())) {
    Raise(PyExc_TypeError, "%s: %s found, a str or None wanted", name, nb::type_name(value.type()).c_str());
  }
  const char *const text = PyUnicode_AsUTF8AndSize(value.ptr(), nullptr);
  if (!text) throw nb::python_error();
  return text;
}

haline_activation Activation(nb::handle value) {
  const char *const text = Text("activation", value);
  if (!text) return HALINE_NO_ACTIVATION;
  if (std::strcmp(text, "relu") == 0) return HALINE_RELU;
  if (std::strcmp(text, "leaky_relu") == 0) return HALINE_LEAKY_RELU;
  Raise(PyExc_ValueError, "activation: '%.100s' found, None, 'relu' or 'leaky_relu' wanted", text);
}

// What forward and backward have in common.
struct Common {
  nb::handle eps, channel_axis, activation, negative_slope, residual, lengths, backend;
};

class Call {
 public:
  Call(nb::handle channel_axis, nb::handle backend) : axis_(Integer("channel_axis", channel_axis)) {
    options.backend = Text("backend", backend);
  }
  explicit Call(const Common &from) : Call(from.channel_axis, from.backend) {
    options.eps = Number("eps", from.eps);
    options.activation = Activation(from.activation);
    options.negative_slope = Number("negative_slope", from.negative_slope);
  }

  // x itself, which says what the channel axis is.
  haline_tensor *X(nb::handle object) {
    Argument &x = Open("x", object);
    haline_tensor *const tensor = x.tensor();
    if (!tensor) Raise(PyExc_TypeError, "x: None found, an array wanted");
    rank_ = tensor->ndim;
    if (rank_ < 2) return tensor;  // for the library to refuse
    if (axis_ < -rank_ || axis_ >= rank_) {
      Raise(PyExc_ValueError, "channel_axis: %lld found, %d to %d wanted for x of rank %d",
            static_cast<long long>(axis_), -rank_, rank_ - 1, rank_);
    }
    if (axis_ < 0) axis_ += rank_;
    if (axis_ != 1) x.MoveAxis(axis_);
    return tensor;
  }

  // One of the other large tensors.
  haline_tensor *Like(const char *name, nb::handle object, Access access = Access::kRead) {
    Argument &argument = Open(name, object, access);
    haline_tensor *const tensor = argument.tensor();
    if (tensor && rank_ >= 2 && tensor->ndim == rank_ && axis_ != 1) argument.MoveAxis(axis_);
    return tensor;
  }

  // Scale, statistics and the like.
  haline_tensor *Get(const char *name, nb::handle object, Access access = Access::kRead,
                     Elements elements = Elements::kFloat) {
    return Open(name, object, access, elements).tensor();
  }

  bool moved() const { return rank_ >= 2 && axis_ != 1; }

  haline_options options = HALINE_OPTIONS_INIT;

 private:
  Argument &Open(const char *name, nb::handle object, Access access = Access::kRead,
                 Elements elements = Elements::kFloat) {
    Argument &argument = arguments_[used_++];
    argument.Open(name, object, access, elements);
    return argument;
  }

  int64_t axis_;
  int rank_ = 0, used_ = 0;
  Argument arguments_[13];  // the most that a call has
};

void Forward(nb::handle x, nb::handle scale, nb::handle shift, nb::handle y, nb::handle eps, nb::handle channel_axis,
             nb::handle activation, nb::handle negative_slope, nb::handle residual, nb::handle lengths,
             nb::handle backend, nb::handle mean, nb::handle rstd, nb::handle given_mean, nb::handle given_rstd,
             nb::handle given_variance, nb::handle running_mean, nb::handle running_variance, nb::handle momentum) {
  Call call({eps, channel_axis, activation, negative_slope, residual, lengths, backend});
  haline_options &o = call.options;
  o.momentum = Number("momentum", momentum);
  const haline_tensor *const tx = call.X(x), *const tscale = call.Get("scale", scale),
                             *const tshift = call.Get("shift", shift);
  haline_tensor *const ty = call.Like("out", y, Access::kWrite);
  o.residual = call.Like("residual", residual);
  o.lengths = call.Get("lengths", lengths, Access::kRead, Elements::kLength);
  o.mean = call.Get("mean", mean, Access::kWrite);
  o.rstd = call.Get("rstd", rstd, Access::kWrite);
  o.given_mean = call.Get("mean", given_mean);
  o.given_rstd = call.Get("rstd", given_rstd);
  o.given_variance = call.Get("variance", given_variance);
  o.running_mean = call.Get("running_mean", running_mean, Access::kWrite);
  o.running_variance = call.Get("running_variance", running_variance, Access::kWrite);
  haline_status status;
  {
    nb::gil_scoped_release release;
    status = haline_instance_norm(tx, tscale, tshift, ty, &o);
  }
  Check(status, kForwardNames, call.moved());
}

void Backward(nb::handle x, nb::handle dy, nb::handle scale, nb::handle shift, nb::handle mean, nb::handle rstd,
              nb::handle dx, nb::handle dscale, nb::handle dshift, nb::handle dresidual, nb::handle eps,
              nb::handle channel_axis, nb::handle activation, nb::handle negative_slope, nb::handle residual,
              nb::handle lengths, bool frozen, nb::handle backend) {
  Call call({eps, channel_axis, activation, negative_slope, residual, lengths, backend});
  haline_options &o = call.options;
  o.frozen = frozen;
  const haline_tensor *const tx = call.X(x), *const tdy = call.Like("dy", dy), *const tscale = call.Get("scale", scale),
                             *const tshift = call.Get("shift", shift), *const tmean = call.Get("mean", mean),
                             *const trstd = call.Get("rstd", rstd);
  haline_tensor *const tdx = call.Like("out", dx, Access::kWrite),
                       *const tdscale = call.Get("dscale", dscale, Access::kWrite),
                       *const tdshift = call.Get("dshift", dshift, Access::kWrite);
  o.residual = call.Like("residual", residual);
  o.lengths = call.Get("lengths", lengths, Access::kRead, Elements::kLength);
  o.dresidual = call.Like("dresidual", dresidual, Access::kWrite);
  haline_status status;
  {
    nb::gil_scoped_release release;
    status = haline_instance_norm_backward(tx, tdy, tscale, tshift, tmean, trstd, tdx, tdscale, tdshift, &o);
  }
  Check(status, kBackwardNames, call.moved());
}

// The number of elements of each plane; mean and m2 are written.
int64_t MomentsOf(nb::handle x, nb::handle mean, nb::handle m2, nb::handle channel_axis, nb::handle backend) {
  Call call(channel_axis, backend);
  const haline_tensor *const tx = call.X(x);
  haline_tensor *const tmean = call.Get("mean", mean, Access::kWrite), *const tm2 = call.Get("m2", m2, Access::kWrite);
  int64_t count = 0;
  haline_status status;
  {
    nb::gil_scoped_release release;
    status = haline_moments(tx, &count, tmean, tm2, &call.options);
  }
  Check(status, nullptr, 0, call.moved());
  return count;
}

int64_t Merge(nb::list counts, nb::list means, nb::list m2s, nb::handle mean, nb::handle m2) {
  const size_t tiles = counts.size();
  if (means.size() != tiles || m2s.size() != tiles) Raise(PyExc_ValueError, "tiles: lists of other lengths found");
  std::vector<int64_t> count(tiles);
  std::vector<Argument> arguments(2 * tiles + 2);
  std::vector<const haline_tensor *> tensors(2 * tiles);
  for (size_t i = 0; i < tiles; i++) {
    count[i] = Integer("count", counts[i]);
    arguments[i].Open("mean", means[i]);
    arguments[tiles + i].Open("m2", m2s[i]);
    tensors[i] = arguments[i].tensor();
    tensors[tiles + i] = arguments[tiles + i].tensor();
  }
  arguments[2 * tiles].Open("mean", mean, Access::kWrite);
  arguments[2 * tiles + 1].Open("m2", m2, Access::kWrite);
  int64_t total = 0;
  haline_status status;
  {
    nb::gil_scoped_release release;
    status = haline_merge_moments(static_cast<int32_t>(tiles), count.data(), tensors.data(), tensors.data() + tiles,
                                  &total, arguments[2 * tiles].tensor(), arguments[2 * tiles + 1].tensor(), nullptr);
  }
  Check(status);
  return total;
}

nb::list Backends() {
  nb::list list;
  for (int32_t i = 0; i < haline_backend_count(); i++) {
    haline_backend backend = {};
    backend.size = sizeof(backend);
    Check(haline_backend_at(i, &backend));
    list.append(nb::make_tuple(backend.name, backend.target, backend.built != 0, backend.runs_here != 0, backend.reason,
                               backend.device != HALINE_CPU));
  }
  return list;
}

void SetNumThreads(nb::handle threads) {
  const int64_t count = Integer("threads", threads);
  if (count != static_cast<int32_t>(count)) Raise(PyExc_ValueError, "threads: 0 to 1024 wanted");
  Check(haline_set_num_threads(static_cast<int32_t>(count)));
}

}  // namespace
}  // namespace haline_python

NB_MODULE(_haline, m) {
  using namespace haline_python;  // NOLINT
  LookUp();
  m.doc() = "The C interface of haline; use the functions of haline itself.";
  Define(m, "forward", Forward);
  Define(m, "backward", Backward);
  Define(m, "moments", MomentsOf);
  m.def("merge", Merge,
        nb::sig("def merge(counts: list[int], means: list[object], m2s: list[object], mean: object, m2: object, /) -> "
                "int"));
  m.def("backends", Backends, nb::sig("def backends() -> list[tuple[str, str, bool, bool, str]]"));
  m.def("current_backend", haline_current_backend, nb::sig("def current_backend() -> str | None"));
  m.def("last_target", haline_last_target);
  Define(m, "set_num_threads", SetNumThreads);
  m.def("num_threads", haline_num_threads);
  m.def("version", haline_version);
  DefineMemory(m);
}

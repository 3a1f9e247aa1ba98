// SPDX-License-Identifier: MIT
#include "support/gradient_case.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>

namespace haline::test {
namespace {

constexpr int64_t kGuard = 16;  // elements before and after each result
constexpr unsigned char kGuardByte = 0xb5;

// A tensor in memory of its own: aligned to 64 bytes but for `misaligned` elements, and not a byte longer than it has
// to be, so that AddressSanitizer sees every read past the end.
class Buffer {
 public:
  Buffer(Type type, Shape shape, int64_t guard = 0, int misaligned = 0, bool channels_last = false, int64_t crop = 0)
      : type_(type),
        bytes_each_(static_cast<size_t>(Size(type))),
        shape_(std::move(shape)),
        before_(guard + misaligned),
        count_(Count(shape_)) {
    Shape whole = shape_;
    whole.back() += crop;
    strides_ = channels_last ? ChannelsLast(whole) : Contiguous(whole);
    int64_t span = count_ > 0;  // places from the first element to the last
    for (size_t i = 0; i < shape_.size() && count_ > 0; i++) span += (shape_[i] - 1) * strides_[i];
    bytes_ = static_cast<size_t>(before_ + span + guard) * bytes_each_;
    void *p = nullptr;
    if (posix_memalign(&p, 64, std::max<size_t>(1, bytes_)) != 0) throw std::bad_alloc();
    memory_.reset(static_cast<unsigned char *>(p));
    std::memset(p, kGuardByte, bytes_);
  }

  haline_tensor tensor() {
    haline_tensor t = {};
    t.data = at(0);
    t.device = {HALINE_CPU, 0};
    t.ndim = static_cast<int32_t>(shape_.size());
    t.dtype = DType(type_);
    t.shape = shape_.data();
    t.strides = strides_.data();
    return t;
  }

  Buffer &Fill(const Values &values) {
    if (static_cast<int64_t>(values.size()) != count_) throw std::runtime_error("a case whose values are too few");
    ForEach([&](int64_t i, int64_t position) {
      const uint64_t bits = ToBits(type_, values[static_cast<size_t>(i)]);
      CopyElement(type_, at(position), &bits);  // little-endian, as all that haline runs on
    });
    return *this;
  }

  Bits Read() const {
    Bits bits(static_cast<size_t>(count_));
    ForEach([&](int64_t i, int64_t position) { CopyElement(type_, &bits[static_cast<size_t>(i)], at(position)); });
    return bits;
  }

  // Whether nothing was written around the elements and between them.
  bool Guarded() const {
    std::string rest = Copy();
    ForEach([&](int64_t, int64_t position) {
      const size_t first = static_cast<size_t>(before_ + position) * bytes_each_;
      rest.replace(first, bytes_each_, bytes_each_, static_cast<char>(kGuardByte));
    });
    return rest.find_first_not_of(static_cast<char>(kGuardByte)) == std::string::npos;
  }

  std::string Copy() const { return {reinterpret_cast<const char *>(memory_.get()), bytes_}; }

 private:
  struct Free {
    void operator()(unsigned char *p) const { std::free(p); }
  };

  unsigned char *at(int64_t i) const { return memory_.get() + static_cast<size_t>(before_ + i) * bytes_each_; }
  // Visits the elements in the order of the shape: which one, and where it lies in memory.
  template <typename F>
  void ForEach(F visit) const {
    Shape index(shape_.size(), 0);
    for (int64_t i = 0, position = 0; i < count_; i++) {
      visit(i, position);
      for (size_t d = shape_.size(); d-- > 0;) {
        position += strides_[d];
        if (++index[d] < shape_[d]) break;
        position -= shape_[d] * strides_[d];
        index[d] = 0;
      }
    }
  }

  Type type_;
  size_t bytes_each_;
  Shape shape_, strides_;
  int64_t before_, count_;
  size_t bytes_ = 0;
  std::unique_ptr<unsigned char[], Free> memory_;
};

void Try(haline_status status) {
  if (status != HALINE_OK) throw std::runtime_error(haline_error_message());
}

// Inputs that a call has to leave alone.
class Untouched {
 public:
  void Keep(const char *name, const Buffer &buffer) { kept_.push_back({name, &buffer, buffer.Copy()}); }
  void Check() const {
    for (const auto &[name, buffer, copy] : kept_) {
      if (buffer->Copy() != copy) throw std::runtime_error(std::string(name) + " was written to");
    }
  }

 private:
  struct Kept {
    const char *name;
    const Buffer *buffer;
    std::string copy;
  };
  std::vector<Kept> kept_;
};

}  // namespace

std::string Describe(const GradientCase &c) {
  std::ostringstream text;
  text << c.data << ' ' << Name(c.type) << " [";
  for (size_t i = 0; i < c.shape.size(); i++) text << (i ? ", " : "") << c.shape[i];
  text << "] eps " << c.eps << " parameters " << Name(c.parameters) << " statistics " << Name(c.statistics);
  if (!c.scale.empty()) text << " scale " << c.scale[0];
  if (!c.shift.empty()) text << " shift " << c.shift[0];
  if (c.by_sample) text << " by sample";
  if (!c.residual.empty()) text << " residual";
  if (c.frozen()) text << " frozen of " << c.mean.size();
  if (c.activation != HALINE_NO_ACTIVATION) text << " slope " << c.slope();
  for (size_t i = 0; i < c.lengths.size(); i++) text << (i ? ", " : " lengths ") << c.lengths[i];
  text << " gives" << (c.want_dx ? " dx" : "") << (c.want_dscale ? " dscale" : "") << (c.want_dshift ? " dshift" : "")
       << (c.want_dresidual ? " dresidual" : "") << (c.sums_by_sample ? " by sample" : "");
  if (c.place != Place::kOwn) text << (c.place == Place::kOverX ? " over x" : " over dy");
  if (c.misaligned) text << " misaligned " << c.misaligned;
  if (c.channels_last) text << " channels last";
  if (c.crop > 0) text << " crop of " << c.crop << " columns more";
  return text.str();
}

GradientResult Run(const GradientCase &c, const std::string &backend) {
  const auto like_x = [&](int64_t guard, int more = 0) {
    return Buffer(c.type, c.shape, guard, c.misaligned + more, c.channels_last, c.crop);
  };
  const Shape by_channel = {c.channels()}, by_plane = {c.batch(), c.channels()}, samples = {c.batch()};
  const auto per_plane = [&](Type type, bool planes, int64_t guard) {
    return Buffer(type, planes ? by_plane : by_channel, guard);
  };
  Buffer x = like_x(c.place == Place::kOverX ? kGuard : 0), dy = like_x(c.place == Place::kOverDy ? kGuard : 0),
         residual = like_x(0), y = like_x(kGuard), own_dx = like_x(kGuard),
         dresidual = like_x(kGuard, c.misaligned > 0 ? 3 : 0), scale = per_plane(c.parameters, c.by_sample, 0),
         shift = per_plane(c.parameters, c.by_sample, 0), dscale = per_plane(c.parameters, c.sums_by_sample, kGuard),
         dshift = per_plane(c.parameters, c.sums_by_sample, kGuard);
  const bool planes_given = !c.frozen() || static_cast<int64_t>(c.mean.size()) != c.channels();
  Buffer mean = per_plane(c.statistics, planes_given, kGuard), rstd = per_plane(c.statistics, planes_given, kGuard);
  Buffer lengths(Type::kI64, samples);

  Untouched untouched;
  if (c.place != Place::kOverX)
    untouched.Keep("x", x.Fill(c.x));
  else
    x.Fill(c.x);
  dy.Fill(c.dy);
  haline_options options = HALINE_OPTIONS_INIT;
  options.eps = c.eps;
  options.backend = backend.c_str();
  options.activation = c.activation;
  options.negative_slope = c.negative_slope;
  const haline_tensor tx = x.tensor(), tdy = dy.tensor(), tscale = scale.tensor(), tshift = shift.tensor(),
                      tresidual = residual.tensor(), tlengths = lengths.tensor();
  haline_tensor ty = y.tensor(), tmean = mean.tensor(), trstd = rstd.tensor();
  const haline_tensor *const scale_or_null = c.scale.empty() ? nullptr : &tscale;
  const haline_tensor *const shift_or_null = c.shift.empty() ? nullptr : &tshift;
  if (scale_or_null) untouched.Keep("scale", scale.Fill(c.scale));
  if (shift_or_null) untouched.Keep("shift", shift.Fill(c.shift));
  if (!c.residual.empty()) {
    untouched.Keep("residual", residual.Fill(c.residual));
    options.residual = &tresidual;
  }
  if (!c.lengths.empty()) {
    untouched.Keep("lengths", lengths.Fill({c.lengths.begin(), c.lengths.end()}));
    options.lengths = &tlengths;
  }

  haline_options training = options;
  if (c.frozen()) {
    untouched.Keep("given_mean", mean.Fill(c.mean));
    untouched.Keep("given_rstd", rstd.Fill(c.rstd));
    training.given_mean = &tmean;
    training.given_rstd = &trstd;
  } else {
    training.mean = &tmean;
    training.rstd = &trstd;
  }
  Try(haline_instance_norm(&tx, scale_or_null, shift_or_null, &ty, &training));

  if (!c.frozen()) {
    untouched.Keep("mean", mean);
    untouched.Keep("rstd", rstd);
  }
  if (c.place != Place::kOverDy) untouched.Keep("dy", dy);
  Buffer &dx = c.place == Place::kOverX ? x : c.place == Place::kOverDy ? dy : own_dx;
  haline_tensor tdx = dx.tensor(), tdscale = dscale.tensor(), tdshift = dshift.tensor(),
                tdresidual = dresidual.tensor();
  options.frozen = c.frozen();
  options.dresidual = c.want_dresidual ? &tdresidual : nullptr;
  Try(haline_instance_norm_backward(&tx, &tdy, scale_or_null, shift_or_null, &tmean, &trstd, c.want_dx ? &tdx : nullptr,
                                    c.want_dscale ? &tdscale : nullptr, c.want_dshift ? &tdshift : nullptr, &options));
  untouched.Check();
  for (const Buffer *buffer : {&x, &dy, &y, &own_dx, &dresidual, &dscale, &dshift, &mean, &rstd}) {
    if (!buffer->Guarded()) throw std::runtime_error("memory around a result was written to");
  }
  const auto read = [](bool wanted, const Buffer &buffer) { return wanted ? buffer.Read() : Bits(); };
  return {read(c.want_dx, dx), read(c.want_dresidual, dresidual), read(c.want_dscale, dscale),
          read(c.want_dshift, dshift), y.Read()};
}

}  // namespace haline::test

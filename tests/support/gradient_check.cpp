// Backward results against the oracle.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <sstream>

#include "reference/tolerance.h"
#include "support/gradient_case.h"

namespace haline::test {
namespace {

// The largest error among values that have one unit, and where it is.
template <typename Wide>
class Worst {
 public:
  Worst(const char *name, Type type, Wide largest) : name_(name), type_(type), largest_(largest) {
    const Wide finite = FromBits(type, ToBits(type, HUGE_VAL) - 1);
    infinite_ = (finite + Ulp(type, finite) / 2) * (1 - 2 * oracle::kBackward);
  }

  void Add(uint64_t bits, Wide exact, int64_t at) {
    const double found = FromBits(type_, bits);
    const Wide rounding = Size(type_) == 2 ? Ulp(type_, exact) / 2 : 0;  // of wider types part of the tolerance
    const double error = oracle::BackwardError<Wide>(found, exact, largest_, rounding, infinite_);
    if (!(error <= error_)) {
      error_ = error;
      found_ = found;
      exact_ = exact;
      at_ = at;
    }
  }

  std::string Wrong(double tolerance) const {
    if (error_ <= tolerance) return "";
    std::ostringstream text;
    text << name_ << " at " << at_ << ": error " << error_ << " > " << tolerance << ": " << found_ << ", exact "
         << static_cast<double>(exact_) << ", largest " << static_cast<double>(largest_);
    return text.str();
  }

 private:
  const char *name_;
  Type type_;
  Wide largest_, infinite_ = 0;  // what is stored as an infinity
  double error_ = 0, found_ = 0;
  Wide exact_ = 0;
  int64_t at_ = 0;
};

template <typename Wide>
Wide Largest(const std::vector<Wide> &values) {
  Wide largest = 0;
  for (const Wide v : values) {
    if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
  }
  return largest;
}

template <typename Wide>
std::vector<Wide> ValidPart(const GradientCase &c, const Values &values, int64_t plane) {
  std::vector<Wide> part;
  if (values.empty()) return part;
  const int64_t size = c.size();
  part.reserve(static_cast<size_t>(size));
  for (int64_t s = 0; s < size; s++) {
    if (c.valid(plane, s)) part.push_back(values[static_cast<size_t>(plane * size + s)]);
  }
  return part;
}

// A plane of dx or of dresidual: the exact values where they count, zeros beyond.
template <typename Wide>
std::string WrongPlane(const char *name, const GradientCase &c, const Bits &found, int64_t plane,
                       const std::vector<Wide> &exact, double tolerance) {
  if (found.empty()) return "";
  Worst<Wide> worst(name, c.type, Largest(exact));
  const int64_t size = c.size();
  size_t next = 0;
  for (int64_t s = 0; s < size; s++) {
    const uint64_t bits = found[static_cast<size_t>(plane * size + s)];
    if (c.valid(plane, s)) {
      worst.Add(bits, exact[next++], plane * size + s);
    } else if (bits != 0) {
      return std::string(name) + " is not 0 beyond the length, at " + std::to_string(plane * size + s);
    }
  }
  return worst.Wrong(tolerance);
}

template <typename Wide>
std::string WrongSums(const char *name, const GradientCase &c, const Bits &found, const std::vector<Wide> &by_plane,
                      double tolerance) {
  if (found.empty()) return "";
  std::vector<Wide> exact(by_plane);
  if (!c.sums_by_sample) {
    exact.assign(static_cast<size_t>(c.channels()), 0);
    for (size_t p = 0; p < by_plane.size(); p++) exact[p % exact.size()] += by_plane[p];
  }
  if (found.size() != exact.size()) return std::string(name) + " has not its elements";
  // Each term was rounded: what that adds up to grows with their number, though the terms themselves may cancel.
  const auto terms = static_cast<Wide>(c.size() * (c.sums_by_sample ? 1 : c.batch()));
  Worst<Wide> worst(name, c.parameters, std::max(Largest(exact), std::sqrt(terms / 512)));
  for (size_t i = 0; i < exact.size(); i++) worst.Add(found[i], exact[i], static_cast<int64_t>(i));
  return worst.Wrong(tolerance);
}

// What the oracle's function `of` says of a plane.
template <typename Wide, typename Of>
auto Exact(const GradientCase &c, int64_t plane, Of of) {
  const std::vector<Wide> x = ValidPart<Wide>(c, c.x, plane), dy = ValidPart<Wide>(c, c.dy, plane),
                          residual = ValidPart<Wide>(c, c.residual, plane);
  oracle::PlaneProblemIn<Wide> p;
  p.size = static_cast<int64_t>(x.size());
  p.x = x.data();
  p.dy = dy.data();
  p.residual = c.residual.empty() ? nullptr : residual.data();
  p.scale = c.of_plane(c.scale, plane, 1);
  p.shift = c.of_plane(c.shift, plane, 0);
  p.slope = c.slope();
  p.eps = c.eps;
  p.frozen = c.frozen();
  p.mean = c.of_plane(c.mean, plane, 0);
  p.rstd = c.of_plane(c.rstd, plane, 0);
  return of(p);
}

template <typename Wide>
void SettleIn(GradientCase *c) {
  const int64_t size = c->size();
  for (int64_t plane = 0; plane < c->planes(); plane++) {
    const std::vector<Wide> z = Exact<Wide>(*c, plane, oracle::Forward<Wide>).z;
    const Wide near = 8 * oracle::kForward *
                      (1 + std::fabs(c->of_plane(c->scale, plane, 1)) + std::fabs(c->of_plane(c->shift, plane, 0)));
    size_t next = 0;
    for (int64_t s = 0; s < size; s++) {
      if (!c->valid(plane, s)) continue;
      const Wide at = z[next++];
      if (at != 0 && std::fabs(at) < near) c->dy[static_cast<size_t>(plane * size + s)] = 0;
    }
  }
}

template <typename Wide>
std::string WrongIn(const GradientCase &c, const GradientResult &result, double tolerance) {
  std::vector<Wide> dscale, dshift;
  for (int64_t plane = 0; plane < c.planes(); plane++) {
    const oracle::PlaneGradientIn<Wide> exact = Exact<Wide>(c, plane, oracle::Differentiate<Wide>);
    for (const std::string &wrong : {WrongPlane("dx", c, result.dx, plane, exact.dx, tolerance),
                                     WrongPlane("dresidual", c, result.dresidual, plane, exact.dresidual, tolerance)}) {
      if (!wrong.empty()) return wrong;
    }
    dscale.push_back(exact.dscale);
    dshift.push_back(exact.dshift);
  }
  const std::string wrong = WrongSums("dscale", c, result.dscale, dscale, tolerance);
  return wrong.empty() ? WrongSums("dshift", c, result.dshift, dshift, tolerance) : wrong;
}

}  // namespace

void Settle(GradientCase *c) {
  if (c->activation == HALINE_NO_ACTIVATION) return;
  InWide(c->type, [&](auto zero) { SettleIn<decltype(zero)>(c); });
}

std::string Wrong(const GradientCase &c, const GradientResult &result, double tolerance) {
  return InWide(c.type, [&](auto zero) { return WrongIn<decltype(zero)>(c, result, tolerance); });
}

}  // namespace haline::test

// SPDX-License-Identifier: MIT
#include "support/form.h"

#include <limits>
#include <sstream>

namespace haline::test {

namespace {

double Tolerance(Type type) { return type == Type::kF64 ? 1e-14 : oracle::kForward; }

}  // namespace

int64_t Form::size() const {
  int64_t size = 1;
  for (size_t i = 2; i < x->shape().size(); i++) size *= x->shape()[i];
  return size;
}

double Form::slope() const {
  return activation == HALINE_RELU ? 0 : activation == HALINE_LEAKY_RELU ? negative_slope : 1;
}

bool Form::valid(int64_t i) const {
  if (!lengths) return true;
  return static_cast<double>(i % extent()) < lengths->Get(i / (size() * x->shape()[1]));
}

double Form::Of(const Typed *values, int64_t plane, double otherwise) const {
  if (!values) return otherwise;
  return values->Get(values->shape().size() == 1 ? plane % x->shape()[1] : plane);
}

std::string Describe(const Form &form) {
  std::ostringstream text;
  text << form.data << ' ' << Name(form.x->type()) << ' ' << Text(form.x->shape());
  if (form.x->t()->strides)
    text << " strides " << Text({form.x->t()->strides, form.x->t()->strides + form.x->t()->ndim});
  text << " eps " << form.eps;
  const auto add = [&](const char *name, const Typed *tensor) {
    if (!tensor) return;
    text << ' ' << name << ' ' << Name(tensor->type());
    if (tensor->shape() != form.x->shape()) text << Text(tensor->shape());
    if (tensor->t()->strides)
      text << " strides " << Text({tensor->t()->strides, tensor->t()->strides + tensor->t()->ndim});
    if (tensor->shape().size() == 1 && tensor->count() > 0) text << " from " << tensor->Get(0);
  };
  add("scale", form.scale);
  add("shift", form.shift);
  add("residual", form.residual);
  add("lengths", form.lengths);
  add("given mean", form.given_mean);
  add("given rstd", form.given_rstd);
  add("given variance", form.given_variance);
  add("mean", form.mean);
  add("rstd", form.rstd);
  add("running mean", form.running_mean);
  add("running variance", form.running_variance);
  if (form.activation) text << " slope " << form.slope();
  if (form.running_mean || form.running_variance) text << " momentum " << form.momentum;
  return text.str();
}

haline_options Options(const Form &form) {
  const auto in = [](const Typed *tensor) { return tensor ? tensor->t() : nullptr; };
  const auto out = [](Typed *tensor) { return tensor ? tensor->t() : nullptr; };
  haline_options options = HALINE_OPTIONS_INIT;
  options.eps = form.eps;
  options.activation = form.activation;
  options.negative_slope = form.negative_slope;
  options.residual = in(form.residual);
  options.lengths = in(form.lengths);
  options.given_mean = in(form.given_mean);
  options.given_rstd = in(form.given_rstd);
  options.given_variance = in(form.given_variance);
  options.mean = out(form.mean);
  options.rstd = out(form.rstd);
  options.running_mean = out(form.running_mean);
  options.running_variance = out(form.running_variance);
  options.momentum = form.momentum;
  return options;
}

template <typename Wide>
Statistics<Wide> Exactly(const Form &form, int64_t plane) {
  const Wide nan = std::numeric_limits<Wide>::quiet_NaN();
  Statistics<Wide> result;
  if (form.given_mean) {
    result.mean = form.Of(form.given_mean, plane, 0);
    result.variance = form.Of(form.given_variance, plane, 0);
    result.rstd = form.given_rstd ? form.Of(form.given_rstd, plane, 0) : oracle::Rstd(result.variance, form.eps);
    return result;
  }
  std::vector<double> values;
  bool finite = true;
  for (int64_t i = plane * form.size(); i < (plane + 1) * form.size(); i++) {
    if (!form.valid(i)) continue;
    values.push_back(form.x->Get(i));
    finite = finite && std::isfinite(values.back());
  }
  result.count = static_cast<int64_t>(values.size());
  if (values.empty()) return result;
  if (!finite) return {nan, nan, nan, result.count};
  const auto moments = oracle::PlaneMoments<Wide>(values.data(), result.count);
  return {moments.mean, moments.variance, oracle::Rstd(moments.variance, form.eps), result.count};
}

template Statistics<oracle::Widest> Exactly(const Form &form, int64_t plane);

Typed FormTest::Run(const Form &form) {
  Typed y(form.x->type(), form.x->shape());
  Run(form, &y);
  return y;
}

bool FormTest::Run(const Form &form, Typed *y, const std::string &how) {
  haline_options options = Options(form);
  options.backend = backend().c_str();
  const std::string what = Describe(form) + how;
  const bool over_x = y == form.x, over_residual = y == form.residual;
  const std::string x = over_x ? "" : form.x->bytes(), residual = form.residual ? form.residual->bytes() : "";
  const haline_status status = haline_instance_norm(form.x->t(), form.scale ? form.scale->t() : nullptr,
                                                    form.shift ? form.shift->t() : nullptr, y->t(), &options);
  if (status != HALINE_OK) {
    ADD_FAILURE() << what << ": " << haline_error_message();
    return false;
  }
  if (form.x->count() == 0) {
    EXPECT_STREQ(haline_last_target(), "") << what;
    CountCase(backend(), what + (over_x ? " in place" : ""));
  } else {
    Ran(what + (over_x ? " in place" : over_residual ? " over the residual" : ""));
  }
  if (!over_x && form.x->bytes() != x) ADD_FAILURE() << what << ": x was written to";
  if (form.residual && !over_residual && form.residual->bytes() != residual) {
    ADD_FAILURE() << what << ": the residual was written to";
  }
  for (const Typed *out :
       {static_cast<const Typed *>(y), static_cast<const Typed *>(form.mean), static_cast<const Typed *>(form.rstd),
        static_cast<const Typed *>(form.running_mean), static_cast<const Typed *>(form.running_variance)}) {
    if (out && !out->RestUntouched()) ADD_FAILURE() << what << ": memory around a result was written to";
  }
  return true;
}

void FormTest::Ran(const std::string &what) {
  EXPECT_TRUE(IsTargetOf(haline_last_target(), backend()))
      << what << ": ran on " << haline_last_target() << ", wanted " << backend();
  CountCase(backend(), what);
}

double FormTest::Check(const Form &form, const Typed &y) {
  return InWide(form.x->type(), [&](auto zero) { return CheckIn<decltype(zero)>(form, y); });
}

template <typename Wide>
double FormTest::CheckIn(const Form &form, const Typed &y) {
  const Type type = form.x->type();
  double worst = 0;
  bool failed = false;
  for (int64_t plane = 0; plane < form.planes(); plane++) {
    const Statistics<Wide> statistics = Exactly<Wide>(form, plane);
    const Wide scale = form.Of(form.scale, plane, 1), shift = form.Of(form.shift, plane, 0);
    for (int64_t i = plane * form.size(); i < (plane + 1) * form.size() && !failed; i++) {
      if (!form.valid(i)) {
        if (y.Bits(i) != 0) {
          ADD_FAILURE() << Describe(form) << ": 0 wanted beyond the length at " << i << ", " << y.Get(i) << " found";
          failed = true;
        }
        continue;
      }
      const Wide norm = (form.x->Get(i) - statistics.mean) * (statistics.rstd * scale) + shift;
      const Wide z = norm + (form.residual ? static_cast<Wide>(form.residual->Get(i)) : 0);
      const Wide exact = z > 0 || std::isnan(z) || form.slope() == 1 ? z : form.slope() == 0 ? 0 : z * form.slope();
      const Wide unit = std::max({Wide{1}, std::fabs(exact), std::fabs(scale)});
      const Wide at_most = form.residual ? std::max(unit, std::fabs(norm)) : unit;
      Wide allowed = Tolerance(type) * at_most * std::max(1.0, std::fabs(form.slope()));
      if (Size(type) == 2) allowed += 0.51L * Ulp(type, exact);
      const double found = y.Get(i), nearest = FromBits(type, ToBits(type, static_cast<double>(exact)));
      bool right;
      if (std::isnan(exact)) {
        right = y.Bits(i) == OneNan(type);
      } else if (std::isinf(found) || std::isinf(nearest)) {
        right = found == nearest;
      } else {
        right = std::fabs(found - exact) <= allowed;
        worst = std::max(worst, static_cast<double>(std::fabs(found - exact) / allowed));
      }
      if (!right) {
        ADD_FAILURE() << Describe(form) << ": element " << i % form.size() << " of plane " << plane << ": x "
                      << form.x->Get(i) << ", y " << found << ", exact " << static_cast<double>(exact) << ", off by "
                      << static_cast<double>(std::fabs(found - exact) / allowed) << " of what is allowed";
        failed = true;
      }
    }
  }
  return worst;
}

void FormTest::CheckStatistics(const Form &form) {
  InWide(form.x->type(), [&](auto zero) { CheckStatisticsIn<decltype(zero)>(form); });
}

template <typename Wide>
void FormTest::CheckStatisticsIn(const Form &form) {
  for (int64_t plane = 0; plane < form.planes(); plane++) {
    const Statistics<Wide> exact = Exactly<Wide>(form, plane);
    for (const Typed *values : {form.mean, form.rstd}) {
      if (!values) continue;
      const bool is_mean = values == form.mean;
      const Wide wanted = is_mean ? exact.mean : exact.rstd;
      const Wide deviation = std::sqrt(exact.variance);
      // What the sums' rounding leaves (docs/numerics.md), and one rounding of the result.
      Wide allowed = Ulp(values->type(), wanted);
      allowed += (form.x->type() == Type::kF64 ? 1e-14L : 3e-7L) * (is_mean ? deviation : wanted);
      allowed += 1e-14L * std::fabs(wanted);
      const double found = values->Get(plane);
      if (std::isnan(wanted) ? !std::isnan(found) : !(std::fabs(found - wanted) <= allowed)) {
        ADD_FAILURE() << Describe(form) << ": " << (is_mean ? "mean" : "rstd") << " of plane " << plane << ": " << found
                      << ", exact " << static_cast<double>(wanted);
        return;
      }
    }
  }
}

}  // namespace haline::test

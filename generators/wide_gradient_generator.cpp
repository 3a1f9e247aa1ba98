// The gradient of whole planes in double: for the tiny planes (`lanes` = 1) and those that float sums can't do justice
// (`lanes` = 16), see wide.h. The formulas are those of gradient_coefficients_generator.cpp.
#include <limits>

#include "activation.h"
#include "estimates.h"
#include "mean_of.h"
#include "tiny_last.h"
#include "turn_halves.h"
#include "turn_pairs.h"
#include "wide_schedule.h"

namespace haline {
using namespace Halide;

class WideGradient : public KernelGenerator<WideGradient> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> lanes{"lanes", 1};  // 1 or 16; part of the result's definition
  GeneratorParam<Layout> layout{"layout", Layout::kPlanes, kLayouts};
  GeneratorParam<bool> few{"few", false};  // lanes = 1: planes of few elements, see WideSchedule::AcrossPlanes
  GeneratorParam<int> batch{"batch", 4};   // schedule, lanes = 1: vectors of planes of a step

  Input<Buffer<void, 3>> x{"x"};                // (s, c, n), as `layout` says; lanes = 16: at least 16 elements
  Input<Buffer<void, 3>> dy{"dy"};              // as x
  Input<Buffer<void, 3>> residual{"residual"};  // as x; x itself where there is none
  Input<Buffer<void, 2>> scale{"scale"};        // (c, n)
  Input<Buffer<void, 2>> shift{"shift"};        // (c, n)
  Input<Buffer<double, 2>> mean{"mean"};        // (c, n), as the forward pass returned it
  Input<Buffer<double, 2>> rstd{"rstd"};        // (c, n)
  Input<bool> has_residual{"has_residual"};
  Input<double> slope{"slope"};
  Input<bool> frozen{"frozen"};
  Input<bool> only_g{"only_g"};            // dx is to be g alone, the gradient of the residual
  Output<Buffer<void, 3>> dx{"dx"};        // as x; may be x, dy or residual
  Output<Buffer<double, 3>> sums{"sums"};  // (c, {dshift, dscale}, n)

  // GPUs: the planes that the float kernels leave, or none. Processors, lanes = 1: mean and rstd are read from the
  // float buffers instead where `narrow` is true; where `adds` is, numbers are added to what sums has, sample by
  // sample.
  void configure() {
    AddInputs(2);
    if (!tiny()) return;
    for (const char *name : {"narrow_mean", "narrow_rstd"}) narrow_.push_back(add_input<Buffer<float, 2>>(name));
    is_narrow_ = add_input<bool>("narrow");
    adds_ = add_input<bool>("adds");
  }

  void generate() {
    const bool rescaled = element == Element::kF64;
    const Expr size = x.dim(0).extent();
    const Expr wanted = NotFast(c, n);
    const Expr count = cast<double>(size);
    const bool fuses = tiny() && Masks() && MeanOf::Fuses(element, get_target());
    const MeanOf mean_of(count, fuses, tiny() ? PowerOfTwo() : Expr());
    // (Bounds inference does not see that a batch of planes ends with the last.)
    const bool across = !gpu() && lanes == 1 && layout == Layout::kPlanes;
    const bool batches = across || (!gpu() && layout == Layout::kLast);
    const Expr p = batches ? unsafe_promise_clamped(c, dx.dim(1).min(), dx.dim(1).max()) : Expr(c);
    const Expr plane = batches ? p : Plane(c);
    const auto of_plane = [&](auto &f) { return cast<double>(f(plane, n)); };
    const auto stored = [&](const Expr &v) { return (across ? LoadTurned : Load)(v, element, get_target()); };
    const auto as_it_is = [](const Expr &v) { return v; };
    if (tiny()) {
      const auto either = [&](int i, auto &f) {
        return select(*is_narrow_, cast<double>((*narrow_[i])(plane, n)), f(plane, n));
      };
      statistics(c, n) = Tuple(either(0, mean), either(1, rstd));
    } else {
      statistics(c, n) = Tuple(of_plane(mean), of_plane(rstd));
    }
    const Expr given = statistics(c, n)[0], deviation = statistics(c, n)[1];
    const auto in = [=, this](Input<Buffer<void, 3>> &f) {
      return [=, this, &f](const Expr &i) { return f(i, plane, n); };
    };
    x_turn.In(in(x), stored, [&](const Expr &v) { return rescaled ? v : v - given; });
    dy_turn.In(in(dy), stored, as_it_is);
    residual_turn.In(in(residual), stored, as_it_is);

    Expr factor = cast<double>(1);
    if (rescaled) {
      plane_scale =
          std::make_unique<PlaneScale>([&](const Expr &i) { return x_turn.tile(c, i, n); }, size, c, n, wanted);
      factor = plane_scale->factor;
    }
    const auto d = [&](const Expr &i) {
      const Expr e = x_turn.tile(c, i, n);
      return rescaled ? e * factor - given * factor : e;
    };
    const bool compensated = rescaled && lanes > 1;
    offsets = std::make_unique<PlaneSum>(
        "offsets", [&](const Expr &i) { return Exprs{d(i)}; }, size, lanes, compensated, c, n, wanted);
    // (Of a mean that is given as a double the offsets' sum may be infinite. The other sums are looked at below.)
    const Expr center = mean_of(offsets->Total(c, n)[0], true);
    normal(c, n) = Tuple(select(frozen, 0, center), deviation / factor, of_plane(scale), of_plane(shift));

    // g and xhat of an element, given what its d, dy and residual are and the numbers of its plane.
    const auto gradient = [&](const Exprs &element, const Exprs &plane) {
      const Expr xhat = (element[0] - plane[0]) * plane[1];
      const Expr norm = xhat * plane[2] + plane[3];
      const Expr z = select(has_residual, norm + element[2], norm);
      return Exprs{select(slope == 1, element[1], ActivateGradient(z, slope, element[1])), xhat};
    };
    totals = std::make_unique<PlaneSum>(
        "totals",
        [&](const Expr &i) {
          const Exprs at = gradient({d(i), dy_turn.tile(c, i, n), residual_turn.tile(c, i, n)}, Values(normal, {c, n}));
          return Exprs{at[0], at[0] * at[1]};
        },
        size, lanes, compensated, c, n, wanted);
    const Exprs total = totals->Total(c, n);
    // Where a sum is not finite, no element of dx is a number.
    const Expr limit = Expr(std::numeric_limits<double>::max());  // Halide's own max is infinity
    const auto share = [&](const Expr &sum) {
      const Expr finite =
          tiny() ? total[0] - total[0] == total[1] - total[1] : abs(total[0]) <= limit && abs(total[1]) <= limit;
      return select(frozen, 0, finite, mean_of(sum), Expr(std::numeric_limits<double>::quiet_NaN()));
    };
    Exprs values = {total[0], total[1], share(total[0]), share(total[1]), of_plane(scale) * deviation};
    if (batches) {
      for (const Expr &e : Values(normal, {c, n})) values.push_back(e);
      if (rescaled) values.push_back(factor);
    }
    means(c, n) = Tuple(values);

    const Exprs all = Values(means, {p, n});
    Expr offset = x_turn.tile(p, s, n);
    if (rescaled) {
      const Expr by = batches ? all[9] : factor;
      offset = offset * by - statistics(p, n)[0] * by;
    }
    const Exprs at = gradient({offset, dy_turn.tile(p, s, n), residual_turn.tile(p, s, n)},
                              batches ? Exprs(all.begin() + 5, all.end()) : Values(normal, {c, n}));
    const Expr result =
        Store(select(only_g, at[0], all[4] * ((at[0] - all[2]) - at[1] * all[3])), element, get_target(), true);
    result_turn.turned(c, s, n) = result;
    Define(dx, {s, c, n}, result_turn.Out(), {{s, 0, size}}, c, n, wanted);
    const Exprs numbers = {means(p, n)[0], means(p, n)[1]};
    if (tiny()) {
      DefineKept(sums, c, n, numbers, *adds_);
    } else {
      DefineNumbers(sums, which, 2, OneNan(mux(which, numbers)), c, n, wanted);
    }
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this, lanes == 1);
    sums.dim(1).set_bounds(0, 2);
    if (!tiny()) sums.bound(which, 0, 2);
    for (Input<Buffer<void, 3>> *f : {&x, &dy, &residual}) f->dim(0).set_min(0);
    dx.dim(0).set_min(0);
    const Expr plain = slope == 1 && !only_g;
    WideSchedule schedule{dx,
                          sums,
                          {{&x_turn, x}, {&dy_turn, dy}, {&residual_turn, residual}},
                          &result_turn,
                          {normal, means},
                          {offsets.get(), totals.get()},
                          plain,
                          dx,
                          s,
                          c,
                          n,
                          which};
    if (plane_scale && gpu()) schedule.per_plane.push_back(plane_scale->peak);
    if (plane_scale && !gpu()) schedule.per_plane.insert(schedule.per_plane.begin(), plane_scale->peak);
    if (gpu()) {
      schedule.OnGpu(lanes > 1);
      return FinishGpuSchedule(x, dy, residual, dx, scale, shift, mean, rstd);
    }
    ScheduleBFloats(get_pipeline());
    sums.dim(0).set_bounds(dx.dim(1).min(), dx.dim(1).extent());
    sums.dim(2).set_bounds(dx.dim(2).min(), dx.dim(2).extent());
    for (Input<Buffer<void, 3>> *f : {&x, &dy, &residual}) f->dim(0).set_bounds(0, dx.dim(0).extent());
    dx.dim(1).set_min(0);
    for (Input<Buffer<void, 3>> *f : {&x, &dy, &residual}) SetLayout(*f, layout);
    SetLayout(dx, layout);
    const int vector =
        layout == Layout::kLast ? natural_vector_size<float>() : std::min(16, 2 * natural_vector_size<float>());
    const int step = few || layout == Layout::kLast ? batch : 1;
    const bool last = layout == Layout::kLast, kept = last && KeepsGradients(element, get_target());
    if (lanes == 1) {
      if (!kept) schedule.Stage(statistics, vector, step);
      schedule.versions = {PowerOfTwo()};
      schedule.turned = true;
      // (A tile that nobody writes may have no memory yet: a masked load of AVX-512 takes hundreds of cycles then.)
      schedule.activations = {!has_residual};
    }
    if (kept) {
      schedule.per_plane.insert(schedule.per_plane.begin(), statistics);
      ScheduleTinyLast(schedule, {x_turn.tile, dy_turn.tile, residual_turn.tile}, vector, 2);
      for (Func f : {normal, means}) f.specialize(PowerOfTwo());
      for (const Expr &form : {plain, !has_residual}) dx.specialize(form);
    } else if (last) {
      schedule.AcrossChannels(vector, step);
      dx.specialize(plain);
    } else if (lanes == 1) {
      schedule.by_memory = Turn::ByMemory(element, get_target());
      TurnInHalves::AddTo(get_pipeline(), get_target());
      TurnInPairs::AddTo(get_pipeline(), get_target(), element, few);
      schedule.AcrossPlanes(vector, step, few ? MostFew(element, get_target()) : 0);
      totals->sum.update().specialize(!has_residual);  // as in wide_generator.cpp
    } else {
      schedule.AlongPlane(natural_vector_size<double>());
    }
    if (lanes == 1) statistics.specialize(*is_narrow_);
  }

 private:
  bool tiny() const { return !gpu() && lanes == 1; }
  bool Masks() const { return get_target().has_feature(Target::AVX512); }
  Expr PowerOfTwo() { return (dx.dim(0).extent() & (dx.dim(0).extent() - 1)) == 0; }

  Var s{"s"}, c{"c"}, n{"n"}, which{"which"};
  Turn x_turn{"x", s, c, n}, dy_turn{"dy", s, c, n}, residual_turn{"residual", s, c, n}, result_turn{"dx", s, c, n};
  Func statistics{"statistics"}, normal{"normal"}, means{"means"};
  std::vector<Input<Buffer<float, 2>> *> narrow_;
  Input<bool> *is_narrow_ = nullptr, *adds_ = nullptr;
  std::unique_ptr<PlaneScale> plane_scale;
  std::unique_ptr<PlaneSum> offsets, totals;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::WideGradient, haline_wide_gradient)

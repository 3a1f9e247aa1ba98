// Instance norm of whole planes in double: right for every finite input, and for every plane of at least one element.
//
//   mean = x0 + sum(x - x0) / S       e = x - mean      m = sum(e) / S: what the mean's rounding left
//   var = sum(e^2) / S - m^2          y = act((e - m) * (scale * rstd) + shift + residual), rounded once
//
// Serves the tiny planes (`lanes` = 1) and those that float sums can't do justice (`lanes` = 16): see wide.h.
#include "activation.h"
#include "estimates.h"
#include "mean_of.h"
#include "tiny_last.h"
#include "turn_halves.h"
#include "turn_pairs.h"
#include "wide_schedule.h"

namespace haline {
using namespace Halide;

class Wide : public KernelGenerator<Wide> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> lanes{"lanes", 1};  // 1 or 16; part of the result's definition
  GeneratorParam<Layout> layout{"layout", Layout::kPlanes, kLayouts};
  GeneratorParam<bool> few{"few", false};  // lanes = 1: planes of few elements, see WideSchedule::AcrossPlanes; or,
                                           // bare, channels last, ScheduleFewLast
  GeneratorParam<bool> turned{"turned", false};  // lanes = 1: results with vectors across planes, WideSchedule
  GeneratorParam<bool> bare{"bare", false};  // kLast: no residual, and stats, which has a stride of 0, is not written
  GeneratorParam<int> batch{"batch", 4};     // schedule, lanes = 1: vectors of planes of a step

  Input<Buffer<void, 3>> x{"x"};                // (s, c, n), as `layout` says; lanes = 16: at least 16 elements
  Input<Buffer<void, 3>> residual{"residual"};  // as x; x itself where there is none
  Input<Buffer<void, 2>> scale{"scale"};        // (c, n)
  Input<Buffer<void, 2>> shift{"shift"};        // (c, n)
  Input<bool> has_residual{"has_residual"};
  Input<double> slope{"slope"};  // of the activation below 0; 1: none
  Input<double> eps{"eps"};
  Output<Buffer<void, 3>> y{"y"};            // as x; may be x or residual
  Output<Buffer<double, 3>> stats{"stats"};  // (c, {mean, var, rstd}, n); c and its extent are those of y

  void configure() { AddInputs(1); }  // the planes that the float kernels leave, or none

  void generate() {
    const bool rescaled = element == Element::kF64;
    const Expr size = x.dim(0).extent();
    const Expr wanted = NotFast(c, n);
    const Expr count = cast<double>(size);
    // (Bounds inference does not see that a batch of planes ends with the last.)
    const bool across = Across();
    const Expr p = across ? unsafe_promise_clamped(c, y.dim(1).min(), y.dim(1).max()) : Expr(c);
    const bool last = layout == Layout::kLast;
    const Expr plane = across ? p : last ? LastVector() : Plane(c);
    const auto load = [this](const Expr &v) { return cast<double>(Load(v, element, get_target())); };
    const bool tiny = !gpu() && lanes == 1;
    const MeanOf mean_of(count, tiny && MeanOf::Fuses(element, get_target()), tiny ? PowerOfTwo() : Expr());
    const auto of_plane = [&](Input<Buffer<void, 2>> &f) { return cast<double>(f(plane, n)); };

    const auto in = [=, this](Input<Buffer<void, 3>> &f) {
      return [=, this, &f](const Expr &i) { return f(i, plane, n); };
    };
    const auto stored = [&](const Expr &v) { return (across ? LoadTurned : Load)(v, element, get_target()); };
    const auto as_it_is = [](const Expr &v) { return v; };
    x_turn.In(in(x), stored, as_it_is);
    residual_turn.In(in(residual), stored, as_it_is);
    const auto raw = [&](const Expr &i) { return x_turn.tile(c, i, n); };
    Expr factor = cast<double>(1);
    if (rescaled) {
      plane_scale = std::make_unique<PlaneScale>(raw, size, c, n, wanted, eps);
      factor = plane_scale->factor;
    }
    const auto value = [&](const Expr &i) { return rescaled ? raw(i) * factor : raw(i); };

    const Expr first = value(0);
    const bool compensated = rescaled && lanes > 1;
    offsets = std::make_unique<PlaneSum>(
        "offsets", [&](const Expr &i) { return Exprs{value(i) - first}; }, size, lanes, compensated, c, n, wanted);
    mean(c, n) = first + mean_of(offsets->Total(c, n)[0]);
    squares = std::make_unique<PlaneSum>(
        "squares",
        [&](const Expr &i) {
          const Expr e = value(i) - mean(c, n);
          return Exprs{e, e * e};
        },
        size, lanes, compensated, c, n, wanted);
    const Exprs total = squares->Total(c, n);
    const Expr rest = mean_of(total[0]);
    const Expr difference = mean_of(total[1]) - rest * rest;
    const Expr var = select(difference < 0, 0, difference);  // not max, which may lose a NaN
    const Expr scaled_eps = rescaled ? eps * factor * factor : Expr(eps);
    const Expr rstd = select(var + scaled_eps == 0, 0, 1 / sqrt(var + scaled_eps));
    Exprs values = {mean(c, n),
                    rest,
                    of_plane(scale) * rstd,
                    of_plane(shift),
                    (mean(c, n) + rest) / factor,
                    var / factor / factor,
                    rstd * factor};
    const bool staged = across || few;  // results are made in loops of their own
    if (rescaled && staged) values.push_back(factor);
    normal(c, n) = Tuple(values);

    const auto result = [&](const Expr &own, const Expr &more, const Expr &q) {
      const Expr scaled = rescaled ? own * (staged ? normal(q, n)[7] : factor) : own;
      const Expr norm = (scaled - normal(q, n)[0] - normal(q, n)[1]) * normal(q, n)[2] + normal(q, n)[3];
      const Expr z = select(has_residual, norm + more, norm);
      return Store(select(slope == 1, z, Activate(z, slope)), element, get_target(), true);
    };
    result_turn.turned(c, s, n) = result(x_turn.tile(p, s, n), residual_turn.tile(p, s, n), p);
    // From the elements that the sums were made from, or from what is read again.
    const Expr kept = result_turn.Out(),
               again = result(load(x(s, c, n)), load(residual(s, c, n)), min(c, y.dim(1).max()));
    const Expr out = few || turned || !across ? kept : again;
    Define(y, {s, c, n}, out, {{s, 0, size}}, c, n, wanted);
    const Exprs numbers = {normal(p, n)[4], normal(p, n)[5], normal(p, n)[6]};
    if (across || last) {
      DefineKept(stats, c, n, numbers);
    } else {
      DefineNumbers(stats, which, 3, OneNan(mux(which, numbers)), c, n, wanted);
    }
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this, lanes == 1);
    stats.dim(1).set_bounds(0, 3);
    stats.bound(which, 0, 3);
    for (Input<Buffer<void, 3>> *f : {&x, &residual}) f->dim(0).set_min(0);
    y.dim(0).set_min(0);
    const Expr plain = slope == 1, relu = slope == 0;
    const std::vector<Expr> activations = {plain, relu, !plain && !relu};
    WideSchedule schedule{y,
                          stats,
                          {{&x_turn, x}},
                          &result_turn,
                          {mean, normal},
                          {offsets.get(), squares.get()},
                          !has_residual && plain,
                          y,
                          s,
                          c,
                          n,
                          which};
    // (With a residual that is none, a sum of no use is made with memory that nothing has written, and denormal
    // numbers in it take their time: 2.6 us for [2, 6, 2, 4] with ReLU, not 0.35.)
    for (const Expr &activation : {relu, !plain && !relu}) schedule.activations.push_back(!has_residual && activation);
    if (Across() && !few) {
      for (const Expr &activation : {plain, relu}) schedule.activations.push_back(has_residual && activation);
      schedule.versions = {PowerOfTwo()};
      schedule.turned = turned;
      schedule.run = Run();
    }
    schedule.turnable = !has_residual;
    if (few || schedule.turned) schedule.inputs.push_back({&residual_turn, residual});
    if (plane_scale && gpu()) schedule.per_plane.push_back(plane_scale->peak);
    if (plane_scale && !gpu()) schedule.per_plane.insert(schedule.per_plane.begin(), plane_scale->peak);
    if (gpu()) {
      schedule.OnGpu(lanes > 1);
      return FinishGpuSchedule(x, residual, y, scale, shift);
    }
    ScheduleBFloats(get_pipeline());
    stats.dim(0).set_bounds(y.dim(1).min(), y.dim(1).extent());
    stats.dim(2).set_bounds(y.dim(2).min(), y.dim(2).extent());
    for (Input<Buffer<void, 3>> *f : {&x, &residual}) f->dim(0).set_bounds(0, y.dim(0).extent());
    y.dim(1).set_min(0);
    for (Input<Buffer<void, 3>> *f : {&x, &residual}) SetLayout(*f, layout);
    SetLayout(y, layout);
    if (layout == Layout::kLast) {
      const int vector = natural_vector_size<float>();
      std::vector<Expr> forms;  // of the bare kernels
      for (const Expr &e : activations) forms.push_back(stats.dim(1).stride() == 0 && !has_residual && e);
      // (All in one kernel, each version of it took a fifth more instructions.)
      if (few) {
        ScheduleFewLast(schedule, x_turn.tile, vector, 2 * batch, forms);
      } else if (bare) {
        ScheduleTinyLast(schedule, {x_turn.tile}, vector, 2);
        for (const Expr &size : {PowerOfTwo(), Internal::const_true()}) {
          for (const Expr &form : forms) y.specialize(form && size);
        }
        y.specialize_fail("no residual and no statistics wanted");
      } else {
        ScheduleTinyLast(schedule, {x_turn.tile}, vector, 2);
        for (const Expr &activation : activations) y.specialize(!has_residual && activation);
        for (const Expr &activation : {plain, relu}) y.specialize(has_residual && activation);
      }
      get_pipeline().add_custom_lowering_pass(new FetchNextSample({x_turn.tile}, y));
    } else if (lanes == 1) {
      // (The elements of more planes would be more than the stack takes.)
      const int step = schedule.turned ? std::min<int>(batch, 2) : batch;
      schedule.by_memory = Turn::ByMemory(element, get_target());
      TurnInHalves::AddTo(get_pipeline(), get_target());
      TurnInPairs::AddTo(get_pipeline(), get_target(), element, few);
      schedule.AcrossPlanes(Vector(), step, few ? MostFew(element, get_target()) : 0);
    } else {
      schedule.AlongPlane(natural_vector_size<double>());
    }
  }

 private:
  bool Across() const { return !gpu() && lanes == 1 && layout == Layout::kPlanes; }
  // Channel c, or one of the last vector that there is.
  Expr LastVector() {
    const int vector = natural_vector_size<float>();
    const Expr vectors = y.dim(1).extent() / vector;
    return unsafe_promise_clamped(min(c / vector, vectors - 1) * vector + c % vector, 0, y.dim(1).extent() - 1);
  }
  // Planes of a vector.
  int Vector() const { return std::min(16, 2 * natural_vector_size<float>()); }
  // Elements of a vector along planes. (bfloat16, one thread of a Xeon with AVX-512, by the time of half as many: S = 9
  // 0.92, 16 0.86, 17 1.04, 27 0.88, 36 0.98, 49 0.95, 63 0.88; other types 0.99 to 1.15.)
  int Run() const { return element == Element::kBF16 && Masks() ? Vector() : Vector() / 2; }
  bool Masks() const { return get_target().has_feature(Target::AVX512); }
  Expr PowerOfTwo() { return (y.dim(0).extent() & (y.dim(0).extent() - 1)) == 0; }

  Var s{"s"}, c{"c"}, n{"n"}, which{"which"};
  Func mean{"mean"}, normal{"normal"};
  Turn x_turn{"x", s, c, n}, residual_turn{"residual", s, c, n}, result_turn{"y", s, c, n};
  std::unique_ptr<PlaneScale> plane_scale;
  std::unique_ptr<PlaneSum> offsets, squares;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Wide, haline_wide)

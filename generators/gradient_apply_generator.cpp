// dx = (g * A + d * B) + E, with the numbers of a plane from gradient_coefficients_generator.cpp; or g alone, the
// gradient of the residual, which without an activation is dy.
#include "ahead.h"
#include "estimates.h"
#include "gradient.h"

namespace haline {
using namespace Halide;

class GradientApply : public GradientGenerator<GradientApply> {
 public:
  GeneratorParam<int> unroll{"unroll", 1};        // schedule: vectors of a step
  GeneratorParam<bool> lines{"lines", false};     // as in apply_generator.cpp
  Input<Buffer<double, 3>> gradient{"gradient"};  // (c, {A, B, E, ...}, n)
  // As x; may be x, dy or residual. form = 2: g instead, with an activation, 3: without one.
  GeneratorOutput<Volume> dx{"dx"};

  void configure() {
    AddInputs(2);                        // the planes that the wide kernel leaves
    if (lines) add_input<int>("ahead");  // bytes from what is read to what is fetched
  }

  void generate() {
    Round(c);
    RoundGradient(gradient);
    const Expr g = G(s);
    const Expr full = GradientResult(g, D(s), Values(numbers, {c, n}));
    const Expr own = Element_(dy, s);
    const auto one_nan = [this](const Expr &e) { return OneNanToStore(e, element); };
    const Expr result = Store(select(form == 3, one_nan(own), form == 2, one_nan(g), full), element, get_target());
    Define(dx, {s, c, n}, result, {{s, 0, x.dim(0).extent()}}, c, n, Fast(c, n));
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    if (gpu()) {
      ScheduleElements(dx, x.dim(1).stride() == 1);
      return FinishGpuSchedule(x, dy, residual, dx);
    }
    // Guarded, not shifted inwards: dx may be an input, and nothing may be read twice.
    const int vector = natural_vector_size(MathType(element)), across = AcrossVector(MathType(element), get_target());
    ScheduleBFloats(get_pipeline());
    // A version for each form: in one for several, numbers of planes that a form does not want are left out by Halide,
    // and results of no use made of what lies in their place, denormal numbers perhaps. (dresidual of 1x128x64x64,
    // channels last, took 7 times as long.)
    if (layout == Layout::kLast) {
      SetInputLayouts();
      SetLayout(dx, layout);
      if (lines) {
        SetLines(dx, vector);
        get_pipeline().add_custom_lowering_pass(new FetchAhead({"x", "dy"}, "dx", "", [](const std::string &, int) {
          return Internal::Variable::make(Int(32), "ahead");
        }));
      }
      const int whole = ElementVector(element, get_target());
      ScheduleAcross(dx, lines ? Internal::const_true() : WantsOrder(dx), vector,
                     lines ? whole : std::max(whole, across), [this](Stage stage) {
                       ByForm(stage, {form == 1, form == 2});
                     });
      for (Func f : {rounded, numbers}) StageAcross(f, LoopLevel(dx, n), kMostChannels, vector);
      return;
    }
    if (unroll > 1) {
      Var step("step");
      dx.split(s, step, s, vector * unroll, TailStrategy::GuardWithIf).vectorize(s, vector).unroll(s);
    } else {
      dx.vectorize(s, ElementVector(element, get_target()), TailStrategy::GuardWithIf);
    }
    ByForm(dx, {form == 1 && !has_residual, form == 1, form == 2});
  }

 private:
  // `active`: those with an activation, each with a version without a slope. (One thread of a Xeon, bfloat16 in L1,
  // cycles for 16 elements of dx, with a slope 10.6 and 10.3, without 10.6 and 9.6; all backward with ReLU 0.88 to
  // 0.97.)
  void ByForm(Stage stage, const Exprs &active) {
    stage.specialize(form == 0);
    stage.specialize(form == 3);
    Stage relu = stage.specialize(IsRelu(slope, element));
    for (Stage *of : {&relu, &stage}) {
      for (const Expr &condition : active) of->specialize(condition);
      of->specialize_fail("form: 0 to 3 wanted");
    }
  }

  Var s{"s"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::GradientApply, haline_gradient_apply)

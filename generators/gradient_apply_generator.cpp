// dx = (g * A + d * B) + E, with the numbers of a plane from gradient_coefficients_generator.cpp; or g alone, the
// gradient of the residual.
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
  GeneratorOutput<Volume> dx{"dx"};               // as x; may be x, dy or residual. form = 2: g instead

  void configure() {
    AddInputs(2);                        // the planes that the wide kernel leaves
    if (lines) add_input<int>("ahead");  // bytes from what is read to what is fetched
  }

  void generate() {
    Round(c);
    const auto coefficient = [this](int i) { return cast(MathType(element), gradient(c, i, n)); };
    numbers(c, n) = Tuple(coefficient(0), coefficient(1), coefficient(2));
    const Expr g = G(s);
    const Expr full = GradientResult(g, D(s), Values(numbers, {c, n}));
    const Expr result = Store(select(form == 2, OneNan(g), full), element, get_target());
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
                       for (const Expr &condition : {form == 0, form == 1}) stage.specialize(condition);
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
    for (const Expr &condition : {form == 0, form == 1 && !has_residual, form == 1}) dx.specialize(condition);
  }

 private:
  Var s{"s"};
  Func numbers{"numbers"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::GradientApply, haline_gradient_apply)

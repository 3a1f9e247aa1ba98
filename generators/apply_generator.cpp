// y = act((x - h) * a + b + residual), with the numbers of a plane from coefficients_generator.cpp.
#include "ahead.h"
#include "element.h"
#include "estimates.h"
#include "formula.h"
#include "gpu.h"
#include "layout.h"
#include "statistics.h"

namespace haline {
using namespace Halide;

class Apply : public KernelGenerator<Apply> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> unroll{"unroll", 1};  // schedule: vectors of a step
  GeneratorParam<Layout> layout{"layout", Layout::kPlanes, kLayouts};
  GeneratorParam<bool> lines{"lines", false};  // channels-last results of whole lines, which go past the caches

  Input<Buffer<void, 3>> x{"x"};                          // (s, c, n), as `layout` says
  Input<Buffer<double, 3>> coefficients{"coefficients"};  // (c, {h, a, b, ...}, n)
  Input<Buffer<void, 3>> residual{"residual"};            // as x; x itself where there is none
  Input<bool> has_residual{"has_residual"};
  Input<double> slope{"slope"};  // of the activation below 0
  Input<int> form{
      "form"};  // 0: y = norm(x); 1: with an activation; 2: with all, and whatever NaN comes up is the one NaN
  Output<Buffer<void, 3>> y{"y"};  // as x; may be x or residual

  void configure() {
    AddInputs(1);                        // the planes that the wide kernel leaves
    if (lines) add_input<int>("ahead");  // bytes from what is read to what is fetched
  }

  void generate() {
    const Type type = MathType(element);
    const auto load = [&](Input<Buffer<void, 3>> &f) { return Load(f(s, c, n), element, get_target()); };
    rounded(c, n) =
        Tuple(cast(type, coefficients(c, 0, n)), cast(type, coefficients(c, 1, n)), cast(type, coefficients(c, 2, n)));
    const Expr result = (gpu() ? Result : ResultByCase)(load(x), Values(rounded, {c, n}), has_residual, load(residual),
                                                        cast(type, slope), form);
    Define(y, {s, c, n}, StoreResult(result, element, get_target(), lines), {{s, 0, x.dim(0).extent()}}, c, n,
           Fast(c, n));
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    if (gpu()) {
      ScheduleElements(y, x.dim(1).stride() == 1);
      return FinishGpuSchedule(x, residual, y);
    }
    // Guarded, not shifted inwards: y may be x, and nothing may be read twice.
    const int vector = natural_vector_size(MathType(element)), across = AcrossVector(MathType(element), get_target());
    ScheduleBFloats(get_pipeline());
    if (layout == Layout::kLast) {
      for (Input<Buffer<void, 3>> *f : {&x, &residual}) SetLayout(*f, layout);
      SetLayout(y, layout);
      if (lines) {
        SetLines(y, vector);
        get_pipeline().add_custom_lowering_pass(new FetchAhead(
            {"x"}, "y", "", [](const std::string &, int) { return Internal::Variable::make(Int(32), "ahead"); }));
      }
      // (AVX2 would load the numbers twice a line: 0.85 of the speed of 8 rows at a time.)
      const Expr in_order = get_target().has_feature(Target::AVX512) ? WantsOrder(y) : Internal::const_false();
      const int whole = ElementVector(element, get_target());
      ScheduleAcross(y, lines ? Internal::const_true() : in_order, vector, lines ? whole : std::max(whole, across),
                     [this](Stage stage) { ByCase(stage); });
      StageAcross(rounded, LoopLevel(y, n), kMostChannels, vector);
      return;
    }
    if (unroll > 1) {
      Var step("step");
      y.split(s, step, s, vector * unroll, TailStrategy::GuardWithIf).vectorize(s, vector).unroll(s);
    } else {
      y.vectorize(s, ElementVector(element, get_target()), TailStrategy::GuardWithIf);
    }
    ByCase(y);
  }

 private:
  void ByCase(Stage stage) {
    for (const Expr &condition : ResultCases(cast(MathType(element), slope), form)) stage.specialize(condition);
  }

  Var s{"s"}, c{"c"}, n{"n"};
  Func rounded{"rounded"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Apply, haline_apply)

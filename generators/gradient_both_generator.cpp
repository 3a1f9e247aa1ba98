// dx and the residual's gradient of channels-last tensors, as gradient_apply_generator.cpp makes them one after the
// other, from what is read once.
#include "ahead.h"
#include "gradient.h"

namespace haline {
using namespace Halide;

class GradientBoth : public GradientGenerator<GradientBoth> {
 public:
  GeneratorParam<bool> lines{"lines", false};     // as in apply_generator.cpp
  Input<Buffer<double, 3>> gradient{"gradient"};  // (c, {A, B, E, ...}, n)
  GeneratorOutput<Func> results{"results", 3};    // dx and g, as x; apart from all that is read

  void configure() {
    if (lines) add_input<int>("ahead");  // bytes from what is read to what is fetched
  }

  void generate() {
    Round(c);
    RoundGradient(gradient);
    const Expr g = G(s);
    const auto stored = [this](const Expr &e) { return Store(e, element, get_target()); };
    results(s, c, n) =
        Tuple(stored(GradientResult(g, D(s), Values(numbers, {c, n}))), stored(OneNanToStore(g, element)));
  }

  // One Xeon thread, time by that of the two kernels, past the caches, with ReLU: float32 0.79 to 0.81, bfloat16 0.75
  // to 0.82, float16 0.80; with no activation 0.78 to 0.97.
  void schedule() {
    const int vector = natural_vector_size(MathType(element)), across = AcrossVector(MathType(element), get_target());
    const int whole = ElementVector(element, get_target());
    ScheduleBFloats(get_pipeline());
    SetInputLayouts();
    const Func both = results;
    for (OutputImageParam result : both.output_buffers()) SetLayout(result, layout);
    if (lines) {
      SetLines(both, vector);
      get_pipeline().add_custom_lowering_pass(
          new FetchAhead({"x", "dy"}, "results.0", "",
                         [](const std::string &, int) { return Internal::Variable::make(Int(32), "ahead"); }));
    }
    ScheduleAcross(both, lines ? Internal::const_true() : WantsOrder(both.output_buffers()[0]), vector,
                   lines ? whole : std::max(whole, across), [this](Stage stage) {
                     stage.specialize(form == 0);
                     stage.specialize(IsRelu(slope, element));
                   });
    for (Func f : {rounded, numbers}) StageAcross(f, LoopLevel(both, n), kMostChannels, vector);
  }

 private:
  Var s{"s"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::GradientBoth, haline_gradient_both)

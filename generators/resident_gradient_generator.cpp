// The gradient of planes that fit in a GPU block's shared memory, in one kernel that reads x and dy once: what
// gradient_sums, gradient_coefficients and gradient_apply do. Those that the float sums can't serve are left to the
// wide kernel, as they are.
#include "gradient.h"
#include "gradient_numbers.h"
#include "resident.h"

namespace haline {
using namespace Halide;

class ResidentGradient : public GradientGenerator<ResidentGradient> {
 public:
  GeneratorParam<int> chunk{"chunk", 128};  // elements; part of the result's definition, not of the schedule

  Input<Buffer<double, 2>> rstd{"rstd"};    // (c, n)
  Input<Buffer<double, 2>> scale{"scale"};  // (c, n)
  Input<bool> frozen{"frozen"};
  Input<int> size{"size"};                                  // elements of a plane
  Input<int> written{"written"};                            // as many, or none where dx is not wanted
  GeneratorOutput<Volume> dx{"dx"};                         // as x; may be x, dy or residual
  GeneratorOutput<Buffer<double, 3>> gradient{"gradient"};  // as gradient_coefficients_generator.cpp's

  void configure() { AddInputs(1); }  // the forward pass's flag

  void generate() {
    const Expr plane = min(c, LastChannel()), size = this->size;
    Round(plane);
    staged(s, c, n) = Tuple(x(s, plane, n), dy(s, plane, n));
    const auto load = [=, this](const Expr &e) { return Load(e, element, get_target()); };
    const auto terms = [=, this](const Expr &e) {
      const Expr i = unsafe_promise_clamped(e, 0, size - 1), element = load(staged(i, c, n)[0]);
      return GradientTerms(GOf(element, load(residual(i, plane, n)), load(staged(i, c, n)[1])), DOf(element));
    };
    sums = std::make_unique<ResidentSums>(terms, size, chunk, c, n);
    columns(c, n) = Tuple(GradientNumbers(element, Values(sums->total, {c, n}), mean(plane, n), rstd(plane, n),
                                          scale(plane, n), cast<double>(size), frozen));
    Exprs numbers = Values(columns, {c, n});
    Define(gradient, {c, which, n}, mux(which, numbers), {{which, 0, 6}}, c, n);
    for (Expr &e : numbers) e = cast(MathType(element), e);
    const Exprs of_element = terms(s);
    Define(dx, {s, c, n}, Store(GradientResult(of_element[0], of_element[2], numbers), element, get_target()),
           {{s, 0, written}}, c, n, Fast(c, n) && columns(c, n)[3] != 0);
  }

  void schedule() {
    for (Input<Volume> *f : {&x, &dy, &residual}) f->dim(0).set_min(0);
    gradient.dim(1).set_bounds(0, 6);
    ResidentSchedule schedule(dx, gradient, chunk, c, n);
    staged.bound(s, 0, max(size, 1));
    schedule.Threads(staged);
    schedule.Numbers(rounded, {});
    sums->Schedule(&schedule);
    schedule.Numbers(columns, {sums->total});
    FinishGpuSchedule(x, dy, residual, dx, mean, rstd, scale);
  }

 private:
  Var s{"s"}, which{"which"};
  Func staged{"staged"}, columns{"columns"};
  std::unique_ptr<ResidentSums> sums;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::ResidentGradient, haline_resident_gradient)

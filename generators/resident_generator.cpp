// Instance norm of planes that fit in a GPU block's shared memory, in one kernel that reads x once: what pivot,
// moments, coefficients and apply do. Those that the float sums can't serve are left to the wide kernel, as they are.
#include "formula.h"
#include "pivot.h"
#include "plane_numbers.h"
#include "resident.h"

namespace haline {
using namespace Halide;

class Resident : public KernelGenerator<Resident> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> chunk{"chunk", 128};  // elements; part of the result's definition, not of the schedule

  Input<Buffer<void, 3>> x{"x"};                // (s, c, n)
  Input<Buffer<void, 3>> residual{"residual"};  // as x; x itself where there is none
  Input<Buffer<double, 2>> scale{"scale"};      // (c, n)
  Input<Buffer<double, 2>> shift{"shift"};      // (c, n)
  Input<bool> has_residual{"has_residual"};
  Input<double> slope{"slope"};  // of the activation below 0
  Input<double> eps{"eps"};
  Input<int> form{"form"};                                 // apply_generator.cpp's; -1: y is not wanted
  Input<int> size{"size"};                                 // elements of a plane
  Output<Buffer<void, 3>> y{"y"};                          // as x; may be x or residual
  Output<Buffer<double, 3>> coefficients{"coefficients"};  // as coefficients_generator.cpp's

  void configure() { AddInputs(0); }

  void generate() {
    const Type type = MathType(element);
    const Expr size = this->size;
    staged(s, c, n) = x(s, Plane(c), n);
    const auto load = [&](const Expr &e) { return Load(e, element, get_target()); };
    const auto at = [=, this](const Expr &e) { return load(staged(unsafe_promise_clamped(e, 0, size - 1), c, n)); };

    const PivotRuns runs(size);
    pivots = std::make_unique<PlanePivot>([=](const Expr &i, const Expr &run) { return at(runs.At(run, i)); },
                                          runs.count, u, c, n);
    pivot(c, n) = cast<double>(pivots->value);
    sums = std::make_unique<ResidentSums>(
        [=, this](const Expr &e) { return MomentTerms(at(e) - cast(type, pivot(c, n))); }, size, chunk, c, n);
    numbers = std::make_unique<PlaneNumbers>(
        element, 1, Values(sums->total, {c, n}), [this](const Expr &e) { return pivot(e, n); },
        [=, this](const Expr &e) { return scale(Plane(e), n); },
        [=, this](const Expr &e) { return shift(Plane(e), n); }, eps, cast<double>(size), c, n);

    Exprs columns = Values(numbers->columns, {c, n});
    Define(coefficients, {c, which, n}, mux(which, columns), {{which, 0, 7}}, c, n);
    for (Expr &e : columns) e = cast(type, e);
    const Expr result = Result(at(s), columns, has_residual, load(residual(s, c, n)), cast(type, slope), form);
    Define(y, {s, c, n}, Store(result, element, get_target()), {{s, 0, select(form < 0, 0, size)}}, c, n,
           numbers->columns(c, n)[3] != 0);
  }

  void schedule() {
    x.dim(0).set_min(0);
    coefficients.dim(1).set_bounds(0, 7);
    BlockSchedule schedule(y, coefficients, ResidentShape(chunk), c, n);
    staged.bound(s, 0, max(size, 1));
    schedule.Elements(staged, s);
    schedule.Lanes(pivots->runs);
    schedule.Numbers(pivot, {});
    sums->Schedule(&schedule);
    schedule.Numbers(numbers->columns, {sums->total, numbers->moments, numbers->line, numbers->any_large});
    FinishGpuSchedule(x, residual, scale, shift, y);
  }

 private:
  Var s{"s"}, c{"c"}, n{"n"}, u{"u"}, which{"which"};
  Func staged{"staged"}, pivot{"pivot"};
  std::unique_ptr<PlanePivot> pivots;
  std::unique_ptr<ResidentSums> sums;
  std::unique_ptr<PlaneNumbers> numbers;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Resident, haline_resident)

// From a plane's sums to the numbers that normalise it: see plane_numbers.h.
#include "columns.h"
#include "estimates.h"
#include "gpu.h"
#include "plane_numbers.h"

namespace haline {
using namespace Halide;

class Coefficients : public KernelGenerator<Coefficients> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> vector{"vector", 0};  // schedule: planes of a vector, up to 8; 0: a register of doubles

  // Scratch memory, c padded to a multiple of 8.
  Input<Buffer<double, 2>> pivot{"pivot"};  // (c, n)
  Input<Buffer<double, 4>> sums{"sums"};    // (c, {s1, s2}, block, n)
  Input<Buffer<void, 2>> scale{"scale"};    // (c, n)
  Input<Buffer<void, 2>> shift{"shift"};    // (c, n)
  Input<double> eps{"eps"};
  Input<double> count{"count"};                            // elements of a plane
  Output<Buffer<double, 3>> coefficients{"coefficients"};  // (c, {h, a, b, fast, mean, var, rstd}, n)

  void generate() {
    block = RDom(0, sums.dim(2).extent(), "block");
    total(c, n) = Tuple(cast<double>(0), cast<double>(0));
    total(c, n) = Tuple(total(c, n)[0] + sums(c, 0, block, n), total(c, n)[1] + sums(c, 1, block, n));

    // The scratch buffers are padded to whole vectors; the caller's are not, so their last element is repeated.
    const auto padded = [this](Input<Buffer<void, 2>> &f, const Expr &plane) {
      return cast<double>(f(min(likely(plane), f.dim(0).max()), n));
    };
    numbers = std::make_unique<PlaneNumbers>(
        element, VectorSize(), Values(total, {c, n}), [this](const Expr &plane) { return pivot(plane, n); },
        [=, this](const Expr &plane) { return padded(scale, plane); },
        [=, this](const Expr &plane) { return padded(shift, plane); }, eps, count, c, n);
    coefficients(c, which, n) = mux(which, Values(numbers->columns, {c, n}));
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    sums.dim(1).set_bounds(0, 2);
    sums.dim(2).set_min(0);
    coefficients.dim(1).set_bounds(0, 7);
    if (gpu()) {
      const LoopLevel threads = ScheduleColumnsOnGpu(coefficients, 7, numbers->columns, total);
      for (Func f : {numbers->moments, numbers->line, numbers->any_large}) f.compute_at(threads);
      return FinishGpuSchedule(pivot, scale, shift);
    }
    pivot.dim(0).set_min(0);
    sums.dim(0).set_min(0);
    coefficients.dim(0).set_min(0);
    // x86-avx512, one core, planes of 64 elements: 1.8 ns a plane; 2.2 with the roots worked out for all.
    const int width = VectorSize();
    ScheduleColumns(coefficients, 7, numbers->columns, total, block, width);
    numbers->Schedule(LoopLevel(coefficients, Var("co")), width);
  }

 private:
  int VectorSize() const { return gpu() ? 1 : vector > 0 ? int(vector) : natural_vector_size<double>(); }

  Var c{"c"}, n{"n"}, which{"which"};
  RDom block;
  Func total{"total"};
  std::unique_ptr<PlaneNumbers> numbers;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Coefficients, haline_coefficients)

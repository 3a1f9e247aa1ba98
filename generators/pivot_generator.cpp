// A number near the mean of each plane, about which moments_generator.cpp sums:
//
//   pivot = x0 + mean(x - x0) over r runs of 16 elements spread over the plane, r = min(S / 16, 32)
//
// Exactly the constant of a constant plane; unharmed by an offset. Takes planes of at least 64 elements.
#include "element.h"
#include "estimates.h"
#include "gpu.h"
#include "layout.h"
#include "statistics.h"

namespace haline {
using namespace Halide;

class Pivot : public KernelGenerator<Pivot> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> unroll{"unroll", 1};  // schedule: runs of a step
  GeneratorParam<Layout> layout{"layout", Layout::kPlanes, kLayouts};

  Input<Buffer<void, 4>> samples{"samples"};  // (u = 0..15, run, c, n), as `layout` says; sample (0, 0) is x0
  Output<Buffer<double, 2>> pivot{"pivot"};   // (c, n)

  void generate() {
    const auto x = [this](const Expr &u, const Expr &run) {
      return Load(samples(u, run, c, n), element, get_target());
    };
    const Expr run_count = samples.dim(1).extent();
    first(c, n) = x(0, 0);
    run = RDom(0, run_count, "run");
    runs(u, c, n) = cast(MathType(element), 0);
    runs(u, c, n) += x(u, run) - first(c, n);
    tree = std::make_unique<LaneTree>(runs, "tree");
    pivot(c, n) = cast<double>(first(c, n) + tree->Total({c, n})[0] / cast(MathType(element), run_count * kLanes));
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    if (gpu()) return ScheduleOnGpu();
    const int vector = natural_vector_size(MathType(element));
    ScheduleBFloats(get_pipeline());
    samples.dim(0).set_bounds(0, kLanes);
    samples.dim(1).set_min(0);
    pivot.dim(0).set_min(0);
    if (layout == Layout::kLast) return ScheduleAcross(vector);
    runs.compute_at(pivot, c).bound(u, 0, kLanes).vectorize(u, vector).unroll(u);
    runs.update().vectorize(u, vector).unroll(u);
    if (unroll > 1) runs.update().unroll(runs.rvars()[0], unroll);
    tree->Schedule(LoopLevel(pivot, c));
  }

 private:
  void ScheduleOnGpu() {
    samples.dim(0).set_bounds(0, kLanes);
    samples.dim(1).set_min(0);
    const PlaneThreads threads(pivot, {}, c, n, kGpuPlanes);
    ScheduleLanes(runs, LoopLevel(pivot, threads.co), c, kLanes);
    FinishGpuSchedule(samples);
  }

  // Vectors across channels, the lanes of one vector at a time. Nothing past the last channel is read.
  void ScheduleAcross(int vector) {
    SetLayout(samples, layout, 0, 2);
    Var co("co"), ci("ci");
    pivot.split(c, co, ci, vector, TailStrategy::Predicate).vectorize(ci);
    first.compute_at(pivot, co).vectorize(c, vector, TailStrategy::PredicateLoads);
    runs.compute_at(pivot, co).bound(u, 0, kLanes).bound_storage(c, vector).reorder_storage(c, u, n);
    runs.reorder(c, u).vectorize(c, vector, TailStrategy::RoundUp);
    runs.update().reorder(c, u, run).vectorize(c, vector, TailStrategy::PredicateLoads);
  }

  Var u{"u"}, c{"c"}, n{"n"};
  RDom run;
  Func first{"first"}, runs{"runs"};
  std::unique_ptr<LaneTree> tree;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Pivot, haline_pivot)

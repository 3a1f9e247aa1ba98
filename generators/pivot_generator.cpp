// The pivot of each plane, about which moments_generator.cpp sums: see pivot.h.
#include "element.h"
#include "estimates.h"
#include "gpu.h"
#include "layout.h"
#include "pivot.h"

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
      return Load(samples(u, run, Within(samples, 2, c), n), element, get_target());
    };
    parts = std::make_unique<PlanePivot>(x, samples.dim(1).extent(), u, c, n);
    pivot(c, n) = cast<double>(parts->value);
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    if (gpu()) return ScheduleOnGpu();
    const int vector = natural_vector_size(MathType(element));
    ScheduleBFloats(get_pipeline());
    samples.dim(0).set_bounds(0, kLanes);
    samples.dim(1).set_min(0);
    pivot.dim(0).set_min(0);
    if (layout == Layout::kLast) return ScheduleAcross(AcrossVector(MathType(element), get_target()));
    // Some planes at a time: a plane's runs are added in order, each after the one before. (One Zen 3 thread, AVX2,
    // four planes of 1024 elements at a time: 0.94 of the time of all forward.)
    const int planes = std::max(1, vector / 2);
    Var co("co"), ci("ci");
    pivot.specialize(pivot.dim(0).extent() >= planes).split(c, co, ci, planes, TailStrategy::ShiftInwards);
    pivot.split(c, co, ci, 1);
    parts->first.compute_at(pivot, co).unroll(c);
    parts->Schedule(LoopLevel(pivot, co), LoopLevel(pivot, ci), vector, unroll);
  }

 private:
  void ScheduleOnGpu() {
    samples.dim(0).set_bounds(0, kLanes);
    samples.dim(1).set_min(0);
    const Expr across = samples.dim(2).stride() == 1;
    PlaneThreads(pivot.specialize(across), {}, c, n, kGpuChannels);
    const PlaneThreads threads(pivot, {}, c, n, kGpuPlanes);
    ScheduleLanes(parts->runs, LoopLevel(pivot, threads.co), c, kLanes, across);
    FinishGpuSchedule(samples);
  }

  // Vectors across channels, the lanes of one vector at a time. Nothing past the last channel is read.
  void ScheduleAcross(int vector) {
    SetLayout(samples, layout, 0, 2);
    Var co("co"), ci("ci");
    pivot.split(c, co, ci, vector, TailStrategy::Predicate).vectorize(ci);
    Func runs = parts->runs;
    parts->first.compute_at(pivot, co).vectorize(c, vector, TailStrategy::PredicateLoads);
    runs.compute_at(pivot, co).bound(u, 0, kLanes).bound_storage(c, vector).reorder_storage(c, u, n);
    runs.reorder(c, u).vectorize(c, vector, TailStrategy::RoundUp).unroll(u);
    runs.update().reorder(c, u, parts->run).vectorize(c, vector, TailStrategy::PredicateLoads).unroll(u);
  }

  Var u{"u"}, c{"c"}, n{"n"};
  std::unique_ptr<PlanePivot> parts;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Pivot, haline_pivot)

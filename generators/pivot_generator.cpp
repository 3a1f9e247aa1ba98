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

  Input<Buffer<void, 3>> samples{"samples"};  // (s, c, n), as `layout` says; planes, or their runs side by side
  Output<Buffer<double, 2>> pivot{"pivot"};   // (c, n)

  void generate() {
    const PivotRuns runs(samples.dim(0).extent());
    // (Across channels, a start serves many planes; and guarded vectors would gather from the table.)
    const bool table = !gpu() && layout == Layout::kPlanes;
    if (table) starts = runs.Table();
    const auto x = [=, this](const Expr &u, const Expr &run) {
      const Expr s = table ? runs.At(starts, run, u) : runs.At(run, u);
      return Load(samples(s, Within(samples, 1, c), n), element, get_target());
    };
    parts = std::make_unique<PlanePivot>(x, runs.count, u, c, n);
    pivot(c, n) = cast<double>(parts->value);
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    if (gpu()) return ScheduleOnGpu();
    const int vector = natural_vector_size(MathType(element));
    ScheduleBFloats(get_pipeline());
    samples.dim(0).set_min(0);
    pivot.dim(0).set_min(0);
    if (starts.defined()) PivotRuns::Schedule(starts);
    if (layout == Layout::kLast) return ScheduleAcross(vector, AcrossVector(MathType(element), get_target()));
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
    samples.dim(0).set_min(0);
    const Expr across = samples.dim(1).stride() == 1;
    PlaneThreads(pivot.specialize(across), {}, c, n, kGpuChannels);
    const PlaneThreads threads(pivot, {}, c, n, kGpuPlanes);
    ScheduleLanes(parts->runs, LoopLevel(pivot, threads.co), c, kLanes, across);
    FinishGpuSchedule(samples);
  }

  // Vectors across channels, run by run, rows as they lie in memory: nothing past the last channel is read. (One Zen 3
  // thread, float32, all forward by that of one vector's lanes at a time: 1x512x31x31 0.94, 8x256x24x24 0.95,
  // 8x128x32x32 0.96, 8x64x32x32 0.97, 8x32x32x32 1.05, 8x17x32x32 1.08.) `wide`: see AcrossVector.
  void ScheduleAcross(int vector, int wide) {
    SetLayout(samples, layout);
    Var co("co"), ci("ci");
    pivot.split(c, co, ci, vector, TailStrategy::Predicate).vectorize(ci);
    // Channels of a call, as in runtime/plan.h: of their 16 lanes Halide takes no more than 16 KiB on the stack.
    const int most = 1024 / MathType(element).bytes();
    StageAcross(parts->first, LoopLevel(pivot, n), most, vector);
    Func runs = parts->runs;
    runs.compute_at(pivot, n).store_in(MemoryType::Stack).bound(u, 0, kLanes).bound_storage(c, most);
    runs.reorder_storage(c, u, n).reorder(c, u).vectorize(c, vector, TailStrategy::RoundUp);
    Var us("us"), ul("ul");
    const auto by = [&](Stage stage, int channels) {
      stage.split(u, us, ul, kHalfRun).split(c, co, ci, channels, TailStrategy::PredicateLoads);
      stage.reorder(ci, co, ul, us, parts->run).vectorize(ci);
    };
    if (wide > vector) by(runs.update().specialize(pivot.dim(0).extent() % wide == 0), wide);
    by(runs.update(), vector);
  }

  Var u{"u"}, c{"c"}, n{"n"};
  Func starts;
  std::unique_ptr<PlanePivot> parts;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Pivot, haline_pivot)

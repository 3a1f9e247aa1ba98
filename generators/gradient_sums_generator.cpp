// Sums of the gradient: sums(c, 0..2, block, n) = sum(g), sum(g * d), sum(d), block by block; g and d as in gradient.h,
// the order as in statistics.h. Takes planes of at least `chunk` elements.
#include "ahead.h"
#include "estimates.h"
#include "gradient.h"

namespace haline {
using namespace Halide;

class GradientSums : public GradientGenerator<GradientSums> {
 public:
  GeneratorParam<int> chunk{"chunk", 128};         // elements; part of the result's definition, not of the schedule
  GeneratorParam<bool> by_lane{"by_lane", false};  // kLast: each lane's sums, which lanes_generator.cpp adds up
  GeneratorParam<int> unroll{"unroll", 1};         // schedule: chunks of a step

  void configure() {
    AddInputs(-1);
    if (layout == Layout::kRows) channels = add_input<int>("channels");
    if (layout == Layout::kLast) add_input<int>("ahead");  // as in moments_generator.cpp
    if (by_lane) {
      lanes = add_output<Func>("lane_sums", std::vector<Type>(3, Float(64)), 4);  // (lane, block, c, n)
    } else {
      sums = add_output<Buffer<double, 4>>("sums");  // (c, which, block, n)
    }
  }

  void generate() {
    Round(Within(mean, 0, c));
    const auto terms = [this](const Expr &s) {
      const Expr g = G(s), d = D(s);
      return GradientTerms(g, d);
    };
    const Expr row = layout == Layout::kRows ? Expr(*channels) : Expr();
    // (Of larger planes the tail chunk is too small a part.)
    const bool short_tails = layout != Layout::kRows && !gpu() && chunk == 64;
    block_sums = std::make_unique<BlockSums>(terms, x.dim(0).extent(), chunk, b, c, n, nullptr, row, short_tails);
    if (by_lane) {
      *lanes = block_sums->Lanes();
    } else {
      (*sums)(c, which, b, n) = mux(which, block_sums->Total(b, c, n));
    }
  }

  void schedule() {
    if (using_autoscheduler()) return Estimate(*this);
    for (Input<Volume> *f : {&x, &dy, &residual}) f->dim(0).set_min(0);
    const int vector = natural_vector_size(MathType(element)), across = AcrossVector(MathType(element), get_target());
    if (by_lane) {
      SetInputLayouts();
      ScheduleBFloats(get_pipeline());
      get_pipeline().add_custom_lowering_pass(FetchAhead::OfLanes({"x", "dy", "residual"}));
      block_sums->ScheduleLanesAcross(rounded, vector, across);
      for (const Expr &condition : Cases()) block_sums->Specialize(condition);
      return;
    }
    sums->dim(1).set_bounds(0, 3);
    if (gpu()) {
      block_sums->ScheduleOnGpu(*sums, 3, x.dim(1).stride() == 1);
      return FinishGpuSchedule(x, dy, residual);
    }
    ScheduleBFloats(get_pipeline());
    if (layout == Layout::kPlanes) {
      sums->bound(which, 0, 3).reorder(which, b, c, n).unroll(which);
      block_sums->Schedule(LoopLevel(*sums, b), vector, unroll);
      // (Planes of whole chunks don't ask for tails. One Zen 1 thread, 64 elements, of the time before short ones:
      // 0.97, else 1.05.)
      if (chunk == 64) sums->specialize(x.dim(0).extent() % chunk == 0);
    } else {
      SetInputLayouts();
      sums->bound(which, 0, 3).reorder(which, c, b, n).unroll(which).vectorize(c, vector, TailStrategy::Predicate);
      const bool rows = layout == Layout::kRows;
      StageAcross(rounded, LoopLevel(*sums, n), rows ? kMostRow : kMostSummed, vector);
      if (rows) {
        get_pipeline().add_custom_lowering_pass(FetchAhead::OfChunks({"x", "dy", "residual"}, chunk));
        block_sums->ScheduleRows(LoopLevel(*sums, b), vector, *channels);
      } else {
        get_pipeline().add_custom_lowering_pass(FetchAhead::OfRows({"x", "dy", "residual"}, chunk));
        block_sums->ScheduleAcross(LoopLevel(*sums, b), vector, across, sums->dim(0).extent(),
                                   get_target().has_feature(Target::AVX512));
      }
    }
    for (const Expr &condition : Cases()) block_sums->Specialize(condition);
  }

 private:
  // What has a version of its own.
  Exprs Cases() const {
    const Expr relu = IsRelu(slope, element);
    if (layout != Layout::kPlanes) return {form == 0, relu};
    return {form == 0, relu && !has_residual, relu, !has_residual};
  }

  Var b{"b"}, which{"which"};
  GeneratorInput<int> *channels = nullptr;  // of a row
  GeneratorOutput<Func> *lanes = nullptr;
  GeneratorOutput<Buffer<double, 4>> *sums = nullptr;
  std::unique_ptr<BlockSums> block_sums;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::GradientSums, haline_gradient_sums)

// Moments of planes about a pivot: sums(c, 0..1, block, n) = sum(x - pivot), sum((x - pivot)^2), block by block.
// The order of every sum is explained in statistics.h. Takes planes of at least `chunk` elements.
#include "ahead.h"
#include "element.h"
#include "estimates.h"
#include "formula.h"
#include "gpu.h"
#include "layout.h"
#include "statistics.h"

namespace haline {
using namespace Halide;

class Moments : public KernelGenerator<Moments> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> chunk{"chunk", 128};         // elements; part of the result's definition, not of the schedule
  GeneratorParam<bool> by_lane{"by_lane", false};  // kLast: each lane's sums, which lanes_generator.cpp adds up
  GeneratorParam<int> unroll{"unroll", 1};         // schedule: chunks of a step
  GeneratorParam<Layout> layout{"layout", Layout::kPlanes, kLayouts};

  Input<Buffer<void, 3>> x{"x"};            // (s, c, n), as `layout` says
  Input<Buffer<double, 2>> pivot{"pivot"};  // (c, n), c as in x

  void configure() {
    AddInputs(-1);
    // Bytes from x's elements to what is fetched meanwhile: where results will go, or the next planes; or 0.
    if (layout == Layout::kPlanes && !gpu()) to = add_input<int64_t>("to");
    if (layout == Layout::kRows) channels = add_input<int>("channels");
    if (layout == Layout::kLast) add_input<int>("ahead");  // as FetchAhead::OfLanes has it
    if (by_lane) {
      lanes = add_output<Func>("lane_sums", std::vector<Type>(2, Float(64)), 4);  // (lane, block, c, n)
    } else {
      sums = add_output<Buffer<double, 4>>("sums");  // (c, which, block, n)
    }
  }

  void generate() {
    center(c, n) = cast(MathType(element), pivot(Within(pivot, 0, c), n));
    const auto terms = [this](const Expr &s) {
      const Expr d = Load(x(s, Within(x, 1, c), n), element, get_target()) - center(c, n);
      return MomentTerms(d);
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
    x.dim(0).set_min(0);
    const int vector = natural_vector_size(MathType(element));
    if (by_lane) {
      SetLayout(x, layout);
      ScheduleBFloats(get_pipeline());
      get_pipeline().add_custom_lowering_pass(FetchAhead::OfLanes({"x"}));
      return block_sums->ScheduleLanesAcross(center, vector, vector);
    }
    sums->dim(1).set_bounds(0, 2);
    if (gpu()) {
      block_sums->ScheduleOnGpu(*sums, 2, x.dim(1).stride() == 1);
      return FinishGpuSchedule(x);
    }
    ScheduleBFloats(get_pipeline());
    if (layout == Layout::kPlanes) {
      sums->bound(which, 0, 2).reorder(which, b, c, n).unroll(which);
      block_sums->Schedule(LoopLevel(*sums, b), vector, unroll);
      // (Planes of whole chunks don't ask for tails: see gradient_sums_generator.cpp.)
      if (chunk == 64) sums->specialize(x.dim(0).extent() % chunk == 0);
      get_pipeline().add_custom_lowering_pass(FetchAhead::OfPlanes({"x"}, ".s1.k$", *to));
    } else {
      SetLayout(x, layout);
      sums->bound(which, 0, 2).reorder(which, c, b, n).unroll(which).vectorize(c, vector, TailStrategy::Predicate);
      const bool rows = layout == Layout::kRows;
      StageAcross(center, LoopLevel(*sums, n), rows ? kMostRow : kMostSummed, vector);
      if (rows) {
        get_pipeline().add_custom_lowering_pass(FetchAhead::OfChunks({"x"}, chunk));
        return block_sums->ScheduleRows(LoopLevel(*sums, b), vector, *channels);
      }
      get_pipeline().add_custom_lowering_pass(FetchAhead::OfRows({"x"}, chunk));
      block_sums->ScheduleAcross(LoopLevel(*sums, b), vector, vector, sums->dim(0).extent(),
                                 get_target().has_feature(Target::AVX512));
    }
  }

 private:
  Var b{"b"}, c{"c"}, n{"n"}, which{"which"};
  Func center{"center"};
  Input<int64_t> *to = nullptr;
  Input<int> *channels = nullptr;  // of a row
  Output<Func> *lanes = nullptr;
  Output<Buffer<double, 4>> *sums = nullptr;
  std::unique_ptr<BlockSums> block_sums;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Moments, haline_moments)

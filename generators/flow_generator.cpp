// Pivots and moments of planes, as in pivot_ and moments_generator.cpp, while y of the planes before them is made, as
// in apply_generator.cpp, and written past the caches: a chunk of one, a chunk of the other, so that memory is read and
// written at a time. The planes before must be as many and as large.
#include "element.h"
#include "formula.h"
#include "pivot.h"
#include "statistics.h"
#include "stream.h"

namespace haline {
using namespace Halide;

class Flow : public Generator<Flow> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> chunk{"chunk", 128};     // elements; part of the result's definition, not of the schedule
  GeneratorParam<bool> alone{"alone", false};  // sums are 0, and x and pivot not looked at

  Input<Buffer<void, 3>> x{"x"};            // (s, c, n), s contiguous
  Input<Buffer<double, 2>> pivot{"pivot"};  // (c, n), where it goes, or, where `has_pivot`, is
  Input<bool> has_pivot{"has_pivot"};
  Input<Buffer<void, 3>> before{"before"};  // as x; this and the following are as in apply_generator.cpp
  Input<Buffer<double, 3>> coefficients{"coefficients"};
  Input<Buffer<void, 3>> residual{"residual"};
  Input<bool> has_residual{"has_residual"};
  Input<double> slope{"slope"};
  Input<int> form{"form"};
  Input<Buffer<void, 3>> y{"y"};           // where y of the planes before goes
  Input<int> lead{"lead"};                 // as Lines has it
  Input<int> turn{"turn"};                 // as Lines has it
  Input<int> ahead{"ahead"};               // bytes: how far beyond x's chunk the lines are that are fetched
  Output<Buffer<double, 4>> sums{"sums"};  // (c, which, block, n)

  void generate() {
    const Type type = MathType(element);
    const int line = kLine / StorageType(element).bytes();
    const auto load = [this](Input<Buffer<void, 3>> &f, const Expr &s) {
      return Load(f(s, c, n), element, get_target());
    };
    number(i, c, n) = cast(type, coefficients(c, i, n));
    const auto place = [this](const Expr &s) { return y(s, c, n); };
    const auto value = [&](const Expr &s) {
      // (Where L2 holds the planes, as fast as without; of 8 MiB, one Zen 5 thread, 0.65 and 0.71 of a copy. Time by
      // that of 1 KiB ahead, a Xeon's thread, planes of 8 and 64 MiB: 2 KiB 1.00 and 1.00, 4 KiB 0.99 and 0.99, 8 KiB
      // 0.99 and 1.02, bfloat16 0.98 and 0.97, 0.98 and 0.95, 0.98 and 0.95.)
      const Expr x_before = Load(Fetched(before(s, c, n), 4096), element, get_target());
      // (The residual, too: one Xeon thread, time by that without, float32 0.94 to 1.0, bfloat16 0.75 to 0.89, float16
      // 0.69 to 0.81.)
      const Expr result =
          ResultByCase(x_before, {number(0, c, n), number(1, c, n), number(2, c, n)}, has_residual,
                       Load(Fetched(residual(s, c, n), 4096), element, get_target()), cast(type, slope), form);
      return StoreResult(result, element, get_target(), true);
    };
    const Expr size = before.dim(0).extent();
    lines = std::make_unique<Lines>(place, value, y, Internal::const_true(), lead, turn, size, chunk, line, q, c, n);
    if (alone) {
      const RDom chunks(0, size / chunk);
      written(c, n) = undef<int>();
      written(c, n) = lines->Chunk(chunks, c, n);
      sums(c, which, b, n) = cast<double>(lines->Rest(c, n) + written(c, n));
      return;
    }

    const PivotRuns runs(size);
    starts = runs.Table();
    const auto sample = [=, this](const Expr &u, const Expr &run) { return load(x, runs.At(starts, run, u)); };
    about = std::make_unique<PlanePivot>(sample, runs.count, u, c, n);
    near_mean(c, n) = select(has_pivot, cast(type, pivot(c, n)), about->value);
    // Those of the next planes, unless what lies ahead is fetched soon enough.
    sampled(c, n) = undef<int>();
    const int bytes = StorageType(element).bytes();
    RDom r(0, 2, 0, runs.count);
    r.where(size * bytes > ahead);
    const Expr next = select(InFours(), 4, 1) * x.dim(1).stride() * bytes;
    sampled(c, n) = Fetch(x(runs.At(starts, r.y, r.x * kHalfRun), c, n), next);
    kept(c, n) = Put(pivot(c, n), cast<double>(near_mean(c, n)));
    // (Into L2: one Zen 4 thread, planes of 4 KiB in memory, 0.49 and 0.71 of a copy. Backward, where two are fetched,
    // into L1: 0.55 and 0.49 for planes of 256 KiB, 0.51 and 0.55 for those of 4 KiB.)
    const auto terms = [=, this](const Expr &s) {
      Exprs values = MomentTerms(load(x, s) - near_mean(c, n));
      // (Of the two sums one fetches.)
      values[0] = MomentTerms(Load(Fetched(x(s, c, n), ahead, Into::kL2), element, get_target()) - near_mean(c, n))[0];
      return values;
    };
    block_sums = std::make_unique<BlockSums>(terms, size, chunk, b, c, n,
                                             [this](const Expr &q) { return lines->Chunk(q, c, n); });
    sums(c, which, b, n) =
        After(lines->Rest(c, n) + kept(c, n) + sampled(c, n), mux(which, block_sums->Total(b, c, n)));
  }

  void schedule() {
    get_pipeline().add_custom_lowering_pass(new PutAndFetch);
    ScheduleBFloats(get_pipeline());
    for (auto *f : {&x, &before, &residual, &y}) f->dim(0).set_min(0);
    sums.dim(1).set_bounds(0, 2);
    sums.bound(which, 0, 2).reorder(which, b, c, n).unroll(which);
    const int vector = natural_vector_size(MathType(element));
    // Pivots of four planes at a time: a plane's runs are added in order, each after the one before. (One thread of a
    // Xeon with AVX-512, float32 in memory, time by that of one at a time: planes of 1024 elements 0.93, 961 0.94, 1225
    // 0.93, 2048 0.99, 4096 0.96, 65536 1.00; AVX2 0.95, 0.94, -, 1.00, 0.99, 0.97. Smaller ones 1.02 to 1.05.)
    Var co("co"), ci("ci");
    if (Fours()) sums.specialize(InFours()).split(c, co, ci, 4, TailStrategy::RoundUp);
    sums.split(c, co, ci, 1);
    const LoopLevel planes(sums, co), plane(sums, ci);
    number.compute_at(plane).bound(i, 0, 3).unroll(i);
    const Exprs cases = ResultCases(cast(MathType(element), slope), form);
    if (alone) {
      written.compute_at(plane);
      lines->Schedule(LoopLevel(written, written.rvars(0)[0]), plane, natural_vector_size(StorageType(element)), cases);
      return;
    }
    block_sums->Schedule(LoopLevel(sums, b), vector);
    lines->Schedule(block_sums->EachChunk(), plane, natural_vector_size(StorageType(element)), cases);
    PivotRuns::Schedule(starts);
    about->Schedule(planes, Fours() ? LoopLevel(near_mean, c) : plane, vector);
    if (Fours()) about->first.compute_at(planes).unroll(c);
    near_mean.compute_at(Fours() ? planes : plane);
    kept.compute_at(plane);
    sampled.compute_at(plane);
  }

 private:
  bool Fours() const { return chunk != 64 && !alone; }
  Expr InFours() { return Fours() ? sums.dim(0).extent() % 4 == 0 : Internal::const_false(); }

  Var b{"b"}, c{"c"}, n{"n"}, which{"which"}, u{"u"}, i{"i"}, q{"q"};
  Func near_mean{"near_mean"}, kept{"kept"}, number{"number"}, sampled{"sampled"}, written{"written"}, starts;
  std::unique_ptr<PlanePivot> about;
  std::unique_ptr<Lines> lines;
  std::unique_ptr<BlockSums> block_sums;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Flow, haline_flow)

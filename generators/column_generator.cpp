// Instance norm of channels-last planes of 64 to 511 elements, some vectors of channels at a time, in one kernel: what
// pivot, moments, coefficients and apply do. A vector with a plane that the float sums can't serve is left as it is.
#include "ahead.h"
#include "estimates.h"
#include "formula.h"
#include "gpu.h"
#include "pivot.h"
#include "plane_numbers.h"
#include "stream.h"

namespace haline {
using namespace Halide;

class Column : public KernelGenerator<Column> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> chunk{"chunk", 64};  // elements; part of the result's definition, not of the schedule

  Input<Buffer<void, 3>> x{"x"};          // (s, c, n), channels-last: whole registers of channels
  Input<Buffer<void, 2>> scale{"scale"};  // (c, n)
  Input<Buffer<void, 2>> shift{"shift"};  // (c, n)
  Input<double> slope{"slope"};           // of the activation below 0; 1: none
  Input<double> eps{"eps"};
  Input<Buffer<double, 3>> numbers{"numbers"};  // where (c, {fast, mean, var, rstd}, n) go, aligned
  Output<Buffer<void, 3>> y{"y"};               // as x; may be x

  void generate() {
    const Type type = MathType(element);
    const Expr size = x.dim(0).extent();
    // (Bounds inference does not see that a batch of vectors ends with the last.)
    const auto last = [this](const Expr &e) { return unsafe_promise_clamped(e, 0, y.dim(1).extent() - 1); };
    const auto at = [=, this](const Expr &e) { return Load(x(e, last(c), n), element, get_target()); };
    const Expr runs = min(size / kLanes, kMostRuns), step = size / runs;
    pivots =
        std::make_unique<PlanePivot>([=](const Expr &i, const Expr &run) { return at(run * step + i); }, runs, u, c, n);
    pivot(c, n) = pivots->value;
    sums = std::make_unique<BlockSums>([=, this](const Expr &e) { return MomentTerms(at(e) - pivot(c, n)); }, size,
                                       chunk, b, c, n, nullptr, Expr(), true);
    total(c, n) = Tuple(sums->Total(0, c, n));
    const auto of = [=, this](Input<Buffer<void, 2>> &f) {
      return [=, this, &f](const Expr &e) { return cast<double>(f(last(e), n)); };
    };
    columns = std::make_unique<PlaneNumbers>(
        element, Doubles(), Values(total, {c, n}), [this](const Expr &e) { return cast<double>(pivot(e, n)); },
        of(scale), of(shift), eps, cast<double>(size), c, n);

    const Exprs all = Values(columns->columns, {c, n});
    rounded(c, n) = Tuple(cast(type, all[0]), cast(type, all[1]), cast(type, all[2]));
    every(v, n) = 1;
    lane = RDom(0, Stored(), "lane");
    every(v, n) = min(every(v, n), cast<int>(columns->columns(v * Stored() + lane, n)[3]));
    kept(c, which, n) =
        Put(numbers(last(c), which, n), mux(which, {cast<double>(every(c / Stored(), n)), all[4], all[5], all[6]}));

    y(s, c, n) = undef(StorageType(element));
    r = RDom(0, size, "r");
    const Expr vector = c / Stored();
    r.where(every(vector, n) + kept(vector * Stored(), 0, n) != 0);
    const Expr form = select(slope == 1, 0, 1);
    const Expr e = at(r);
    const Expr result = ResultByCase(e, Values(rounded, {c, n}), Internal::const_false(), e, cast(type, slope), form);
    y(r, c, n) = StoreResult(result, element, get_target());
  }

  void schedule() {
    get_pipeline().add_custom_lowering_pass(new PutAndFetch);
    const int most = kBatch * natural_vector_size(MathType(element));
    // One Zen 3 thread, time by that without, x's lines alone and both: 32x256x8x8 from L3 1.00 and 1.01, of 16 MiB
    // 0.83 and 0.78; 32x512x8x8 0.92 and 0.81, 0.87 and 0.79; 64x64x10x10 1.00 and 1.04, 0.92 and 0.89.
    for (auto *pass : {FetchAhead::OfSteps({"x"}, "lanes.0", ".s1.k$", ".cb", most, false),
                       FetchAhead::OfSteps({}, "y", ".r$", ".cb", most, true)}) {
      get_pipeline().add_custom_lowering_pass(pass);
    }
    ScheduleBFloats(get_pipeline());
    SetLayout(x, Layout::kLast);
    SetLayout(y, Layout::kLast);
    x.dim(0).set_bounds(0, y.dim(0).extent());
    y.dim(0).set_min(0);
    y.dim(1).set_min(0);

    Var co("co"), ci("ci"), cb("cb"), cg("cg");
    RVar ro("ro"), ri("ri");
    Stage results = y.update();
    results.split(c, co, ci, Stored(), TailStrategy::RoundUp)
        .split(co, cb, cg, most / Stored(), TailStrategy::GuardWithIf)
        .split(r, ro, ri, 8, TailStrategy::GuardWithIf)
        .reorder(ci, ri, cg, ro, cb, n)
        .vectorize(ci);

    const LoopLevel step(y, cb);
    const auto across = [&](Func f, int vector) {
      f.compute_at(step).store_in(MemoryType::Stack).bound_storage(c, most);
      f.split(c, co, ci, vector, TailStrategy::RoundUp).vectorize(ci);
    };
    across(pivot, Vector());
    pivots->first.compute_at(pivot, co).vectorize(c, Vector());
    pivots->ScheduleAcross(LoopLevel(pivot, co), Vector());
    across(total, Vector());
    // (Planes of whole chunks don't ask for tails: one Zen 1 thread, 64 elements 0.97 of the time, and 1.02 to 1.04
    // where they do.)
    total.specialize(y.dim(0).extent() % chunk == 0);
    sums->ScheduleColumn(LoopLevel(total, co), Vector());
    across(rounded, Vector());
    across(columns->columns, Doubles());
    const LoopLevel vectors(columns->columns, co);
    columns->moments.compute_at(vectors).vectorize(c, Doubles());
    columns->line.compute_at(vectors).bound(columns->i, 0, Doubles()).vectorize(columns->i);
    columns->line.update().vectorize(columns->rooted);
    columns->any_large.compute_at(vectors);
    columns->any_large.update().atomic().vectorize(columns->lane);
    every.compute_at(step).store_in(MemoryType::Stack).bound_storage(v, most / Stored());
    every.update().atomic().vectorize(lane);
    kept.compute_at(step).store_in(MemoryType::Stack).bound_storage(c, most).align_bounds(c, Stored());
    kept.vectorize(c, Doubles(), TailStrategy::RoundUp).bound(which, 0, 4).unroll(which);
    for (const Expr &activation : {slope == 1, cast(MathType(element), slope) == 0}) results.specialize(activation);
  }

 private:
  // Vectors of channels of a step: what one waits for, another does not, and rows are read in longer pieces. (One Zen 5
  // thread, AVX-512, 64 elements of 256 channels: 1 21 GB/s, 2 26, 4 26, 8 27.)
  static constexpr int kBatch = 8;

  int Vector() const { return AcrossVector(MathType(element), get_target()); }
  int Doubles() const { return natural_vector_size<double>(); }
  // Channels of a result's vector: a register of stored elements. (bfloat16, AVX-512, one Zen 4 thread, 64 elements of
  // 256 channels: by 16 11.4 GB/s, by 32 13.0.)
  int Stored() const { return std::max(Vector(), ElementVector(element, get_target())); }

  Var s{"s"}, c{"c"}, n{"n"}, u{"u"}, b{"b"}, v{"v"}, which{"which"};
  RDom r, lane;
  Func pivot{"pivot"}, total{"total"}, rounded{"rounded"}, kept{"kept"}, every{"every"};
  std::unique_ptr<PlanePivot> pivots;
  std::unique_ptr<BlockSums> sums;
  std::unique_ptr<PlaneNumbers> columns;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Column, haline_column)

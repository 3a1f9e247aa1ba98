// Instance norm of small planes, a batch of them at a time, in one kernel that reads them from memory once: what pivot,
// moments, coefficients and apply do. Those that the float sums can't serve are left as they are, for the wide kernel.
#include "ahead.h"
#include "formula.h"
#include "group.h"
#include "pivot.h"
#include "plane_numbers.h"

namespace haline {
using namespace Halide;

class Group : public Generator<Group> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> chunk{"chunk", 64};  // elements; part of the result's definition, not of the schedule
  GeneratorParam<int> batch{"batch", 2};   // schedule: groups of a step

  Input<Buffer<void, 3>> x{"x"};          // (s, c, n): whole groups of planes, of at least `chunk` elements
  Input<Buffer<void, 2>> scale{"scale"};  // (c, n)
  Input<Buffer<void, 2>> shift{"shift"};  // (c, n)
  Input<double> slope{"slope"};           // of the activation below 0; 1: none
  Input<double> eps{"eps"};
  Output<Buffer<void, 3>> y{"y"};                // as x; may be x
  Output<Buffer<double, 3>> numbers{"numbers"};  // (c, {fast, mean, var, rstd}, n)

  void generate() {
    const Type type = MathType(element);
    const Expr size = x.dim(0).extent();
    // (Bounds inference does not see that a batch of groups ends with the last.)
    const auto plane = [this](const Expr &e) { return unsafe_promise_clamped(e, y.dim(1).min(), y.dim(1).max()); };
    const auto load = [=, this](const Expr &s, const Expr &p) { return Load(x(s, p, n), element, get_target()); };

    pivots =
        std::make_unique<GroupPivot>([=, this](const Expr &e) { return load(e, plane(c)); }, size, kMostRuns, c, n);
    pivot(c, n) = pivots->value;
    sums = std::make_unique<GroupSums>(
        [=, this](const Expr &e) { return MomentTerms(load(e, plane(c)) - pivot(c, n)); }, size, chunk, c, n);
    columns = std::make_unique<PlaneNumbers>(
        element, Doubles(), sums->Total(c, n), [this](const Expr &e) { return cast<double>(pivot(e, n)); },
        [=, this](const Expr &e) { return cast<double>(scale(plane(e), n)); },
        [=, this](const Expr &e) { return cast<double>(shift(plane(e), n)); }, eps, cast<double>(size), c, n,
        PowerOfTwo());
    Exprs all = Values(columns->columns, {c, n});
    for (int i : {0, 1, 2}) all[i] = cast(type, all[i]);
    known(c, n) = Tuple(all);

    all = Values(known, {plane(c), n});
    numbers(c, which, n) = mux(which, {all[3], all[4], all[5], all[6]});
    own(c, n) = Tuple(all[0], all[1], all[2], all[3]);
    y(s, c, n) = undef(StorageType(element));
    r = RDom(0, size, "r");
    r.where(own(c, n)[3] != 0);
    const Expr e = load(r, c), form = select(slope == 1, 0, 1);
    const Expr result = ResultByCase(e, Values(own, {c, n}), Internal::const_false(), e, cast(type, slope), form);
    y(r, c, n) = StoreResult(result, element, get_target());
  }

  void schedule() {
    const int vector = natural_vector_size(MathType(element)), most = GroupLoop::kGroup * batch;
    // Where the results will be stored, while the sums are made. One Zen 1 thread, float32, time by that without and
    // with 4 groups of a step, 2 of them and 4: 32x256x8x8 0.96 and 0.97, 32x128x16x16 0.87 and 0.88, 64x64x10x10 1.01
    // and 1.01, 2x320x4x4x4 0.96 and 0.98; four pairs of tensors in turns 0.88 and 0.93, 0.86 and 0.88, 0.93 and 0.94,
    // 0.96 and 0.98. bfloat16 0.98 to 1.01. (The next step's elements too: 1.07 to 1.2 in L2, 0.88 to 1.06 out of it.)
    const auto address = [](const char *image) {
      return reinterpret<int64_t>(Internal::Variable::make(Handle(), image));
    };
    get_pipeline().add_custom_lowering_pass(
        FetchAhead::OfPlanes({"x"}, "lane_tree8.s0.c", address("y") - address("x")));
    ScheduleBFloats(get_pipeline());
    x.dim(0).set_bounds(0, y.dim(0).extent());
    numbers.dim(0).set_bounds(y.dim(1).min(), y.dim(1).extent());
    numbers.dim(1).set_bounds(0, 4);
    numbers.dim(2).set_bounds(y.dim(2).min(), y.dim(2).extent());
    numbers.bound(which, 0, 4);
    y.dim(0).set_min(0);
    y.dim(1).set_min(0);

    // All planes' pivots, then all sums, then all numbers, then all results: each step waits for the one before, which
    // takes longer than it takes work. Zen 5, one thread, time by that of the four kernels: AVX-512, S = 64 0.77, 80
    // 0.86, 100 0.97, 128 0.85, 192 0.91, 256 and 400 1.0; AVX2, 64 0.88, 128 0.89, 256 0.74, 400 0.83; SSE4.1 0.90,
    // 0.96, 0.86 and 0.81. With chunks of 128 (S = 512 to 1024) 0.93 to 1.08: not worth a kernel. Groups of a step, at
    // S = 64: 2 0.77, 4 0.77, 8 0.77; at S = 128 0.80, 0.87, 0.94.
    Var co("co"), ci("ci"), cb("cb"), cg("cg");
    Stage results = y.update();
    for (Stage stage : {results, Stage(numbers)}) {
      stage.split(c, co, ci, GroupLoop::kGroup, TailStrategy::RoundUp)
          .split(co, cb, cg, batch, TailStrategy::GuardWithIf);
    }
    results.reorder(r, ci, cg, cb, n).never_partition(cb, cg);
    numbers.reorder(ci, which, cg, cb, n).vectorize(ci, Doubles()).unroll(ci).unroll(which);
    numbers.compute_with(results, cb);

    const GroupLoop loop{LoopLevel(y, cb), most};
    pivots->Schedule(loop, vector);
    sums->Schedule(loop, vector, Doubles());
    for (Func f : {pivot, known}) {
      loop.Schedule(f, c, Doubles());
      f.vectorize(ci);
    }
    known.specialize(PowerOfTwo());
    columns->columns.compute_at(known, co).vectorize(c, Doubles());
    columns->Schedule(LoopLevel(known, co), Doubles());
    own.compute_at(y, ci);

    const int elements = ElementVector(element, get_target());
    const auto vectors_of = [&](Stage stage, int count) {
      RVar ro("ro"), ri("ri");
      stage.split(r, ro, ri, elements * count, TailStrategy::GuardWithIf).reorder(ri, ro, ci, cg, cb, n);
      count == 1 ? stage.vectorize(ri) : stage.vectorize(ri, elements).unroll(ri);
    };
    const Expr size = y.dim(0).extent();
    // (A version for ReLU, and another slope's by so many vectors: one Xeon thread, 0.84 to 0.93 and 0.93 to 0.97.)
    const Expr plain = slope == 1, relu = cast(MathType(element), slope) == 0;
    vectors_of(results.specialize(plain && size == chunk), 4);
    for (const Expr &activation : {plain, relu, Internal::const_true()}) {
      vectors_of(results.specialize(activation && size % (4 * elements) == 0), 4);
      vectors_of(results.specialize(activation), 1);
    }
    results.specialize_fail("all slopes are among these");
  }

 private:
  int Doubles() const { return natural_vector_size<double>(); }
  Expr PowerOfTwo() { return (y.dim(0).extent() & (y.dim(0).extent() - 1)) == 0; }

  Var s{"s"}, c{"c"}, n{"n"}, which{"which"};
  RDom r;
  Func pivot{"pivot"}, known{"known"}, own{"own"};
  std::unique_ptr<GroupPivot> pivots;
  std::unique_ptr<GroupSums> sums;
  std::unique_ptr<PlaneNumbers> columns;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Group, haline_group)

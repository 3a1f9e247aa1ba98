// Moments of planes, as in moments_generator.cpp, while y of the planes before them is made, as in apply_generator.cpp,
// and written past the caches: a chunk of one, a chunk of the other, so that memory is read and written at a time.
// The planes before must be as many and as large; their elements past the last whole chunk are left out.
#include "element.h"
#include "formula.h"
#include "statistics.h"
#include "stream.h"

namespace haline {
using namespace Halide;

class Flow : public Generator<Flow> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> chunk{"chunk", 128};  // elements; part of the result's definition, not of the schedule

  Input<Buffer<void, 3>> x{"x"};            // (s, c, n), s contiguous
  Input<Buffer<double, 2>> pivot{"pivot"};  // (c, n)
  Input<Buffer<void, 3>> before{"before"};  // as x; this and the following are as in apply_generator.cpp
  Input<Buffer<double, 3>> coefficients{"coefficients"};
  Input<Buffer<void, 3>> residual{"residual"};
  Input<bool> has_residual{"has_residual"};
  Input<double> slope{"slope"};
  Input<int> form{"form"};
  Input<Buffer<void, 3>> y{"y"};           // where y of the planes before goes
  Input<int> ahead{"ahead"};               // as Stream has it
  Output<Buffer<double, 4>> sums{"sums"};  // (c, which, block, n)

  void generate() {
    const Type type = MathType(element);
    const auto load = [this](Input<Buffer<void, 3>> &f, const Expr &s) {
      return Load(f(s, c, n), element, get_target());
    };
    const Expr s = q * chunk + i;
    const auto coefficient = [&](int i) { return cast(type, coefficients(c, i, n)); };
    tile(i, q, c, n) = StoreResult(Result(load(before, s), {coefficient(0), coefficient(1), coefficient(2)},
                                          has_residual, load(residual, s), cast(type, slope), form),
                                   form, element, get_target());
    done(q, c, n) = Stream(y(q * chunk, c, n), tile(0, q, c, n), x(q * chunk, c, n), chunk, ahead);

    const auto terms = [=, this](const Expr &s) {
      const Expr d = load(x, s) - cast(type, pivot(c, n));
      return MomentTerms(d);
    };
    block_sums = std::make_unique<BlockSums>(terms, x.dim(0).extent(), chunk, b, c, n,
                                             [this](const Expr &q) { return done(q, c, n); });
    sums(c, which, b, n) = mux(which, block_sums->Total(b, c, n));
  }

  void schedule() {
    get_pipeline().add_custom_lowering_pass(new Addresses);
    ScheduleBFloats(get_pipeline());
    for (auto *f : {&x, &before, &residual, &y}) f->dim(0).set_min(0);
    sums.dim(1).set_bounds(0, 2);
    sums.bound(which, 0, 2).reorder(which, b, c, n).unroll(which);
    const int vector = natural_vector_size(MathType(element));
    block_sums->Schedule(LoopLevel(sums, b), vector);
    ScheduleStream(done, tile, block_sums->EachChunk(), chunk, ElementVector(element, get_target()));
    tile.specialize(form == 0);
    tile.specialize(form == 1);
  }

 private:
  Var b{"b"}, c{"c"}, n{"n"}, which{"which"}, i{"i"}, q{"q"};
  Func tile{"tile"}, done{"done"};
  std::unique_ptr<BlockSums> block_sums;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Flow, haline_flow)

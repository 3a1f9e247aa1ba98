// Sums of the gradient, as in gradient_sums_generator.cpp, while dx of the planes before is made, as in
// gradient_apply_generator.cpp, and written past the caches: a chunk of one, a chunk of the other, so that memory is
// read and written at a time. Without an activation. The planes before must be as many and as large; their elements
// past the last whole chunk are left out.
#include "element.h"
#include "formula.h"
#include "statistics.h"
#include "stream.h"

namespace haline {
using namespace Halide;

class GradientFlow : public Generator<GradientFlow> {
 public:
  using Volume = Buffer<void, 3>;
  GeneratorParam<Element> element{"element", Element::kF32, kElements};
  GeneratorParam<int> chunk{"chunk", 128};  // elements; part of the result's definition, not of the schedule

  Input<Volume> x{"x"};                   // (s, c, n), s contiguous
  Input<Volume> dy{"dy"};                 // as x
  Input<Buffer<double, 2>> mean{"mean"};  // (c, n)
  Input<Volume> x_before{"x_before"};     // as x; these are those of the planes before
  Input<Volume> dy_before{"dy_before"};   // as x
  Input<Buffer<double, 2>> mean_before{"mean_before"};
  Input<Buffer<double, 3>> gradient{"gradient"};  // (c, {A, B, E, ...}, n)
  Input<Volume> dx{"dx"};                         // where dx of the planes before goes
  Input<int> x_ahead{"x_ahead"};                  // as Stream has it
  Input<int> dy_ahead{"dy_ahead"};
  Output<Buffer<double, 4>> sums{"sums"};  // (c, which, block, n)

  void generate() {
    const auto load = [this](Input<Volume> &f, const Expr &s) { return Load(f(s, c, n), element, get_target()); };
    const auto centred = [=, this](Input<Volume> &f, Input<Buffer<double, 2>> &about, const Expr &s) {
      return load(f, s) - cast(MathType(element), about(c, n));
    };
    const auto coefficient = [this](int i) { return cast(MathType(element), gradient(c, i, n)); };
    const Expr s = q * chunk + i, d_before = centred(x_before, mean_before, s);
    const Expr full = GradientResult(load(dy_before, s), d_before, {coefficient(0), coefficient(1), coefficient(2)});
    tile(i, q, c, n) = Store(full, element, get_target());
    done(q, c, n) = Stream(dx(q * chunk, c, n), tile(0, q, c, n), x(q * chunk, c, n), chunk, x_ahead) +
                    Fetch(dy(q * chunk, c, n), chunk, dy_ahead);

    const auto terms = [=, this](const Expr &s) {
      const Expr g = load(dy, s), d = centred(x, mean, s);
      return GradientTerms(g, d);
    };
    block_sums = std::make_unique<BlockSums>(terms, x.dim(0).extent(), chunk, b, c, n,
                                             [this](const Expr &q) { return done(q, c, n); });
    sums(c, which, b, n) = mux(which, block_sums->Total(b, c, n));
  }

  void schedule() {
    get_pipeline().add_custom_lowering_pass(new Addresses);
    ScheduleBFloats(get_pipeline());
    for (Input<Volume> *f : {&x, &dy, &x_before, &dy_before, &dx}) f->dim(0).set_min(0);
    sums.dim(1).set_bounds(0, 3);
    sums.bound(which, 0, 3).reorder(which, b, c, n).unroll(which);
    const int vector = natural_vector_size(MathType(element));
    block_sums->Schedule(LoopLevel(sums, b), vector);
    ScheduleStream(done, tile, block_sums->EachChunk(), chunk, ElementVector(element, get_target()));
  }

 private:
  Var b{"b"}, c{"c"}, n{"n"}, which{"which"}, i{"i"}, q{"q"};
  Func tile{"tile"}, done{"done"};
  std::unique_ptr<BlockSums> block_sums;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::GradientFlow, haline_gradient_flow)

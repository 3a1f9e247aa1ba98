// Sums of the gradient, as in gradient_sums_generator.cpp, while dx and the residual's gradient of the planes before
// are made, as in gradient_apply_generator.cpp, and written past the caches: a chunk of one, a chunk of the other, so
// that memory is read and written at a time. The planes before must be as many and as large.
#include "gradient.h"
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
  Input<Volume> residual{"residual"};     // as x; x itself where there is none
  Input<Buffer<double, 2>> mean{"mean"};  // (c, n)
  Input<Volume> x_before{"x_before"};     // as x; these are those of the planes before
  Input<Volume> dy_before{"dy_before"};   // as x
  Input<Volume> residual_before{"residual_before"};
  Input<Buffer<double, 2>> mean_before{"mean_before"};
  Input<Buffer<double, 3>> coefficients{"coefficients"};  // (c, {h, a, b, ...}, n) of the forward pass
  Input<Buffer<double, 3>> coefficients_before{"coefficients_before"};
  Input<bool> has_residual{"has_residual"};
  Input<double> slope{"slope"};
  Input<int> form{"form"};                        // 0: no activation; coefficients and residual are not looked at
  Input<Buffer<double, 3>> gradient{"gradient"};  // (c, {A, B, E, ...}, n)
  Input<Volume> dx{"dx"};                         // where dx of the planes before goes
  Input<int> lead{"lead"};                        // as Lines has it
  Input<Volume> dresidual{"dresidual"};           // where the residual's gradient goes; apart from all that is read
  Input<bool> has_dresidual{"has_dresidual"};
  Input<int> dresidual_lead{"dresidual_lead"};
  Input<int> turn{"turn"};        // as Lines has it
  Input<int> x_ahead{"x_ahead"};  // bytes: how far beyond x's chunk the lines are that are fetched
  Input<int> dy_ahead{"dy_ahead"};
  Output<Buffer<double, 4>> sums{"sums"};  // (c, which, block, n)

  void generate() {
    const auto load = [this](Input<Volume> &f, const Expr &s) { return Load(f(s, c, n), element, get_target()); };
    number(i, c, n) = cast(MathType(element), gradient(c, i, n));
    about(c, n) = cast(MathType(element), mean_before(c, n));
    forward(i, c, n) = cast(MathType(element), coefficients(c, i, n));
    forward_before(i, c, n) = cast(MathType(element), coefficients_before(c, i, n));
    // (As far as memory has it, for planes that L2 has not. One thread of a Xeon, time by that without: 8 MiB 0.98, 64
    // MiB 0.92, 4 MiB 0.98; smaller ones 1.00 to 1.01.)
    const auto again = [&](Input<Volume> &f, const Expr &s) {
      return Load(Fetched(f(s, c, n), 4096), element, get_target());
    };
    const auto g_before = [&](const Expr &x, const Expr &s) {
      return GOf(x, again(residual_before, s), again(dy_before, s), forward_before);
    };
    const auto value = [&](const Expr &s) {
      const Expr x = again(x_before, s);
      return Store(GradientResult(g_before(x, s), x - about(c, n), Numbers(number)), element, get_target());
    };
    const auto value_of_residual = [&](const Expr &s) {
      return Store(OneNanToStore(g_before(load(x_before, s), s), element), element, get_target());
    };
    const int line = kLine / StorageType(element).bytes();
    const Expr size = x.dim(0).extent(), always = Internal::const_true();
    const auto lines_of = [&](Input<Volume> &to, const Expr &wanted, const Expr &to_lead, const auto &of_element) {
      const auto place = [&](const Expr &s) { return to(s, c, n); };
      return std::make_unique<Lines>(place, of_element, to, wanted, to_lead, turn, size, chunk, line, q, c, n);
    };
    lines = lines_of(dx, always, lead, value);
    residual_lines = lines_of(dresidual, has_dresidual, dresidual_lead, value_of_residual);

    const auto terms = [=, this](const Expr &s) {
      const Expr center = cast(MathType(element), mean(c, n));
      const Expr x_read = load(x, s), r_read = load(residual, s);
      Exprs values = GradientTerms(GOf(x_read, r_read, load(dy, s), forward), x_read - center);
      // x, residual and dy in turns, where all are needed.
      const auto fetched = [&](Input<Volume> &f, const Expr &ahead) {
        return Load(Fetched(f(s, c, n), ahead), element, get_target());
      };
      const Expr x_value = fetched(x, x_ahead), r_value = fetched(residual, dy_ahead);
      values[1] = GradientTerms(GOf(x_value, r_value, fetched(dy, dy_ahead), forward), x_value - center)[1];
      return values;
    };
    block_sums = std::make_unique<BlockSums>(terms, size, chunk, b, c, n, [this](const Expr &q) {
      return lines->Chunk(q, c, n) + residual_lines->Chunk(q, c, n);
    });
    sums(c, which, b, n) =
        After(lines->Rest(c, n) + residual_lines->Rest(c, n), mux(which, block_sums->Total(b, c, n)));
  }

  // One Zen 5 thread with AVX-512, of two tensors read and one written past the caches: 0.65 to 0.7, whatever the
  // planes. With a residual, one thread of a Xeon, time by that of tiles between sums, planes of 4 KiB to 8 MiB: its
  // gradient beside dx 0.61 to 0.66, with ReLU 0.62 to 0.70, dx alone with ReLU 0.68 to 0.76.
  void schedule() {
    get_pipeline().add_custom_lowering_pass(new PutAndFetch);
    ScheduleBFloats(get_pipeline());
    for (Input<Volume> *f : {&x, &dy, &residual, &x_before, &dy_before, &residual_before, &dx, &dresidual}) {
      f->dim(0).set_min(0);
    }
    sums.dim(1).set_bounds(0, 3);
    sums.bound(which, 0, 3).reorder(which, b, c, n).unroll(which);
    const int vector = natural_vector_size(MathType(element));
    block_sums->Schedule(LoopLevel(sums, b), vector);
    for (Func f : {number, forward, forward_before}) f.compute_at(sums, c).bound(i, 0, 3).unroll(i);
    about.compute_at(sums, c);
    const int stored = natural_vector_size(StorageType(element));
    for (Lines *written : {lines.get(), residual_lines.get()}) {
      written->Schedule(block_sums->EachChunk(), LoopLevel(sums, c), stored, Cases());
    }
    for (const Expr &condition : Cases()) block_sums->Specialize(condition);
  }

 private:
  Exprs Numbers(const Func &f) const { return {f(0, c, n), f(1, c, n), f(2, c, n)}; }
  Expr GOf(const Expr &x, const Expr &residual, const Expr &dy, const Func &forward) const {
    return GradientOf(WithResidual(Normal(x, Numbers(forward)), has_residual, residual), form, slope, dy);
  }
  Exprs Cases() const {
    const Expr relu = IsRelu(slope, element);
    return {form == 0, relu && !has_residual, relu, !has_residual};
  }

  Var b{"b"}, c{"c"}, n{"n"}, which{"which"}, i{"i"}, q{"q"};
  Func number{"number"}, about{"about"}, forward{"forward"}, forward_before{"forward_before"};
  std::unique_ptr<Lines> lines, residual_lines;
  std::unique_ptr<BlockSums> block_sums;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::GradientFlow, haline_gradient_flow)

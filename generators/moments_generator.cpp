// Moments of planes about a pivot: sums(c, 0..2, block, n) = pivot, sum(x - pivot), sum((x - pivot)^2).
// The order of every sum is explained in statistics.h. Takes planes of at least `chunk` elements.
#include "statistics.h"

namespace haline {
using namespace Halide;

class Moments : public Generator<Moments> {
 public:
  GeneratorParam<int> chunk{"chunk", 128};  // elements; part of the result's definition, not of the schedule

  Input<Buffer<float, 3>> x{"x"};          // (s, c, n), s contiguous
  Output<Buffer<double, 4>> sums{"sums"};  // (c, which, block, n)

  void generate() {
    const Expr size = x.dim(0).extent();
    const Expr full = size / chunk;  // whole chunks
    const int vectors = chunk / kLanes;

    const Expr first = x(0, c, n);
    const Expr run_count = min(size / kLanes, kMaxRuns);
    RDom j(0, run_count, "j");
    runs(u, c, n) = 0.f;
    runs(u, c, n) += x(j * (size / run_count) + u, c, n) - first;
    run_tree = std::make_unique<LaneTree>(runs, "run_tree");
    pivot(c, n) = first + run_tree->result()(0, c, n) / cast<float>(run_count * kLanes);

    const int chunks_per_block = kBlock / chunk;
    k = RDom(0, chunks_per_block, "k");
    const Expr at = b * chunks_per_block + k;
    k.where(at < full);
    lanes(u, b, c, n) = Tuple(Expr(0.0), Expr(0.0));
    Add([&](int i) { return x(at * chunk + i * kLanes + u, c, n) - pivot(c, n); }, vectors);

    // The tail chunk belongs to the last block.
    const Expr begin = size - chunk;
    tail = RDom(0, 1, "tail");
    tail.where(size % chunk != 0 && b == (full - 1) / chunks_per_block);
    Add(
        [&](int i) {
          const Expr s = begin + tail + i * kLanes + u;
          return select(s < full * chunk, 0.f, x(s, c, n) - pivot(c, n));
        },
        vectors);
    lane_tree = std::make_unique<LaneTree>(lanes, "lane_tree");
    const Func total = lane_tree->result();
    sums(c, which, b, n) = mux(which, {cast<double>(pivot(c, n)), total(0, b, c, n)[0], total(0, b, c, n)[1]});
  }

  void schedule() {
    const int vector = natural_vector_size<float>();
    x.dim(0).set_min(0);
    sums.bound(which, 0, 3).reorder(which, b, c, n).unroll(which);
    sums.dim(1).set_bounds(0, 3);
    pivot.compute_at(sums, c);
    runs.compute_at(pivot, Var::outermost()).bound(u, 0, kLanes).vectorize(u, vector).unroll(u);
    runs.update().vectorize(u, vector).unroll(u);
    run_tree->schedule(LoopLevel(pivot, Var::outermost()));
    lanes.compute_at(sums, b).bound(u, 0, kLanes).vectorize(u, vector).unroll(u);
    for (int i : {0, 1}) lanes.update(i).reorder(u, i == 0 ? k[0] : tail[0]).vectorize(u, vector).unroll(u);
    lane_tree->schedule(LoopLevel(sums, b));
  }

 private:
  void Add(const std::function<Expr(int)> &d, int vectors) {
    const Expr s1 = Tree(vectors, d);
    const Expr s2 = Tree(vectors, [&](int i) { return d(i) * d(i); });
    lanes(u, b, c, n) = Tuple(lanes(u, b, c, n)[0] + cast<double>(s1), lanes(u, b, c, n)[1] + cast<double>(s2));
  }

  Var u{"u"}, b{"b"}, c{"c"}, n{"n"}, which{"which"};
  RDom k, tail;
  Func runs{"runs"}, pivot{"pivot"}, lanes{"lanes"};
  std::unique_ptr<LaneTree> run_tree, lane_tree;
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Moments, haline_moments)

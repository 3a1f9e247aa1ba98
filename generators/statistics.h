// The statistics of a plane: every rounding that haline's sums make is written in this file, once.
// docs/numerics.md derives the error bound from these lines; a schedule may reorder loops, never a sum.
//
//   pivot        x0 + mean(x - x0) over up to 32 runs of 16 elements spread over the plane: near the mean, and
//                exactly the constant of a constant plane
//   lane u       16 lanes; a chunk of K elements gives each lane K / 16 elements, added as a binary tree in float
//   block        65,536 elements: the chunks' lane sums, added one after the other in double, then a tree over lanes
//   plane        the blocks' sums, added one after the other in double (coefficients_generator.cpp)
//
// Where K does not divide S, the last chunk is the plane's last K elements, those already counted replaced by zero:
// full vectors everywhere, and an order that depends on S alone.
#ifndef HALINE_GENERATORS_STATISTICS_H_
#define HALINE_GENERATORS_STATISTICS_H_

#include <functional>
#include <string>
#include <vector>

#include "Halide.h"

namespace haline {

constexpr int kLanes = 16;
constexpr int kMaxRuns = 32;
constexpr int kTiny = 64;      // planes of fewer elements go to the wide kernel's one-lane form
constexpr int kBlock = 65536;  // elements; runtime/plan.h has the same number (static_assert by a test)

// ((v0 + v1) + (v2 + v3)) + ...: a binary tree over `count` (a power of two) values.
inline Halide::Expr Tree(int count, const std::function<Halide::Expr(int)> &value, int first = 0) {
  if (count == 1) return value(first);
  return Tree(count / 2, value, first) + Tree(count / 2, value, first + count / 2);
}

// f's values at `args`, whether it has one or several.
inline std::vector<Halide::Expr> Values(const Halide::Func &f, const std::vector<Halide::Expr> &args) {
  if (f.outputs() == 1) return {f(args)};
  std::vector<Halide::Expr> values;
  for (int i = 0; i < f.outputs(); i++) values.push_back(f(args)[i]);
  return values;
}

// The sum over the lanes of `f`, whose first argument is the lane: f(u) + f(u + 8), then + 4, 2, 1.
// `at` places the small intermediate Funcs, so that they are vectors and not a gather of scalars.
struct LaneTree {
  std::vector<Halide::Func> levels;

  LaneTree(const Halide::Func &f, const std::string &name) {
    Halide::Func prev = f;
    const std::vector<Halide::Var> args = f.args();
    std::vector<Halide::Expr> low(args.begin(), args.end());
    for (int width = kLanes / 2; width >= 1; width /= 2) {
      Halide::Func next(name + std::to_string(width));
      std::vector<Halide::Expr> high = low;
      high[0] = low[0] + width;
      std::vector<Halide::Expr> sums = Values(prev, low);
      for (size_t i = 0; i < sums.size(); i++) sums[i] += Values(prev, high)[i];
      next(args) = Halide::Tuple(sums);
      levels.push_back(next);
      prev = next;
    }
  }

  Halide::Func result() const { return levels.back(); }

  void schedule(const Halide::LoopLevel &at) {
    int width = kLanes;
    for (Halide::Func &level : levels) {
      width /= 2;
      const Halide::Var u = level.args()[0];
      level.compute_at(at).bound(u, 0, width);
      if (width > 1) level.vectorize(u, width);
    }
  }
};

}  // namespace haline

#endif  // HALINE_GENERATORS_STATISTICS_H_

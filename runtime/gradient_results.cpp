#include "gradient_results.h"

namespace haline {

bool GradientResults::Streams(const Part &part) const {
  bool any = false, streams = false;
  ForResults([&](const Array &to, int) {
    streams = (streams || !any) && Engine::Streams(part, {&problem_.x, &problem_.dy, &residual(), &to});
    any = true;
  });
  return streams;
}

void GradientResults::WriteTile(const Waiting &waiting, int64_t tile, Fetches *fetches) {
  const Late &late = static_cast<const Late &>(waiting);
  const Numbers numbers{late.means, late.coefficients, late.gradients, late.row};
  StreamTile(TilesOf(late.part, 0, late.part.size), tile, late.part, numbers, fetches);
}

bool GradientResults::Flow(Late *before, const Part &next, const double *means, double *sums) {
  const Part part = before->part;
  if (before->done > 0 || !part.SameSize(next) || problem_.dresidual.data) return false;
  const Window x = Read(problem_.x, next, 0, next.size), dy = Read(problem_.dy, next, 0, next.size),
               x_before = Read(problem_.x, part, 0, part.size), dy_before = Read(problem_.dy, part, 0, part.size),
               dx = Written(problem_.dx, part, 0, part.size);
  const int64_t row = before->row;
  const int32_t near = NearOfTwo(part.size * Size(problem_.element));
  View mean = PerPlanes(means, next, next.channels), mean_before = PerPlanes(before->means, part, part.channels);
  View gradient = Columns(before->gradients, part, part.channels, kColumns, row);
  View out = Sums(sums, next, next.channels, 3, 0, Blocks(next.size));
  Call("gradient_flow", part.size < kLarge ? kernels_.gradient_flow_small : kernels_.gradient_flow_large, x.Elements(),
       dy.Elements(), mean, x_before.Elements(), dy_before.Elements(), mean_before, gradient, dx.Elements(),
       Lead(problem_.dx, part), near, near, out);
  before->done = before->tiles;
  return true;
}

void GradientResults::StreamTile(const Tiles &tiles, int64_t index, const Part &part, const Numbers &numbers,
                                 Fetches *fetches) {
  ForResults([&](const Array &to, int form) {
    Stream(tiles, index, to, {&problem_.x, &problem_.dy}, fetches,
           [&](const Part &p, int64_t first, int64_t count, View &out) {
             Elementwise(p, first, count, numbers.At(p.n - part.n, p.c - part.c), form, out);
           });
  });
}

void GradientResults::Apply(const Part &part, bool parallel, const Numbers &numbers) {
  if (Streams(part)) {
    return ForBlocks(part, parallel, true, [&](int64_t, int64_t, int64_t first, int64_t count) {
      const Tiles tiles = TilesOf(part, first, count);
      Fetches none;
      for (int64_t i = 0; i < tiles.count(); i++) StreamTile(tiles, i, part, numbers, &none);
      StreamFence();
    });
  }
  ForResults([&](const Array &to, int form) {
    if (plan_.layout == Layout::kLast) {
      const double *const means = numbers.means;
      return GradientApplyLast(part, parallel, to, form, means, numbers.coefficients, numbers.gradients, numbers.row);
    }
    const bool direct = Direct(part, {&problem_.x, &problem_.dy, &residual(), &to});
    ForBlocks(part, parallel, direct, [&](int64_t, int64_t, int64_t first, int64_t count) {
      const Window out = Written(to, part, first, count);
      View view = out.Elements();
      Elementwise(part, first, count, numbers, form, view);
      if (!outcome_.failed()) out.Flush();
    });
  });
}

void GradientResults::Elementwise(const Part &part, int64_t first, int64_t count, const Numbers &numbers, int form,
                                  View &out) {
  const int64_t row = numbers.row;
  const Window x = Read(problem_.x, part, first, count), dy = Read(problem_.dy, part, first, count),
               r = Read(residual(), part, first, count);
  View forward = Columns(numbers.coefficients, part, part.channels, kForwardColumns, row);
  View gradient = Columns(numbers.gradients, part, part.channels, kColumns, row);
  View mean(numbers.means, {{part.channels, 1}, {part.batch, row}});
  Call("gradient_apply", kernels_.gradient_apply, x.Elements(), dy.Elements(), r.Elements(), forward, mean,
       has_residual(), problem_.slope, form, gradient, out);
}

}  // namespace haline

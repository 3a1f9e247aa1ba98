#include "gradient_results.h"

namespace haline {

bool GradientResults::Waits(const Part &part) const {
  bool any = false, waits = false;
  ForResults([&](const Array &to, int) {
    waits = (waits || !any) && Engine::Waits(part, {&problem_.x, &problem_.dy, &residual(), &to});
    any = true;
  });
  return waits;
}

bool GradientResults::BothLast(const Part &part) const {
  if (plan_.layout != Layout::kLast || !kernels_.gradient_both_last.function) return false;
  if (!problem_.dresidual.data || !FlowsBackward(problem_)) return false;
  if (Tiled(part, problem_.dx) || Tiled(part, problem_.dresidual)) return false;
  return Lines(part, problem_.dx) == Lines(part, problem_.dresidual);
}

void GradientResults::Flow(Late *before, const Part &next, const Numbers &next_numbers, double *sums) {
  const Numbers numbers{before->means, before->coefficients, before->gradients, before->row};
  if (plan_.split) {
    ForPieces(before->part, true, true, [&](int64_t first, int64_t count) {
      CallFlow(before->part.Piece(count), first, 0, numbers, next.Piece(count), next_numbers,
               sums + 3 * next.padded() * (first / kBlock));
      StreamFence();
    });
  } else {
    CallFlow(before->part, 0, plan_.turn, numbers, next, next_numbers, sums);
  }
  before->waits = false;
}

void GradientResults::CallFlow(const Part &part, int64_t first, int32_t turn, const Numbers &numbers, const Part &next,
                               const Numbers &next_numbers, double *sums) {
  const bool has_dresidual = problem_.dresidual.data;
  const Array x_array = problem_.x.From(first), dy_array = problem_.dy.From(first), r_array = residual().From(first),
              to = problem_.dx.From(first), own = has_dresidual ? problem_.dresidual.From(first) : to;
  const auto read = [&](const Array &array, const Part &of) { return Read(array, of, 0, of.size); };
  const Window x_before = read(x_array, part), dy_before = read(dy_array, part), r_before = read(r_array, part),
               x = read(x_array, next), dy = read(dy_array, next), r = read(r_array, next),
               dx = Written(to, part, 0, part.size), dresidual = Written(own, part, 0, part.size);
  const int32_t near = NearOfTwo(part.size * Size(problem_.element));
  // (x was read for the forward pass's sums already, and the next part's will be, if L2 can keep it. Time by that where
  // x is fetched as dy is, one thread of a Xeon with 2 MiB of L2: parts of 128 KiB 0.80 to 0.93, 256 KiB 1.03.)
  const int64_t next_part = active() && next.planes() * next.size <= kStreamElements ? ToNextPart(problem_.x, next) : 0;
  const int32_t x_ahead = next_part > 0 && next_part <= INT32_MAX ? static_cast<int32_t>(next_part) : near;
  View gradient = Columns(numbers.gradients, part, part.channels, kColumns, numbers.row);
  View forward = Columns(next_numbers.coefficients, next, next.channels, kForwardColumns, next_numbers.row),
       forward_before = Columns(numbers.coefficients, part, part.channels, kForwardColumns, numbers.row);
  View out = Sums(sums, next, next.channels, 3, 0, Blocks(next.size));
  const bool small = part.size < kLarge && !plan_.split;  // (pieces of large planes are no small ones)
  const auto &kernel = !plan_.stream ? kernels_.gradient_flow_plain
                       : small       ? kernels_.gradient_flow_small
                                     : kernels_.gradient_flow_large;
  Call("gradient_flow", kernel, x.Elements(), dy.Elements(), r.Elements(), MeansOf(next, next_numbers),
       x_before.Elements(), dy_before.Elements(), r_before.Elements(), MeansOf(part, numbers), forward, forward_before,
       has_residual(), problem_.slope, active() ? 1 : 0, gradient, dx.Elements(), Lead(to, part), dresidual.Elements(),
       has_dresidual, Lead(own, part), Turned(part, turn), x_ahead, near, out);
}

void GradientResults::FlowAlone(Part part, int64_t first, int64_t count, const Numbers &numbers) {
  part.size = count;
  double own_sums[3 * kSlots];
  Memory<double> heap;
  double *const sums = Room(own_sums, 3 * kSlots, 3 * part.padded() * part.batch * Blocks(count), &heap);
  if (sums) CallFlow(part, first, 0, numbers, part, numbers, sums);
}

void GradientResults::WriteAll(const Waiting &waiting) {
  const Late &late = static_cast<const Late &>(waiting);
  Apply(late.part, plan_.split, {late.means, late.coefficients, late.gradients, late.row});
}

void GradientResults::Apply(const Part &part, bool parallel, const Numbers &numbers) {
  if (Streams(part)) {
    return ForPieces(part, parallel, true, [&](int64_t first, int64_t count) {
      FlowAlone(part, first, count, numbers);
      StreamFence();
    });
  }
  const auto last = [&](const Array &to, const Array *also, int form) {
    GradientApplyLast(part, parallel, to, also, form, numbers.means, numbers.coefficients, numbers.gradients,
                      numbers.row);
  };
  if (BothLast(part)) return last(problem_.dx, &problem_.dresidual, active() ? 1 : 0);
  ForResults([&](const Array &to, int form) {
    if (plan_.layout == Layout::kLast) return last(to, nullptr, form);
    const bool direct = Direct(part, {&problem_.x, &problem_.dy, &residual(), &to});
    ForPieces(part, parallel, direct, [&](int64_t first, int64_t count) {
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
               r = ReadResidual(part, first, count);
  View forward = Columns(numbers.coefficients, part, part.channels, kForwardColumns, row);
  View gradient = Columns(numbers.gradients, part, part.channels, kColumns, row);
  Call("gradient_apply", kernels_.gradient_apply, x.Elements(), dy.Elements(), (has_residual() ? r : x).Elements(),
       forward, MeansOf(part, numbers), has_residual(), problem_.slope, form, gradient, out);
}

}  // namespace haline

#include "forward_results.h"

namespace haline {

bool ForwardResults::Flow(Waiting *before, const Part &next, double *pivots, double *sums) {
  const Late &late = static_cast<const Late &>(*before);
  if (!late.part.SameSize(next)) return false;
  if (plan_.split) {
    const Window x = Read(problem_.x, next, 0, next.size);
    View pivot = PerPlanes(pivots, next, next.channels);
    Call("pivot", kernels_.pivot, x.Planes(), pivot);
    ForPieces(late.part, true, true, [&](int64_t first, int64_t count) {
      double own[Part::kPad];
      std::copy_n(pivots, Part::kPad, own);  // for the kernel to write to
      FlowBeside(late.part.Piece(count), first, 0, late.coefficients, late.row, next.Piece(count), true, own,
                 sums + 2 * next.padded() * (first / kBlock));
      StreamFence();
    });
  } else {
    FlowBeside(late.part, 0, plan_.turn, late.coefficients, late.row, next, false, pivots, sums);
  }
  before->waits = false;
  return true;
}

void ForwardResults::FlowBeside(const Part &part, int64_t first, int32_t turn, const double *coefficients, int64_t row,
                                const Part &next, bool has_pivots, double *pivots, double *sums) {
  View out = Sums(sums, next, next.channels, 2, 0, Blocks(next.size));
  const bool small = part.size < kLarge && !plan_.split;  // (pieces of large planes are no small ones)
  const auto &kernel = !plan_.stream ? kernels_.flow_plain : small ? kernels_.flow_small : kernels_.flow_large;
  CallFlow(kernel, part, first, turn, coefficients, row, next, has_pivots, pivots, &out);
}

void ForwardResults::FlowAlone(Part part, int64_t first, int64_t count, const double *coefficients, int64_t row) {
  part.size = count;
  double none[2 * kSlots];
  View sums(none, {{part.channels, 1}, {2, part.padded()}, {1, 0}, {part.batch, 2 * part.padded()}});
  CallFlow(kernels_.flow_alone, part, first, 0, coefficients, row, part, false, none, &sums);
}

void ForwardResults::CallFlow(const ElementKernels::Flow &kernel, const Part &part, int64_t first, int32_t turn,
                              const double *coefficients, int64_t row, const Part &next, bool has_pivots,
                              double *pivots, View *sums) {
  const Array from = problem_.x.From(first), to = problem_.y.From(first);
  const Window x = Read(from, next, 0, next.size), before = Read(from, part, 0, part.size),
               r = Read(residual().From(first), part, 0, part.size), y = Written(to, part, 0, part.size);
  View in = Columns(coefficients, part, part.channels, kColumns, row);
  View pivot = PerPlanes(pivots, next, next.channels);
  Call("flow", kernel, x.Elements(), pivot, has_pivots, before.Elements(), in, r.Elements(), has_residual(),
       problem_.slope, problem_.form(), y.Elements(), Lead(to, part), Turned(part, turn),
       Near(part.size * Size(problem_.element)), *sums);
}

void ForwardResults::WriteAll(const Waiting &waiting) {
  const Late &late = static_cast<const Late &>(waiting);
  Apply(late.part, plan_.split, late.coefficients, late.row);
}

void ForwardResults::Apply(const Part &part, bool parallel, const double *coefficients, int64_t row) {
  if (!problem_.y.data) return;
  if (plan_.layout == Layout::kLast) return ApplyLast(part, parallel, coefficients, row);
  const bool direct = Direct(part, {&problem_.x, &problem_.y, &residual()}), stream = Streams(part);
  ForPieces(part, parallel, direct, [&](int64_t first, int64_t count) {
    if (stream) {
      FlowAlone(part, first, count, coefficients, row);
      return StreamFence();
    }
    const Window y = Written(problem_.y, part, first, count);
    View out = y.Elements();
    CallApply(part, first, count, coefficients, row, out);
    if (!outcome_.failed()) y.Flush();
  });
}

void ForwardResults::CallApply(const Part &part, int64_t first, int64_t count, const double *coefficients, int64_t row,
                               View &out) {
  const Window x = Read(problem_.x, part, first, count), r = ReadResidual(part, first, count);
  View in = Columns(coefficients, part, part.channels, kColumns, row);
  Call("apply", kernels_.apply, x.Elements(), in, (has_residual() ? r : x).Elements(), has_residual(), problem_.slope,
       problem_.form(), out);
}

}  // namespace haline

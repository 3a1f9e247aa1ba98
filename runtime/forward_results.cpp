#include "forward_results.h"

namespace haline {

bool ForwardResults::Flow(Waiting *before, const Part &next, View &x, View &pivot, View &sums) {
  const Late &late = static_cast<const Late &>(*before);
  if (late.done > 0 || !late.part.SameSize(next)) return false;
  CallFlow(late.part, 0, plan_.turn, late.coefficients, late.row, x, pivot, sums);
  before->done = before->tiles;
  return true;
}

void ForwardResults::CallFlow(const Part &part, int64_t first, int32_t turn, const double *coefficients, int64_t row,
                              View &x, View &pivot, View &sums) {
  const Array to = problem_.y.From(first);
  const Window before = Read(problem_.x.From(first), part, 0, part.size),
               r = Read(residual().From(first), part, 0, part.size), y = Written(to, part, 0, part.size);
  View in = Columns(coefficients, part, part.channels, kColumns, row);
  const auto &kernel = !plan_.stream        ? kernels_.flow_plain
                       : part.size < kLarge ? kernels_.flow_small
                                            : kernels_.flow_large;
  Call("flow", kernel, x, pivot, before.Elements(), in, r.Elements(), has_residual(), problem_.slope, form(),
       y.Elements(), Lead(to, part), Turned(part, turn), Near(part.size * Size(problem_.element)), sums);
}

void ForwardResults::FlowAlone(Part part, int64_t first, int64_t count, const double *coefficients, int64_t row) {
  part.size = count;
  double pivots[kSlots], own_sums[2 * kSlots];
  Memory<double> heap;
  double *const room = Room(own_sums, 2 * kSlots, 2 * part.padded() * part.batch * Blocks(count), &heap);
  if (!room) return;
  const Window window = Read(problem_.x.From(first), part, 0, count);
  View x = window.Elements(), pivot = PerPlanes(pivots, part, part.channels);
  View sums = Sums(room, part, part.channels, 2, 0, Blocks(count));
  CallFlow(part, first, 0, coefficients, row, x, pivot, sums);
}

void ForwardResults::WriteAll(const Waiting &waiting) {
  const Late &late = static_cast<const Late &>(waiting);
  Apply(late.part, false, late.coefficients, late.row);
}

void ForwardResults::WriteTile(const Waiting &waiting, int64_t tile, Fetches *fetches) {
  const Late &late = static_cast<const Late &>(waiting);
  const Part &part = late.part;
  Stream(Tiles(part, problem_.y, 0, part.size), tile, problem_.y, {&problem_.x}, fetches,
         [&](const Part &p, int64_t first, int64_t count, View &out) {
           const int64_t plane = (p.n - part.n) * kColumns * late.row + (p.c - part.c);
           CallApply(p, first, count, late.coefficients + plane, late.row, out);
         });
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
       form(), out);
}

}  // namespace haline

// The results of channels-last tensors. The kernels are the same generators' as for planes that lie side by
// side, with another schedule: the same bytes.
#include "engine.h"
#include "rows.h"
#include "stream.h"

namespace haline {
namespace {

constexpr int64_t kGradientColumns = 6;  // of gradient_coefficients_generator.cpp

}  // namespace

// Whether the part's results in `to` go past the caches and are made of whole lines, which kernels of their own write.
// (Of more than one element or row, whose distance they ask for. Parts of the channels, one Xeon thread, time by that
// of plain stores: 8x2048x1024, 4x1024x4096 and 21x1024x784, float32 0.54 to 0.64, backward 0.86 to 0.95, bfloat16 0.80
// to 0.90 and 0.73 to 0.98.)
bool Engine::Lines(const Part &part, const Array &to) const {
  if (!plan_.stream || !kernels_.apply_lines.function) return false;
  const bool whole = part.channels % kVector == 0;
  if (!whole && (to.loops[0].stride != part.channels || !WantRows(part, {&problem_.x, &problem_.dy, &residual(), &to})))
    return false;
  const int64_t size = Size(to.element), row = part.channels * (whole ? 1 : kLanes) * size;
  return row % kLine == 0 && to.loops[0].stride * (whole ? 1 : kLanes) * size % kLine == 0 &&
         to.n_stride * size % kLine == 0 &&
         reinterpret_cast<uintptr_t>(to.plane(part.n, part.c)) % uintptr_t{kLine} == 0;
}

// Whether they go past the caches tile by tile. (Rows side by side: what lies between others must stay.)
bool Engine::Tiled(const Part &part, const Array &to) const {
  return plan_.stream && to.loops[0].stride == part.channels && !Lines(part, to);
}

// The bytes from a part of the array to the next, which is fetched meanwhile; 0 where there is none or it is too large.
int32_t Engine::ToNext(const Part &part, const Array &array) const {
  const int64_t bytes = part.batch * array.n_stride * Size(array.element);
  return part.n + part.batch < problem_.batch && part.planes() * part.size <= kLastElements
             ? static_cast<int32_t>(bytes)
             : 0;
}

// Calls f(part, first element, elements, result) for ranges of elements that make up a part, where `result` begins with
// the first of those that f is to write; `from` are the arrays that it reads.
template <typename F>
void Engine::ForElements(const Part &part, bool parallel, const Array &to, const Inputs &from, const F &f) {
  const auto step = [&](int64_t first, int64_t count) {
    if (Tiled(part, to)) return Stream(part, first, count, to, from, !parallel, f);
    Array result = to;
    result.data = to.plane(part.n, part.c) + first * to.loops[0].stride * Size(to.element);
    f(part, first, count, result);
    if (Lines(part, to)) StreamFence();
  };
  if (!parallel) return step(0, part.size);
  // From the end of what a thread has backwards: the end is what the caches hold.
  const int64_t most = std::max<int64_t>(1, plan_.task_elements / part.channels / kLanes) * kLanes;
  const int64_t ranges = CeilDiv(part.size, most), threads = plan_.threads;
  For(parallel, ranges, [&](int64_t i) {
    const int64_t thread = ((i + 1) * threads - 1) / ranges;
    const int64_t begin = ranges * thread / threads, end = ranges * (thread + 1) / threads;
    const int64_t first = (begin + end - 1 - i) * most;
    step(first, std::min(most, part.size - first));
  });
}

// The same with results that go past the caches, tile by tile. The next tile, and where `ahead` is true the inputs of
// the next part, are fetched meanwhile.
template <typename F>
void Engine::Stream(const Part &part, int64_t first, int64_t count, const Array &to, const Inputs &from, bool ahead,
                    const F &f) {
  const int64_t row = part.channels * Size(to.element);
  const int64_t most = std::clamp<int64_t>(kTileBytes / row, 1, count);
  alignas(kLine) char memory[kSlots * sizeof(double) + kTileBytes];
  const int64_t next = part.n + part.batch;
  Fetches fetches;
  if (ahead && next < problem_.batch) {
    for (const Array *array : from) {
      fetches.part[fetches.parts++] = Ahead(array->plane(next, part.c), part.batch * part.size * row);
    }
  }
  for (int64_t n = 0; n < part.batch && !outcome_.failed(); n++) {
    const Part sample = part.Sample(n);
    for (int64_t at = first; at < first + count; at += most) {
      const int64_t elements = std::min(most, first + count - at);
      Array result = to;
      result.data = memory;
      f(sample, at, elements, result);
      fetches.tiles = 0;
      for (const Array *array : from) {
        const char *const end = array->plane(sample.n, sample.c) + (first + count) * row;
        const char *const begin = array->plane(sample.n, sample.c) + (at + elements) * row;
        fetches.tile[fetches.tiles++] = Ahead(begin, std::min<int64_t>(end - begin, most * row));
      }
      char *const out = to.plane(sample.n, sample.c) + at * row;
      StreamOut(out, memory, elements * row, &fetches);
    }
  }
  StreamFence();
}

void Engine::ApplyLast(const Part &part, bool parallel, const double *coefficients, int64_t row) {
  Inputs inputs(problem_.x);
  if (has_residual()) inputs.Add(problem_.residual);
  const bool in_rows = WantRows(part, {&problem_.x, &problem_.y, &residual()});
  const bool lines = Lines(part, problem_.y);
  const int32_t ahead = ToNext(part, problem_.x);
  if (in_rows) {
    const RowNumbers numbers(coefficients, part, 3, row, kForwardColumns * row);
    return ForElements(
        part, parallel, problem_.y, inputs, [&](const Part &p, int64_t first, int64_t count, const Array &to) {
          ForRows(p, first, count, [&](const Rows &rows) {
            View x = rows.Of(problem_.x), r = rows.Of(residual()), y = rows.To(to, first);
            View in = numbers.Columns(p.n - part.n + rows.n, rows.width);
            if (lines && rows.whole()) {
              return Call("apply", kernels_.apply_lines, x, in, r, has_residual(), problem_.slope, problem_.form(),
                          ahead, y);
            }
            Call("apply", kernels_.apply_last, x, in, r, has_residual(), problem_.slope, problem_.form(), y);
          });
        });
  }
  ForElements(part, parallel, problem_.y, inputs, [&](const Part &p, int64_t first, int64_t count, const Array &to) {
    View x = Last(problem_.x, p, first, count), r = Last(residual(), p, first, count),
         y = Last(to, {0, p.batch, 0, p.channels, p.size}, 0, count);
    View in = Columns(coefficients + (p.n - part.n) * kForwardColumns * row, p, p.channels, kForwardColumns, row);
    if (lines && count > 1) {
      return Call("apply", kernels_.apply_lines, x, in, r, has_residual(), problem_.slope, problem_.form(), ahead, y);
    }
    Call("apply", kernels_.apply_last, x, in, r, has_residual(), problem_.slope, problem_.form(), y);
  });
}

void Engine::GradientApplyLast(const Part &part, bool parallel, const Array &to, const Array *also, int form,
                               const double *means, const double *coefficients, const double *gradients, int64_t row) {
  Inputs inputs(problem_.dy);
  if (form != 3) inputs.Add(problem_.x);
  if (has_residual() && problem_.slope != 1) inputs.Add(problem_.residual);
  const bool in_rows = WantRows(part, {&problem_.x, &problem_.dy, &residual(), &to, also ? also : &to});
  const bool lines = Lines(part, to);
  const int32_t ahead = ToNext(part, problem_.dy);
  const auto call = [&](bool whole, View x, View dy, View r, View forward, View mean, View gradient, View out,
                        View second) {
    const char *const name = "gradient_apply";
    const bool residual = has_residual();
    const double slope = problem_.slope;
    if (also && lines && whole) {
      Call(name, kernels_.gradient_both_lines, x, dy, r, forward, mean, residual, slope, form, gradient, ahead, out,
           second);
    } else if (also) {
      Call(name, kernels_.gradient_both_last, x, dy, r, forward, mean, residual, slope, form, gradient, out, second);
    } else if (lines && whole) {
      Call(name, kernels_.gradient_apply_lines, x, dy, r, forward, mean, residual, slope, form, gradient, ahead, out);
    } else {
      Call(name, kernels_.gradient_apply_last, x, dy, r, forward, mean, residual, slope, form, gradient, out);
    }
  };
  if (in_rows) {
    const RowNumbers forwards(coefficients, part, 3, row, kForwardColumns * row),
        slopes(gradients, part, 3, row, kGradientColumns * row), mean_rows(means, part, 1, row, row);
    return ForElements(
        part, parallel, to, inputs, [&](const Part &p, int64_t first, int64_t count, const Array &result) {
          ForRows(p, first, count, [&](const Rows &rows) {
            const int64_t n = p.n - part.n + rows.n;
            call(rows.whole(), rows.Of(problem_.x), rows.Of(problem_.dy), rows.Of(residual()),
                 forwards.Columns(n, rows.width), mean_rows.Numbers(n, rows.width), slopes.Columns(n, rows.width),
                 rows.To(result, first), rows.Of(also ? *also : problem_.x));
          });
        });
  }
  ForElements(part, parallel, to, inputs, [&](const Part &p, int64_t first, int64_t count, const Array &result) {
    const int64_t n = p.n - part.n;
    const auto last = [&](const Array &array) { return Last(array, p, first, count); };
    call(count > 1, last(problem_.x), last(problem_.dy), last(residual()),
         Columns(coefficients + n * kForwardColumns * row, p, p.channels, kForwardColumns, row),
         View(means + n * row, {{p.channels, 1}, {p.batch, row}}),
         Columns(gradients + n * kGradientColumns * row, p, p.channels, kGradientColumns, row),
         Last(result, {0, p.batch, 0, p.channels, p.size}, 0, count), last(also ? *also : problem_.x));
  });
}

}  // namespace haline

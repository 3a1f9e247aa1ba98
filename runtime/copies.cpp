#include "copies.h"

namespace haline {

char *Scratch::Room(int64_t bytes) {
  if (bytes + kLine > bytes_) {
    bytes_ = 0;
    memory_.reset(static_cast<char *>(std::malloc(bytes + kLine)));
    if (!memory_) return nullptr;
    bytes_ = bytes + kLine;
  }
  return memory_.get() + -reinterpret_cast<uintptr_t>(memory_.get()) % uintptr_t{kLine};
}

Copies::Copies(const Problem &problem, Layout layout, const Part &part, Scratch *scratch, Outcome *outcome)
    : problem_(problem), layout_(layout), part_(part), local_(problem) {
  const int64_t element = Size(problem.element);
  const bool last = layout == Layout::kLast;
  // (Tiny planes side by side, as a kernel of theirs wants them.)
  const int64_t row = part.size < kTiny ? part.size : CopiedRow(part.size, problem.element);
  const int64_t bytes = CeilDiv(part.planes() * (last ? part.size : row) * element, kLine) * kLine;
  Array *const copies[] = {&local_.x, &local_.residual, &local_.dy, &local_.y, &local_.dx, &local_.dresidual};
  int64_t count = 0;
  for (const Array *copy : copies) count += copy->data != nullptr;
  char *to = scratch->Room(count * bytes);
  if (!to) {
    outcome->Keep(Fail(HALINE_OUT_OF_MEMORY,
                       "out of memory: %lld bytes wanted to copy planes whose strides the kernels don't take",
                       static_cast<long long>(count * bytes)));
    return;
  }
  for (Array *copy : copies) {
    if (!copy->data) continue;
    const Array from = problem.Valid(*copy, part.n);
    copy->c_stride = last ? 1 : row;
    copy->n_stride = part.channels * (last ? part.size : row);
    copy->loop_count = 1;
    copy->loops[0] = {part.size, last ? part.channels : 1};
    copy->data = to - (part.n * copy->n_stride + part.c * copy->c_stride) * element;
    const bool read = copy == &local_.x || copy == &local_.residual || copy == &local_.dy;
    if (read) last ? PackLast(from, part, to) : Pack(from, part, 0, part.size, to, row);
    to += bytes;
  }
  // Nothing follows, and all elements count.
  local_.batch = part.n + part.batch;
  local_.lengths = nullptr;
  local_.rows = 1;
  local_.extent = part.size;
}

void Copies::Flush() const {
  const Array *const results[][2] = {
      {&problem_.y, &local_.y}, {&problem_.dx, &local_.dx}, {&problem_.dresidual, &local_.dresidual}};
  for (const auto &[result, copy] : results) {
    if (!result->data) continue;
    const Array to = problem_.Valid(*result, part_.n);
    const char *const from = copy->plane(part_.n, part_.c);
    layout_ == Layout::kLast ? UnpackLast(to, part_, from) : Unpack(to, part_, 0, part_.size, from, copy->c_stride);
  }
}

}  // namespace haline

// The gradients of scale and shift. Each is a share of every plane: where they are wanted by channel, added up over the
// samples in order.
#ifndef HALINE_RUNTIME_SHARES_H_
#define HALINE_RUNTIME_SHARES_H_

#include <algorithm>
#include <cstdlib>

#include "plan.h"
#include "problem.h"
#include "view.h"
#include "window.h"

namespace haline {

class Shares {
 public:
  Shares(const Problem &problem, const Plan &plan)
      : problem_(problem), in_order_(plan.threads == 1 || plan.split || plan.by_channel) {}

  // Before anything else.
  haline_status Begin() {
    if (!ByChannel(problem_.dscale) && !ByChannel(problem_.dshift)) return HALINE_OK;
    const int64_t count = 2 * problem_.channels * (in_order_ ? 1 : problem_.batch) + 1;
    const int64_t bytes = count * static_cast<int64_t>(sizeof(double));
    sums_.reset(static_cast<double *>(in_order_ ? std::calloc(bytes, 1) : std::malloc(bytes)));
    return sums_ ? HALINE_OK
                 : Fail(HALINE_OUT_OF_MEMORY, "out of memory for the gradients of scale and shift of %lld planes",
                        static_cast<long long>(problem_.planes()));
  }

  bool wanted() const { return sums_ || ByPlane(problem_.dscale) || ByPlane(problem_.dshift); }
  // Whether the kernels of tiny planes leave them at Of, or add them there: where nobody wants them by plane, and the
  // kernels' rows are those of channels, no `list` of planes.
  bool Direct(bool list) const { return sums_ && !ByPlane(problem_.dscale) && !ByPlane(problem_.dshift) && !list; }
  bool Adds(bool list) const { return in_order_ && Direct(list); }
  View Of(const Part &part) const {
    const int64_t channels = problem_.channels;
    return View(sums_.get() + At(part.n, part.c),
                {{part.channels, 1}, {2, channels}, {part.batch, in_order_ ? 0 : 2 * channels}});
  }

  // row(n, 0 or 1) are the shares of a sample's planes of the gradients of shift and scale.
  template <typename F>
  void Record(const Part &part, const F &row) {
    const PerPlane *const results[2] = {&problem_.dshift, &problem_.dscale};
    for (int i : {0, 1}) {
      const bool by_plane = ByPlane(*results[i]);
      for (int64_t n = 0; n < part.batch && (by_plane || sums_); n++) {
        const double *const values = row(n, i);
        if (by_plane) results[i]->SetRow(part.n + n, part.c, part.channels, values);
        double *const sums = sums_ ? sums_.get() + At(part.n + n, part.c) + i * problem_.channels : nullptr;
        for (int64_t c = 0; sums && c < part.channels; c++) sums[c] = in_order_ ? sums[c] + values[c] : values[c];
      }
    }
  }
  // The same of planes without elements.
  void RecordNone(const Part &part) {
    static constexpr double kZeros[kSlots] = {};
    for (int64_t c = 0; c < part.channels; c += kSlots) {
      const int64_t channels = std::min(kSlots, part.channels - c);
      Record({part.n, part.batch, part.c + c, channels, part.size}, [](int64_t, int) { return kZeros; });
    }
  }

  // When all planes are done.
  void Finish() {
    Finish(problem_.dshift, 0);
    Finish(problem_.dscale, problem_.channels);
  }

 private:
  static bool ByChannel(const PerPlane &result) { return result && result.n_stride == 0; }
  static bool ByPlane(const PerPlane &result) { return result && result.n_stride != 0; }

  int64_t At(int64_t n, int64_t c) const { return in_order_ ? c : 2 * n * problem_.channels + c; }

  void Finish(const PerPlane &result, int64_t at) {
    if (!ByChannel(result)) return;
    const int64_t channels = problem_.channels;
    double *const sums = sums_.get() + at;
    for (int64_t n = 1; n < problem_.batch && !in_order_; n++) {
      for (int64_t c = 0; c < channels; c++) sums[c] += sums[2 * n * channels + c];
    }
    for (int64_t c = 0; c < channels; c++) sums[c] = 0 + sums[c];  // a -0 becomes 0
    result.SetRow(0, 0, channels, sums);
  }

  const Problem &problem_;
  // Whether every channel's planes are worked on in the order of their samples.
  const bool in_order_;
  // [n][dshift, dscale][c]; in order, the sums so far: [dshift, dscale][c].
  Memory<double> sums_;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_SHARES_H_

// The last step of the forward pass: y, from coefficients that are known.
#ifndef HALINE_RUNTIME_FORWARD_RESULTS_H_
#define HALINE_RUNTIME_FORWARD_RESULTS_H_

#include "engine.h"

namespace haline {

class ForwardResults : public Engine {
 public:
  using Engine::Engine;

 protected:
  // The columns of coefficients_generator.cpp.
  enum Column { kH, kA, kB, kFast, kMean, kVariance, kRstd, kColumns };

  // Planes whose coefficients are known and whose y is not written yet.
  struct Late : Waiting {
    double coefficients[kColumns * kSlots];
    int64_t row;  // from one column to the next
  };

  // Whether y of a part may wait, and whether it goes past the caches.
  bool Waits(const Part &part) const {
    return problem_.y.data && Engine::Waits(part, {&problem_.x, &problem_.y, &residual()});
  }
  bool Streams(const Part &part) const { return plan_.stream && Waits(part); }
  bool Flow(Waiting *before, const Part &next, double *pivots, double *sums) override;
  void WriteAll(const Waiting &waiting) override;
  // y of `part`, whose coefficients they are.
  void Apply(const Part &part, bool parallel, const double *coefficients, int64_t row);

 private:
  // y of planes of `part.size` elements, which begin with the planes' `first`, while pivots, unless there are some, and
  // sums are made of as many of `next`.
  void FlowBeside(const Part &part, int64_t first, int32_t turn, const double *coefficients, int64_t row,
                  const Part &next, bool has_pivots, double *pivots, double *sums);
  // y of `count` elements where no sums are to be made. (Time by that of tiles that were made in L1 and copied from
  // there, one Xeon thread, given statistics, planes of 4 and 128 KiB: float32 0.81 and 0.72, bfloat16 0.62 and 0.65,
  // float16 0.67 and 0.64; between samples of other lengths, bfloat16, 0.72 to 1.0.)
  void FlowAlone(Part part, int64_t first, int64_t count, const double *coefficients, int64_t row);
  void CallFlow(const ElementKernels::Flow &kernel, const Part &part, int64_t first, int32_t turn,
                const double *coefficients, int64_t row, const Part &next, bool has_pivots, double *pivots, View *sums);
  void CallApply(const Part &part, int64_t first, int64_t count, const double *coefficients, int64_t row, View &out);
};

}  // namespace haline

#endif  // HALINE_RUNTIME_FORWARD_RESULTS_H_

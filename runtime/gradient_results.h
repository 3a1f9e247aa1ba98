// The last step of the backward pass: dx and the residual's gradient, from sums that are known.
#ifndef HALINE_RUNTIME_GRADIENT_RESULTS_H_
#define HALINE_RUNTIME_GRADIENT_RESULTS_H_

#include "engine.h"

namespace haline {

class GradientResults : public Engine {
 public:
  using Engine::Engine;

 protected:
  // The columns of gradient_coefficients_generator.cpp, and what matters of coefficients_generator.cpp's.
  enum Column { kA, kB, kE, kFast, kDshift, kDscale, kColumns };
  static constexpr int kForwardFast = 3;

  // Planes whose coefficients are known and whose gradients are not written yet.
  struct Late : Waiting {
    double means[kSlots], coefficients[kForwardColumns * kSlots], gradients[kColumns * kSlots];
    int64_t row;  // from one column to the next
  };

  // What the gradients of a part's planes are made of.
  struct Numbers {
    const double *means, *coefficients, *gradients;
    int64_t row;  // from one column to the next

    // Those of the planes from the part's n-th sample and c-th channel.
    Numbers At(int64_t n, int64_t c) const {
      return {means + n * row + c, coefficients + n * kForwardColumns * row + c, gradients + n * kColumns * row + c,
              row};
    }
  };

  bool active() const { return problem_.slope != 1; }

  // Whether the results of a part may wait, and whether they go past the caches.
  bool Waits(const Part &part) const;
  bool Streams(const Part &part) const { return plan_.stream && Waits(part); }
  // Whether one kernel makes both results of a part of a channels-last tensor.
  bool BothLast(const Part &part) const;
  // Whether all of `before` can be written while the sums of the gradient of `next` are made.
  bool Flows(const Late &before, const Part &next) const {
    return before.waits && before.part.SameSize(next) && Direct(next, {&problem_.x, &problem_.dy, &residual()});
  }
  using Engine::Flow;
  // A chunk of each in turns. (Of the next planes' numbers the gradients are not looked at.)
  void Flow(Late *before, const Part &next, const Numbers &next_numbers, double *sums);
  void WriteAll(const Waiting &waiting) override;
  // The results of `part`, whose numbers are `numbers`.
  void Apply(const Part &part, bool parallel, const Numbers &numbers);

 private:
  // The residual's gradient first: dx may be written over dy.
  template <typename F>
  void ForResults(const F &f) const {
    if (problem_.dresidual.data) f(problem_.dresidual, active() ? 2 : 3);
    if (problem_.dx.data) f(problem_.dx, active() ? 1 : 0);
  }

  static View MeansOf(const Part &part, const Numbers &numbers) {
    return View(numbers.means, {{part.channels, 1}, {part.batch, numbers.row}});
  }
  // dx of planes of `part.size` elements, which begin with the planes' `first`, while those of `next` are summed.
  void CallFlow(const Part &part, int64_t first, int32_t turn, const Numbers &numbers, const Part &next,
                const Numbers &next_numbers, double *sums);
  // The same where no sums are left to be made: they are of the same elements, and for nobody.
  void FlowAlone(Part part, int64_t first, int64_t count, const Numbers &numbers);
  void Elementwise(const Part &part, int64_t first, int64_t count, const Numbers &numbers, int form, View &out);
};

}  // namespace haline

#endif  // HALINE_RUNTIME_GRADIENT_RESULTS_H_

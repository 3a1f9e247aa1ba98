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
  // Both results in the same tiles, as one may be written over what the other is made from.
  Tiles TilesOf(const Part &part, int64_t first, int64_t count) const {
    return Tiles(part, problem_.dx.data ? problem_.dx : problem_.dresidual, first, count);
  }
  // Whether there is a kernel that writes all of `before` while it makes the sums of the gradient of `next`.
  bool Flows(const Late &before, const Part &next) const {
    return before.waits() && before.done == 0 && before.part.SameSize(next) && Flows() &&
           Direct(next, {&problem_.x, &problem_.dy, &residual()});
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
  // Whether there is a kernel that makes all results while it sums.
  bool Flows() const { return FlowsBackward(problem_); }
  // dx of planes of `part.size` elements, which begin with the planes' `first`, while those of `next` are summed.
  void CallFlow(const Part &part, int64_t first, int32_t turn, const Numbers &numbers, const Part &next,
                const Numbers &next_numbers, double *sums);
  // The same where no sums are left to be made: they are of the same elements, and for nobody.
  void FlowAlone(Part part, int64_t first, int64_t count, const Numbers &numbers);
  void WriteTile(const Waiting &waiting, int64_t tile, Fetches *fetches) override;
  // `numbers` are those of `part`.
  void StreamTile(const Tiles &tiles, int64_t index, const Part &part, const Numbers &numbers, Fetches *fetches);
  void Elementwise(const Part &part, int64_t first, int64_t count, const Numbers &numbers, int form, View &out);
};

}  // namespace haline

#endif  // HALINE_RUNTIME_GRADIENT_RESULTS_H_

// How the wide kernels' work is laid out: across planes, along them, across channels, or on a GPU.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_WIDE_SCHEDULE_H_
#define HALINE_GENERATORS_WIDE_SCHEDULE_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gpu_block.h"
#include "wide.h"

namespace haline {

// The most elements of planes that the kernel of few elements takes. runtime/plan.h has the same numbers. (Versions for
// 5 to 8 elements are 30 to 60 KB a kernel: not for float64 nor the oldest processors. For up to 16 they would be 300,
// and take four minutes to compile.)
inline int MostFew(Element element, const Halide::Target &target) {
  const bool old = target.arch == Halide::Target::X86 && !target.has_feature(Halide::Target::AVX2);
  return element == Element::kF64 || old ? 4 : 8;
}

// The schedule of a wide kernel: `result` (s, c, n) and `numbers` (c, which, n) in one loop over the planes.
struct WideSchedule {
  Halide::Func result, numbers;
  std::vector<std::pair<Turn *, Halide::OutputImageParam>> inputs;  // used with vectors across planes
  Turn *turn;                           // the result (c, s, n) and (s, c, n), of planes of few elements
  std::vector<Halide::Func> per_plane;  // functions of (c, n); the last is all that the result is made from
  std::vector<PlaneSum *> sums;
  Halide::Expr plain;  // no activation, no residual
  Halide::OutputImageParam to;
  Halide::Var s, c, n, which;
  bool turned = false;                         // few = 0: results are made with vectors across planes
  std::vector<Halide::Expr> versions = {};     // conditions under which a plane's numbers take less work
  std::vector<Halide::Expr> activations = {};  // each activation's, without residual
  Halide::Expr turnable = {};                  // see AcrossPlanes; where there is none, `plain`
  int run = 0;                                 // elements of a vector along planes
  bool by_memory = false;                      // how elements of four and more are turned: Turn::ScheduleIn

  // Planes `vector` at a time, `batch` vectors of them a step: first the numbers of all, then the results. (What a
  // plane's numbers wait for, sums in order, a square root and a division, takes four times as long as it takes work.)
  //
  // `few` > 0: planes of up to that many elements that lie beside each other. Each size is a version of its own,
  // without loops, in which elements are turned on their way into vectors across planes and on their way out of them;
  // of four elements and more, which the other kernel can read, only where they are `turnable`. `few` = 0: at
  // least four elements, planes anywhere. The sums are made with vectors across planes, the results with vectors along
  // them, as each number can be broadcast from memory for nothing; or, where they are `turned`, across planes too, in
  // blocks of four elements, which leave less of a rest (forward where runtime/plan.h's ResultsAcross says).
  //
  // Zen 5, one thread, AVX-512, nanoseconds a plane, before (one vector of planes a step, all turned twice) and now:
  //   S         1     2     3     4     5     8     9     16    27    63
  //   forward   0.63  1.07  1.63  1.83  3.93  3.97  5.04  6.42  10.2  21.0
  //             0.62  0.79  1.28  1.14  1.83  2.44  4.95  5.39  9.70  19.0
  //   gradient  3.20  3.77  4.46  4.85  12.3  8.88  13.5  11.6  16.5  33.2
  //             0.82  1.14  1.53  1.63  2.32  3.36  7.33  7.25  13.6  27.4
  // The gradient of float32 planes that lie anywhere, along planes and turned, a vector of planes a step: S = 4 4.3 and
  // 2.6, 9 7.6 and 6.1, 16 7.5 and 7.5, 49 26.8 and 25.4, in half the code. Forward, one Zen 1 thread, AVX2, 1024
  // planes, along them with the rest of a vector masked, and turned: S = 9 44.5 and 32.8, 12 46.2 and 33.9, 17 58.8 and
  // 50.2, 25 72.7 and 65.9, 49 120 and 119, 63 142 and 145; whole vectors, turned in steps of 4, 16 35.7 and 39.4, 48
  // 100 and 110. Of 131,072 planes and more, by the time along them, 9 0.73, 17 0.86, 25 0.96, 31 1.05, 49 1.10,
  // 63 1.15; where these stay along planes, beside the tile of two vectors of planes, 49 1.01 and 63 1.03. (All of
  // these before turn_halves.h.)
  void AcrossPlanes(int vector, int batch, int few) {
    using Halide::TailStrategy;
    Halide::Var so("so"), si("si");
    const auto dense = [&](const Halide::OutputImageParam &image, int size) {
      return to.dim(0).extent() == size && image.dim(1).stride() == size;
    };
    const Halide::Expr turns = turnable.defined() ? turnable : plain;
    Halide::Stage kept = numbers.update();
    Batches(result, kept, numbers.rvars(0)[0], vector, batch);
    if (few > 0) {
      result.never_partition(cb, cg);
      kept.never_partition(cb, cg);
      for (int size = 1; size <= few; size++) {
        Halide::Expr all = dense(to, size);
        for (auto &[input, image] : inputs) all = all && dense(image, size);
        const bool shared = size >= Turn::kSide;  // with the other kernel
        if (shared) all = all && turns;
        Halide::Stage one = result.specialize(all);
        one.split(s, so, si, size, TailStrategy::RoundUp).reorder(si, ci, so, cg, cb, n).vectorize(si).vectorize(ci);
        if (shared && turnable.defined()) one.specialize(plain);
      }
      result.split(s, so, si, 1).reorder(si, ci, so, cg, cb, n);
      result.specialize_fail("few elements of planes that lie beside each other wanted");
      turn->ScheduleOut(Halide::LoopLevel(result, so), vector);
      turn->turned.specialize(plain);
      Specialize(turn->turned);
    } else if (turned) {
      result.split(s, so, si, Turn::kSide, TailStrategy::ShiftInwards)
          .reorder(si, ci, so, cg, cb, n)
          .vectorize(si)
          .unroll(ci);
      turn->ScheduleOut(Halide::LoopLevel(result, so), vector);
      result.specialize(plain);
      Specialize(turn->turned);
    } else {
      AlongVectors(result, so, si, run);
    }

    const Halide::LoopLevel group = ScheduleLast(vector, batch);
    for (auto &[input, image] : inputs) {
      const bool kept = few > 0 || turned;
      const Halide::LoopLevel at = kept ? Halide::LoopLevel(result, cb) : group;
      input->ScheduleIn(at, vector, kept ? vector * batch : vector, few, to.dim(0).extent(), few == 0 && by_memory);
    }
    std::vector<Halide::Func> funcs(per_plane.begin(), per_plane.end() - 1);
    for (PlaneSum *sum : sums) funcs.push_back(sum->sum);
    for (Halide::Func f : funcs) {
      f.compute_at(group).bound_extent(c, vector).vectorize(c);
      if (!f.has_update_definition()) continue;
      const Halide::RVar r = f.rvars(0)[0];
      f.update().reorder(c, r).vectorize(c);
      // (Fewer elements, whose versions have the sums of all forms, take a fifth more time if all sums are unrolled.)
      few > 0 ? f.update().specialize(turns).unroll(r) : f.update().specialize(plain);
    }
  }

  // Vectors across the channels of channels-last tensors, which are read as they lie; whole vectors of them alone,
  // `batch` a step, as above. Zen 5, one thread, AVX-512, GB/s at S = 4 and 16, 1 and 4 a step: the gradient 3.3 and
  // 8.3, 10.7 and 18.2; forward 17.4 and 19.4, 22.7 and 25.5 in L2, but 9.8 and 8.2 for 16 MiB with S = 4. Sums over
  // one of `sizes` elements have no loop.
  void AcrossChannels(int vector, int batch, const std::vector<int> &sizes = {}) {
    if (numbers.has_update_definition()) {
      Batches(result, numbers.update(), numbers.rvars(0)[0], vector, batch);
    } else {
      Batches(result, numbers, which, vector, batch);
    }
    result.reorder(ci, cg, s, cb, n).vectorize(ci);
    std::vector<Halide::Func> funcs(per_plane.begin(), per_plane.end() - (batch > 1));
    for (PlaneSum *sum : sums) funcs.push_back(sum->sum);
    const Halide::LoopLevel group = batch > 1 ? ScheduleLast(vector, batch) : Halide::LoopLevel(result, cb);
    for (Halide::Func f : funcs) {
      f.compute_at(group).bound_extent(c, vector).vectorize(c);
      if (!f.has_update_definition()) continue;
      const Halide::RVar r = f.rvars(0)[0];
      f.update().reorder(c, r).vectorize(c);
      for (const int size : sizes) f.update().specialize(to.dim(0).extent() == size).unroll(r);
      f.update().specialize(plain);
    }
  }

  // One kernel. Tiny planes are read once, into shared memory. `few`: the few planes that float can't serve, of 8 that
  // a block looks at: where it has none, it has done nothing but that.
  void OnGpu(bool few) {
    const BlockShape shape = few ? BlockShape{BlockShape::kEach, 8, 256} : BlockShape{BlockShape::kFlat, 32, 128};
    BlockSchedule schedule(result, numbers, shape, c, n);
    for (size_t i = sums.size(); i < per_plane.size(); i++) schedule.Numbers(per_plane[i], {});
    for (size_t i = 0; i < sums.size(); i++) {
      if (few) {
        schedule.Lanes(sums[i]->sum);
        schedule.Numbers(per_plane[i], {});
      } else {
        schedule.Numbers(per_plane[i], {sums[i]->sum});
      }
    }
    if (few) return;
    // (One column more than planes, so that neither rows nor columns lie in one bank.)
    for (auto &[input, image] : inputs) {
      if (image.name().find("residual") != std::string::npos) continue;  // read once: from where it is
      input->turned.bound_storage(c, shape.planes + 1).bound(s, 0, Halide::max(image.dim(0).extent(), 1));
      schedule.Elements(input->turned, s);
    }
  }

  void AlongPlane(int vector) {
    result.vectorize(s, vector, Halide::TailStrategy::GuardWithIf);
    numbers.reorder(which, c, n);
    numbers.compute_with(result, c);
    for (Halide::Func f : per_plane) f.compute_at(result, c);
    for (PlaneSum *sum : sums) sum->ScheduleAlongPlane(Halide::LoopLevel(result, c), vector);
  }

  // Planes c as vectors ci, `batch` of them a step of cb, in `made` and, with its steps, in `kept`, its numbers.
  void Batches(Halide::Stage made, Halide::Stage kept, const Halide::VarOrRVar &each, int vector, int batch) {
    using Halide::TailStrategy;
    for (Halide::Stage *stage : {&made, &kept}) {
      stage->split(c, co, ci, vector, TailStrategy::RoundUp).split(co, cb, cg, batch, TailStrategy::GuardWithIf);
    }
    kept.reorder(ci, each, cg, cb, n).vectorize(ci).unroll(each);
    kept.compute_with(made, cb);
  }

  // What results are made from, of `batch` vectors of planes for each iteration of cb; the loop over the vectors.
  Halide::LoopLevel ScheduleLast(int vector, int batch) {
    Halide::Func last = per_plane.back();
    Stage(last, vector, batch);
    for (const Halide::Expr &version : versions) last.specialize(version);
    return Halide::LoopLevel(last, cg);
  }

  // Results with vectors along planes.
  void AlongVectors(Halide::Stage made, const Halide::Var &so, const Halide::Var &si, int vector) {
    made.split(s, so, si, vector, Halide::TailStrategy::Predicate).reorder(si, so, ci, cg, cb, n).vectorize(si);
    made.specialize(plain);
    Specialize(made);
  }

  void Specialize(Halide::Stage made) {
    for (const Halide::Expr &activation : activations) made.specialize(activation);
  }

  // Numbers (c, n) of `batch` vectors of planes, made for each iteration of cb.
  void Stage(Halide::Func f, int vector, int batch) {
    f.compute_at(result, cb).store_in(Halide::MemoryType::Stack).bound_storage(c, vector * batch).bound_storage(n, 1);
    f.split(c, cg, ci, vector, Halide::TailStrategy::RoundUp).reorder(ci, cg, n).vectorize(ci);
  }

  const Halide::Var co{"co"}, ci{"ci"}, cb{"cb"}, cg{"cg"};
};

}  // namespace haline

#endif  // HALINE_GENERATORS_WIDE_SCHEDULE_H_

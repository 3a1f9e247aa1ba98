// GPU kernels that read a plane once: what the fused kernels share. Planes lie in a block's shared memory, where
// threads share each step: a copy of the elements, the sums of chunks (statistics.h), lanes, numbers of planes,
// results.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_GENERATORS_RESIDENT_H_
#define HALINE_GENERATORS_RESIDENT_H_

#include <memory>

#include "gpu_block.h"
#include "statistics.h"

namespace haline {

// Small chunks: 8 planes of 64 to 511 elements, a warp each. Else a block for each plane. (Not measured on a GPU.)
inline BlockShape ResidentShape(int chunk) { return {BlockShape::kRows, chunk < 128 ? 8 : 1, chunk < 128 ? 32 : 256}; }

// The sums of BlockSums for planes of one block, each chunk's trees side by side.
class ResidentSums {
 public:
  ResidentSums(const BlockSums::Terms &terms, const Halide::Expr &size, int chunk, Halide::Var c, Halide::Var n) {
    using namespace Halide;
    const size_t count = terms(0).size();
    // The tail chunk is the last of them, with what was counted before replaced by zero.
    const Expr whole = size / chunk, chunks_of_plane = (size + chunk - 1) / chunk;
    const Expr start = min(k_ * chunk, size - chunk);
    Exprs sums;
    for (size_t t = 0; t < count; t++) {
      sums.push_back(Tree(chunk / kLanes, [&](int i) {
        const Expr s = start + i * kLanes + u_;
        const Expr e = terms(s)[t];
        return select(s >= k_ * chunk, e, cast(e.type(), 0));
      }));
    }
    chunks(u_, k_, c, n) = Tuple(sums);

    lanes(u_, c, n) = Tuple(Exprs(count, cast<double>(0)));
    const RDom k(0, chunks_of_plane, "k");
    Exprs added = Values(lanes, {u_, c, n});
    for (size_t t = 0; t < count; t++) added[t] += cast<double>(Values(chunks, {u_, k, c, n})[t]);
    lanes(u_, c, n) = Tuple(added);
    tree_ = std::make_unique<LaneTree>(lanes, "lane_tree");
    total(c, n) = Tuple(tree_->Total({c, n}));
  }

  void Schedule(BlockSchedule *schedule) {
    chunks.bound(u_, 0, kLanes);
    schedule->Fused(chunks, u_, k_);
    schedule->Lanes(lanes);
  }

  Halide::Func chunks{"chunks"}, lanes{"lanes"}, total{"total"};

 private:
  Halide::Var u_{"u"}, k_{"k"};
  std::unique_ptr<LaneTree> tree_;
};

}  // namespace haline

#endif  // HALINE_GENERATORS_RESIDENT_H_

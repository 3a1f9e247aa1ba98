#include "tiles.h"

#include <algorithm>

#include "plan.h"
#include "stream.h"

namespace haline {

static constexpr int64_t kFar = int64_t{8} << 20;  // bytes of a plane that is not to be found in cache

Tiles::Tiles(const Part &part, const Array &to, int64_t first, int64_t count)
    : part_(part),
      first_(first),
      count_(count),
      ascending_(count * Size(to.element) >= kFar),
      most_(kTileBytes / Size(to.element)),
      skew_(0) {
  channels_ = std::clamp<int64_t>(most_ / count, 1, part.channels);
  groups_ = (part.channels + channels_ - 1) / channels_;
  if (count > most_) {
    const auto address = reinterpret_cast<uintptr_t>(to.plane(part.n, part.c)) + first * Size(to.element);
    skew_ = static_cast<int64_t>(address % kLine) / Size(to.element);
  }
  pieces_ = (count + skew_ + most_ - 1) / most_;
}

Tiles::Tile Tiles::At(int64_t index) const {
  const int64_t nth = index % pieces_, plane = index / pieces_;
  const int64_t piece = ascending_ ? nth : pieces_ - 1 - nth;
  const int64_t c = plane % groups_ * channels_;
  const int64_t begin = std::max<int64_t>(0, piece * most_ - skew_);
  return {{part_.n + plane / groups_, 1, part_.c + c, std::min(channels_, part_.channels - c), part_.size},
          first_ + begin,
          std::min(count_, (piece + 1) * most_ - skew_) - begin};
}

}  // namespace haline

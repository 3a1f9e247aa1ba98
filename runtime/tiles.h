// Parts cut into what L1 holds.
#ifndef HALINE_RUNTIME_TILES_H_
#define HALINE_RUNTIME_TILES_H_

#include <cstdint>

#include "array.h"

namespace haline {

// Elements [first, first + count) of the planes of a part, cut into tiles of some bytes. A plane's end comes first, as
// it is what was read last; of planes that no cache holds, the beginning, as processors fetch what follows. (One Zen 3
// thread, planes in memory, their beginning first: time of 4 MiB 1.0, 8 MiB 0.8 to 0.9, 16 MiB 0.9, 64 MiB 0.7 to 0.9.)
class Tiles {
 public:
  struct Tile {
    Part part;
    int64_t first, count;
  };

  // As cut for results in `to`: its lines are not divided.
  Tiles(const Part &part, const Array &to, int64_t first, int64_t count);

  int64_t count() const { return part_.batch * groups_ * pieces_; }
  Tile At(int64_t index) const;

 private:
  const Part part_;
  const int64_t first_, count_;
  bool ascending_;
  int64_t most_;      // elements of a tile
  int64_t skew_;      // that the first tile is shorter, to end with a line
  int64_t channels_;  // of a tile
  int64_t groups_;    // of channels
  int64_t pieces_;    // of a plane
};

}  // namespace haline

#endif  // HALINE_RUNTIME_TILES_H_

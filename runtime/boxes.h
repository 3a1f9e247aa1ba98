// Channels-last planes that are summed lane by lane, as generators/statistics.h says, cut into boxes: channels x lanes.
#ifndef HALINE_RUNTIME_BOXES_H_
#define HALINE_RUNTIME_BOXES_H_

#include <algorithm>
#include <cstdint>

#include "plan.h"

namespace haline {

// A box's sums stay in L1, and its elements lie side by side where they can: of many channels it has few lanes. (Zen 3,
// bare loops that sum, rows of 512 bytes to 2 KiB, time by that of 64 channels x 16 lanes: one thread 0.6 to 0.9; two
// threads, boxes of lanes by boxes of channels 0.55 to 0.7.)
class Boxes {
 public:
  struct Box {
    int64_t before, channels, lane, lanes;  // channels before it
  };

  static constexpr int64_t kLanes = 16;

  // For `threads` threads, each of which has some if `times` as many boxes as `count` make that possible.
  Boxes(int64_t channels, Element element, int64_t times, int64_t threads) : all_(channels) {
    constexpr int64_t kMost = 1024;  // channels x lanes
    const int64_t line = LineChannels(element), tiles = CeilDiv(channels, kMostBoxed);
    channels_ = std::min(channels, CeilDiv(CeilDiv(channels, tiles), line) * line);
    while (lanes_ > 1 && lanes_ * channels_ > kMost) lanes_ /= 2;
    const auto uneven = [&] { return times * count() % threads != 0 && times * count() < 4 * threads; };
    while (lanes_ > 1 && uneven()) lanes_ /= 2;
  }

  int64_t count() const { return CeilDiv(all_, channels_) * (kLanes / lanes_); }

  Box At(int64_t index) const {
    const int64_t columns = kLanes / lanes_, before = index / columns * channels_;
    return {before, std::min(channels_, all_ - before), index % columns * lanes_, lanes_};
  }

 private:
  const int64_t all_;
  int64_t channels_, lanes_ = kLanes;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_BOXES_H_

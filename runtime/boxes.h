// Channels-last planes that are summed lane by lane, as generators/statistics.h says, cut into boxes: channels x lanes.
#ifndef HALINE_RUNTIME_BOXES_H_
#define HALINE_RUNTIME_BOXES_H_

#include <algorithm>
#include <cstdint>

#include "plan.h"

namespace haline {

// A box's sums stay in L1, and its elements lie side by side where they can: of many channels it has few lanes. (Zen 3,
// all of haline, time by that of boxes of 64 channels x 16 lanes: one thread, forward and backward, 1x128x64x64 0.92
// and 0.86, 1x256x64x64 0.83 and 0.82, 1x512x31x31 0.91 and 0.88, 1x128x256x256 0.71 and 0.60; two threads, with lanes
// of their own and not channels, 1x128x64x64 0.88 and 0.92, 1x64x128x128 0.91 and 0.90. 128 channels at most instead of
// 512: 1.1 to 1.8; 512 or 2048 numbers instead of 1024: 1.02 and 0.99.)
class Boxes {
 public:
  struct Box {
    int64_t before, channels, lane, lanes;  // channels before it
  };

  // For `threads` threads, each of which has some if `times` as many boxes as `count` make that possible.
  Boxes(int64_t channels, Element element, int64_t times, int64_t threads) : all_(channels) {
    constexpr int64_t kMost = 1024;  // channels x lanes
    // That lie side by side: of fewer, much of what processors fetch ahead is other threads'. (64 threads on two
    // processors, 1x32x256x256 forward, time by that of one: boxes of 128 bytes 2.1.)
    constexpr int64_t kLeastBytes = 1024;
    const int64_t line = LineChannels(element), tiles = CeilDiv(channels, kMostBoxed);
    channels_ = std::min(channels, CeilDiv(CeilDiv(channels, tiles), line) * line);
    while (lanes_ > 1 && lanes_ * channels_ > kMost) lanes_ /= 2;
    const auto uneven = [&] { return times * count() % threads != 0 && times * count() < 4 * threads; };
    while (lanes_ / 2 * channels_ * Size(element) >= kLeastBytes && uneven()) lanes_ /= 2;
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

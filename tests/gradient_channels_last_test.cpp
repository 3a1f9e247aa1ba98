// The gradient of channels-last tensors: the bits of the contiguous ones', for every class of plane size and channel
// count, every form, dx in memory of its own, over x and over dy, with any number of threads.
//
// SPDX-License-Identifier: MIT
#include <cmath>

#include "support/gradient_test.h"

namespace haline::test {
namespace {

class GradientChannelsLastTest : public GradientTest {
 protected:
  void ExpectSameInBothLayouts(GradientCase c) {
    c.channels_last = false;
    c.place = Place::kOwn;
    const GradientResult wanted = Run(c);
    c.channels_last = true;
    for (const Place place : {Place::kOwn, Place::kOverX, Place::kOverDy}) {
      c.place = place;
      c.misaligned = static_cast<int>(place) * 5;
      ExpectSame(Run(c), wanted, Describe(c));
    }
  }
};

// Results and options go round, residuals, activations, frozen statistics and all types among them.
TEST_P(GradientChannelsLastTest, EverySizeAndChannelCount) {
  int64_t turn = 0;
  for (const int64_t size : {1, 2, 63, 64, 65, 90, 127, 511, 512, 513, 1000, 16383, 16384, 16385, 40000}) {
    for (const int64_t channels : {1, 3, 4, 7, 8, 15, 16, 17, 24, 31, 64, 65, 72, 100, 600}) {
      if (size * channels > 40000 && !(size > 10000 && channels == 8)) continue;
      for (int i = 0; i < 4; i++) {
        ExpectSameInBothLayouts(MakeGradientCase({size < 10000 ? 3 : 1, channels, size}, turn++));
      }
    }
  }
}

TEST_P(GradientChannelsLastTest, EveryTypeOfPlanesOfTheirOwnKind) {
  for (const Type type : kFloatTypes) {
    for (const int64_t size : {63, 64, 700}) {
      GradientCase c;
      c.data = "special, channels last";
      c.type = type;
      c.parameters = MathType(type);
      c.shape = {2, 20, size};
      c.x = NormalValues(type, 40 * size, 1, 0.5, 2);
      c.dy = NormalValues(type, 40 * size, 2, 0.25);
      c.x[static_cast<size_t>(3 * size + 5)] = std::nan("");
      c.dy[static_cast<size_t>(17 * size)] = HUGE_VAL;
      for (int64_t s = 0; s < size; s++) c.x[static_cast<size_t>(25 * size + s)] *= 1e30;
      for (const haline_activation activation : {HALINE_NO_ACTIVATION, HALINE_LEAKY_RELU}) {
        c.activation = activation;
        ExpectSameInBothLayouts(c);
      }
    }
  }
}

TEST_P(GradientChannelsLastTest, SameWithAnyNumberOfThreads) {
  int64_t turn = 0;
  for (const Shape &shape : std::vector<Shape>{{9, 70, 64},
                                               {5, 24, 1000},
                                               {1, 600, 130},
                                               {1, 17, 40000},
                                               {1, 32, 600},
                                               {1, 5, 700},
                                               {3, 192, 140},
                                               {1, 520, 530},
                                               {2, 640, 96},
                                               {1, 600, 70}}) {
    for (const int threads : {1, 2, 5}) {
      ASSERT_EQ(haline_set_num_threads(threads), HALINE_OK);
      ExpectSameInBothLayouts(MakeGradientCase(shape, turn++));
    }
  }
}

HALINE_ON_EVERY_BACKEND(GradientChannelsLastTest);

}  // namespace
}  // namespace haline::test

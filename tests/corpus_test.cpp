// The accuracy corpus: inputs that other implementations of instance norm are known to get wrong, each with the error
// that haline must stay under. In units of max(1, |y|), as everywhere.
//
// SPDX-License-Identifier: MIT
#include <random>

#include "support/backends.h"

namespace haline::test {

const int kLeastCases = 14;

namespace {

std::vector<float> Gaussian(int64_t count, unsigned seed, float mean, float deviation) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<float> values(static_cast<size_t>(count));
  for (float &v : values) v = normal(engine);
  return values;
}

class CorpusTest : public BackendTest {
 protected:
  void CheckGaussian(const std::string &name, const Shape &shape, float mean, float deviation, double bound) {
    Check({name, shape, Gaussian(Count(shape), 20, mean, deviation)}, bound);
  }

  void CheckConstant(const std::string &name, const Shape &shape, float value) {
    Check({name, shape, std::vector<float>(static_cast<size_t>(Count(shape)), value)}, 0);
  }
};

TEST_P(CorpusTest, RandnOfAVolume) { CheckGaussian("randn", {1, 1, 224, 224, 160}, 0, 1, 5e-7); }
TEST_P(CorpusTest, RandnOfPictures) { CheckGaussian("randn", {1, 3, 1024, 1024}, 0, 1, 6e-7); }
TEST_P(CorpusTest, RandnOfSpeech) { CheckGaussian("randn", {1, 64, 31999}, 0, 1, 6e-7); }
TEST_P(CorpusTest, RandnOfAGroupNorm) { CheckGaussian("randn", {1, 2, 1048576}, 0, 1, 6e-7); }
TEST_P(CorpusTest, Constant1e7) { CheckConstant("constant 1e7 + pi", {1, 3, 100, 100}, 1e7f + 3.14159265f); }
TEST_P(CorpusTest, Constant01) { CheckConstant("constant 0.1", {1, 1, 512, 512}, 0.1f); }
TEST_P(CorpusTest, Offset1e4) { CheckGaussian("offset 1e4, sd 1", {1, 3, 256, 256}, 1e4f, 1, 2e-7); }
TEST_P(CorpusTest, Offset1e7) { CheckGaussian("offset 1e7, sd 4", {1, 3, 256, 256}, 1e7f, 4, 2e-7); }
TEST_P(CorpusTest, LogMelFloor) { CheckGaussian("-15.94, sd 5e-3", {1, 1, 80, 3000}, -15.94f, 5e-3f, 3e-7); }
TEST_P(CorpusTest, Magnitude1e30) { CheckGaussian("1e30", {1, 3, 100, 100}, 0, 1e30f, 2e-7); }
TEST_P(CorpusTest, Magnitude1e30InPlace) {
  Check({"1e30", {1, 3, 101, 99}, Gaussian(int64_t{3} * 101 * 99, 21, 3e29f, 1e30f), {}, {}, 1e-5, 1, true}, 2e-7);
}
TEST_P(CorpusTest, MeanOf512) { CheckGaussian("offset -512, sd 0.5", {2, 3, 64, 64}, -512, 0.5f, 5e-7); }
TEST_P(CorpusTest, OneElementAPlane) { CheckGaussian("randn", {64, 10}, 0, 1, 0); }
TEST_P(CorpusTest, SmallestKnown) { CheckGaussian("randn", {2, 6, 2, 4}, 0, 1, 2e-7); }

HALINE_ON_EVERY_BACKEND(CorpusTest);

}  // namespace
}  // namespace haline::test

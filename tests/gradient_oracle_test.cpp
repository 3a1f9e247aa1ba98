// The oracle of gradients itself: every gradient against central differences of the forward pass, in its own precision.
//
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "reference/gradient.h"
#include "reference/tolerance.h"
#include "support/random.h"

namespace haline::test {
namespace {

using oracle::Wide;
using Wides = std::vector<Wide>;

struct Plane {
  Wides x, dy, residual;
  oracle::PlaneProblem problem;

  Plane(int64_t size, uint64_t seed, bool with_residual) {
    const auto fill = [&](Wides *values, uint64_t which) {
      for (const float v : Normals(size, seed * 8 + which)) values->push_back(v);
    };
    fill(&x, 0);
    fill(&dy, 1);
    if (with_residual) fill(&residual, 2);
    problem.size = size;
    problem.scale = 1.25;
    problem.shift = -0.375;
  }
  Plane(const Plane &) = delete;
  Plane &operator=(const Plane &) = delete;

  const oracle::PlaneProblem &Point() {
    problem.x = x.data();
    problem.dy = dy.data();
    problem.residual = residual.empty() ? nullptr : residual.data();
    return problem;
  }

  // sum(dy * y), whose gradients are those that the oracle gives; from the definition of y alone.
  Wide Loss() const {
    const oracle::Moments moments = oracle::PlaneMoments(x.data(), problem.size);
    Wide loss = 0;
    for (size_t i = 0; i < x.size(); i++) {
      Wide z = problem.frozen ? (x[i] - problem.mean) * problem.rstd * problem.scale + problem.shift
                              : oracle::Normalize(x[i], moments, problem.eps, problem.scale, problem.shift);
      if (!residual.empty()) z += residual[i];
      loss += dy[i] * (z > 0 ? z : z * problem.slope);
    }
    return loss;
  }

  // d Loss / d value.
  Wide Difference(Wide *value) {
    const Wide at = *value, h = 0x1p-16L;
    *value = at + h;
    const Wide above = Loss();
    *value = at - h;
    const Wide below = Loss();
    *value = at;
    return (above - below) / (2 * h);
  }
};

void ExpectNear(Wide found, Wide wanted, const std::string &what) {
  EXPECT_LE(static_cast<double>(std::fabs(found - wanted)),
            2e-8 * std::max(1.0, static_cast<double>(std::fabs(wanted))))
      << what << ": " << static_cast<double>(found) << ", by differences " << static_cast<double>(wanted);
}

// z is kept away from the activation's kink, over which no difference may reach.
bool Smooth(const oracle::PlaneProblem &problem) {
  for (const Wide z : oracle::Forward(problem).z) {
    if (!(std::fabs(z) > 1e-3L)) return false;
  }
  return true;
}

TEST(GradientOracleTest, IsWhatCentralDifferencesGive) {
  int cases = 0;
  for (const int64_t size : {1, 2, 3, 5, 16, 37}) {
    for (const double slope : {1.0, 0.0, 0.2, -0.5}) {
      for (const double eps : {1e-1, 1e-5, 0.0}) {
        for (const int form : {0, 1, 2, 3}) {  // residual, frozen
          for (uint64_t seed = 1; seed < 50; seed++) {
            Plane plane(size, seed, form & 1);
            plane.problem.slope = slope;
            plane.problem.eps = eps;
            plane.problem.frozen = form & 2;
            plane.problem.mean = 0.25;
            plane.problem.rstd = 1.5;
            const oracle::PlaneGradient found = oracle::Differentiate(plane.Point());
            // A plane of one element is constant: at eps = 0 it has no gradient but the 0 that is promised.
            if (!Smooth(plane.problem) || (size == 1 && eps < 1e-3)) continue;
            // Two elements a hair apart are nearly such a plane.
            if (size == 2 && std::fabs(plane.x[0] - plane.x[1]) < 0.5L) continue;
            const std::string what = std::to_string(size) + " elements, slope " + std::to_string(slope) + ", eps " +
                                     std::to_string(eps) + ", form " + std::to_string(form);
            for (size_t i = 0; i < plane.x.size(); i++) {
              ExpectNear(found.dx[i], plane.Difference(&plane.x[i]), what + ": dx");
              if (form & 1) ExpectNear(found.dresidual[i], plane.Difference(&plane.residual[i]), what + ": dresidual");
            }
            ExpectNear(found.dscale, plane.Difference(&plane.problem.scale), what + ": dscale");
            ExpectNear(found.dshift, plane.Difference(&plane.problem.shift), what + ": dshift");
            cases++;
            break;
          }
        }
      }
    }
  }
  EXPECT_EQ(cases, 6 * 4 * 3 * 4 - 4 * 2 * 4);  // a seed was found for each
}

TEST(GradientOracleTest, PlanesWithoutAGradient) {
  for (const int64_t size : {1, 7}) {
    Plane plane(size, 1, false);
    for (Wide &x : plane.x) x = 3;
    plane.problem.eps = 0;
    const oracle::PlaneGradient found = oracle::Differentiate(plane.Point());
    for (const Wide dx : found.dx) EXPECT_EQ(dx, 0);
    EXPECT_EQ(found.dscale, 0);
    Wide sum = 0;
    for (const Wide dy : plane.dy) sum += dy;
    EXPECT_EQ(found.dshift, sum);
  }
  EXPECT_TRUE(oracle::Differentiate({}).dx.empty());
}

TEST(GradientOracleTest, ErrorsThatAreNotNumbersFail) {
  const double nan = std::nan(""), infinity = HUGE_VAL;
  EXPECT_FALSE(oracle::BackwardError(nan, 1, 1) <= oracle::kBackward);
  EXPECT_FALSE(oracle::BackwardError(1, nan, 1) <= oracle::kBackward);
  EXPECT_FALSE(oracle::BackwardError(infinity, 1, 1) <= oracle::kBackward);
  EXPECT_FALSE(oracle::BackwardError(infinity, -infinity, 1) <= oracle::kBackward);
  EXPECT_FALSE(oracle::BackwardError(1, infinity, 1) <= oracle::kBackward);
  EXPECT_FALSE(oracle::BackwardError(1.1, 1, 1, 0.05L) <= oracle::kBackward);
  EXPECT_EQ(oracle::BackwardError(nan, nan, 1), 0);
  EXPECT_EQ(oracle::BackwardError(infinity, 1e39L, 1), 0);
  EXPECT_EQ(oracle::BackwardError(1.04, 1, 1, 0.05L), 0);
  EXPECT_NEAR(oracle::BackwardError(3, 1, 8), 0.25, 1e-15);
}

}  // namespace
}  // namespace haline::test

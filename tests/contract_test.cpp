// The accuracy contract on values chosen to break it: |y - exact| <= 1e-6 * max(1, |y|, |scale|) for all finite x.
//
// SPDX-License-Identifier: MIT
#include <cfloat>
#include <cmath>
#include <functional>

#include "support/backends.h"
#include "support/random.h"
#include "support/sampled.h"

namespace haline::test {

const int kLeastCases = 29900;

namespace {

const int64_t kSizes[] = {2, 5, 48, 63, 64, 65, 90, 129, 500, 512, 639, 1000, 4096, 5003, 66000, 140001};

// Element i of `size`.
using Maker = std::function<float(int64_t i, int64_t size, Random &random)>;

struct Values {
  std::string name;
  Maker at;
};

// Mostly `rare` elements apart, one in `of` the others.
Values TwoValues(const std::string &name, float often, float rare, int64_t of) {
  return {name, [=](int64_t i, int64_t, Random &) { return i % of == of - 1 ? rare : often; }};
}

Values Shifted(const std::string &name, float mean, float deviation) {
  return {name, [=](int64_t, int64_t, Random &random) { return mean + deviation * random.Normal(); }};
}

// One element of another magnitude, at a fraction of the plane.
Values Outlier(const std::string &name, float outlier, double where, float deviation = 1) {
  return {name, [=](int64_t i, int64_t size, Random &random) {
            const float v = deviation * random.Normal();
            return i == static_cast<int64_t>(where * static_cast<double>(size - 1)) ? outlier : v;
          }};
}

// The first `count` elements far from the rest.
Values FarStart(const std::string &name, int64_t count, float start, float rest) {
  return {name, [=](int64_t i, int64_t, Random &random) { return random.Normal() + (i < count ? start : rest); }};
}

// Just what the pivot looks at has another mean.
Values Aliased(const std::string &name, float seen, float unseen) {
  return {name, [=](int64_t i, int64_t size, Random &random) {
            return Sampled(i, size) ? seen : unseen + 0.01f * random.Normal();
          }};
}

std::vector<Values> HardValues() {
  return {
      Shifted("normal", 0, 1),
      Shifted("offset 1e4", 1e4f, 1),
      Shifted("offset 1e7, sd 4", 1e7f, 4),
      Shifted("offset 1e7, sd 1", 1e7f, 1),
      Shifted("offset -16777216", -16777216.f, 2),
      Shifted("log-mel floor", -15.94f, 5e-3f),
      Shifted("offset 1e30", 1e30f, 1e24f),
      Shifted("magnitude 1e18", 0, 1e18f),
      Shifted("magnitude 1e19", 0, 1e19f),
      Shifted("magnitude 3e19", 0, 3e19f),
      Shifted("magnitude 1e30", 0, 1e30f),
      Shifted("magnitude 1e-10", 0, 1e-10f),
      Shifted("magnitude 1e-15", 0, 1e-15f),
      Shifted("magnitude 1e-19", 0, 1e-19f),
      Shifted("magnitude 1e-30", 0, 1e-30f),
      Shifted("denormal", 0, 1e-40f),
      Shifted("offset 1e-20, sd 1e-25", 1e-20f, 1e-25f),
      TwoValues("FLT_MAX, both signs", FLT_MAX, -FLT_MAX, 2),
      TwoValues("FLT_MAX, rarely negative", FLT_MAX, -FLT_MAX, 7),
      TwoValues("FLT_MAX among zeros", 0, FLT_MAX, 64),
      TwoValues("+-0.1", 0.1f, -0.1f, 2),
      TwoValues("+-0.1, 25 %", 0.1f, -0.1f, 4),
      TwoValues("+-0.1, 75 %", -0.1f, 0.1f, 4),
      TwoValues("0.1 and 0.3, 1 of 3", 0.1f, 0.3f, 3),
      TwoValues("one ulp apart at 1", 1.f, 1.f + 0x1p-23f, 3),
      TwoValues("one ulp apart at 1e7", 1e7f, 1e7f + 1, 5),
      TwoValues("one ulp apart at 2^24", 16777216.f, 16777215.f, 3),
      TwoValues("1e-3 and 1e3", 1e-3f, 1e3f, 16),
      TwoValues("denormal steps", 0x1p-149f, 0x1p-148f, 2),
      TwoValues("period of 128", 1.f, -3.f, 128),
      TwoValues("period of 16", 100.f, 101.f, 16),
      Outlier("outlier 1e6 first", 1e6f, 0),
      Outlier("outlier 1e6 last", 1e6f, 1),
      Outlier("outlier -1e10 first", -1e10f, 0),
      Outlier("outlier 1e20 first", 1e20f, 0),
      Outlier("outlier 1e20 in the middle", 1e20f, 0.5),
      Outlier("outlier 1e30 in the middle", 1e30f, 0.5),
      Outlier("outlier FLT_MAX last", FLT_MAX, 1),
      Outlier("outlier 1 over 1e-12", 1.f, 0.3, 1e-12f),
      Outlier("outlier 30 first", 30.f, 0, 0.1f),
      FarStart("first 64 far", 64, 1000, 0),
      FarStart("first 64 very far", 64, 1e6f, 0),
      FarStart("first 16 far", 16, -1e5f, 3),
      FarStart("first 512 far, offset", 512, 2e6f, 1e6f),
      FarStart("first element far", 1, 1e8f, 0),
      Aliased("sampled 1, rest 0", 1, 0),
      Aliased("sampled 0, rest 1e5", 0, 1e5f),
      Aliased("sampled 1e6, rest 1", 1e6f, 1),
      {"ramp", [](int64_t i, int64_t, Random &) { return static_cast<float>(i); }},
      {"ramp at 1e6", [](int64_t i, int64_t, Random &) { return 1e6f - static_cast<float>(i) * 0.25f; }},
      {"ramp down to 1e-3",
       [](int64_t i, int64_t size, Random &) { return static_cast<float>(size - i) * 1e-3f + 100.f; }},
      {"step", [](int64_t i, int64_t size, Random &) { return i < size / 2 ? 5.f : 6.f; }},
      {"step of 1e5", [](int64_t i, int64_t size, Random &) { return i < size / 3 ? 1e5f : 0.1f; }},
      {"powers of ten",
       [](int64_t, int64_t, Random &random) { return random.Normal() * std::pow(10.f, float(random.Below(12) - 6)); }},
      {"all magnitudes",
       [](int64_t, int64_t, Random &random) { return random.Normal() * std::pow(10.f, float(random.Below(74) - 37)); }},
      {"bytes", [](int64_t, int64_t, Random &random) { return static_cast<float>(random.Below(256)); }},
      {"rarely not zero",
       [](int64_t, int64_t, Random &random) { return random.Below(100) == 0 ? random.Normal() * 50 : 0.f; }},
      {"period of a 32nd",
       [](int64_t i, int64_t size, Random &random) {
         const int64_t period = std::max<int64_t>(1, size / 32);
         return 1000.f * static_cast<float>(i % period) / static_cast<float>(period) + 0.1f * random.Normal();
       }},
  };
}

Case MakeCase(const Values &values, int64_t size, int64_t planes = 1, uint64_t seed = 11) {
  Case c{values.name, {1, planes, size}, {}};
  Random random(seed);
  for (int64_t i = 0; i < planes * size; i++) c.x.push_back(values.at(i % size, size, random));
  return c;
}

class ContractTest : public BackendTest {};

TEST_P(ContractTest, HardValues) {
  for (const Values &values : HardValues()) {
    for (const int64_t size : kSizes) {
      Case c = MakeCase(values, size);
      for (const double eps : {1e-5, 0.0, 1e-8, 1e-24, 1e-25, 1.0, 1e30}) {
        c.eps = eps;
        c.in_place = !c.in_place;
        if (eps == 1e-5 || size < 2000) Check(c);
      }
    }
  }
}

TEST_P(ContractTest, HardValuesAmongOrdinaryPlanes) {
  for (const Values &values : HardValues()) {
    for (const int64_t size : {33, 64, 100, 640, 1000}) {
      Case c = MakeCase(values, size, 12);
      for (int64_t p = 0; p < 12; p++) {
        if (p % 5 != 1) std::copy_n(Normals(size, 20 + p).begin(), size, c.x.begin() + p * size);
      }
      c.data += " among ordinary planes";
      c.eps = 0;
      c.scale = Normals(12, 5, 1.f, 0.5f);
      c.shift = Normals(12, 6);
      for (const bool in_place : {false, true}) {
        c.in_place = in_place;
        Check(c);
      }
    }
  }
}

TEST_P(ContractTest, LargeAndSmallScaleAndShift) {
  for (const Values &values : HardValues()) {
    for (const int64_t size : {63, 64, 127, 513}) {
      Case c = MakeCase(values, size);
      for (const float shift : {0.f, 1.f, -1.9f, 2.1f, 10.f, 100.f, -1e4f, 1e10f, 1e30f, 3e38f}) {
        for (const float scale : {1.f, -1.f, 0.01f, 1e-6f, 1e-30f, 1e-42f, 0.f, 100.f, 1e10f, -1e30f}) {
          c.scale = {scale};
          c.shift = {shift};
          c.eps = size % 2 == 0 ? 1e-5 : 0;
          Check(c);
        }
      }
    }
  }
}

// Planes whose every property is drawn: magnitude, offset, outliers, repeats, steps, parameters.
TEST_P(ContractTest, Drawn) {
  for (uint64_t seed = 0; seed < 1500; seed++) {
    Random random(1000 + seed);
    const int64_t size = 1 + random.Below(seed % 50 == 0 ? 150000 : seed % 5 == 0 ? 5000 : 700);
    const auto magnitude = [&](int range) {
      return std::pow(10.f, static_cast<float>(random.Below(int64_t{2} * range) - range));
    };
    const float deviation = magnitude(seed % 2 ? 30 : 5);
    const float offset = random.Below(2) ? 0 : deviation * magnitude(6) * random.Normal();
    const int64_t repeats = random.Below(3) ? 1 : 1 + random.Below(200);
    const int64_t outliers = random.Below(3) ? 0 : random.Below(4);
    Case c{"drawn " + std::to_string(seed), {1, 1, size}, {}};
    float v = 0;
    for (int64_t i = 0; i < size; i++) {
      if (i % repeats == 0) v = offset + deviation * random.Normal();
      c.x.push_back(v);
    }
    for (int64_t i = 0; i < outliers; i++) {
      c.x[static_cast<size_t>(random.Below(size))] = deviation * magnitude(8) * random.Normal();
    }
    if (random.Below(2)) c.scale = {random.Normal() * magnitude(8)};
    if (random.Below(2)) c.shift = {random.Normal() * magnitude(8)};
    c.eps = random.Below(3) == 0 ? 0 : std::pow(10.0, static_cast<double>(random.Below(30)) - 25);
    c.in_place = seed % 2;
    Check(c);
  }
}

HALINE_ON_EVERY_BACKEND(ContractTest);

}  // namespace
}  // namespace haline::test

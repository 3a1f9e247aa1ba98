// The bytes of every form, forward and backward, across processors: operator_hashes.txt was written on one machine, and
// every back end of every other must give the same. A change of the numerics changes it on purpose:
// operator_hashes_test --regenerate writes it anew.
//
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <stdexcept>

#include "support/form.h"

namespace haline::test {

const int kLeastCases = 684;

namespace {

struct Layout {
  const char *name;
  Shape (*strides)(const Shape &shape);
};
const Layout kLayouts[] = {{"contiguous", Contiguous},
                           {"channels-last", ChannelsLast},
                           {"crop", [](const Shape &shape) { return Crop(shape, 2); }}};

// Tiny, small and large planes, and several blocks.
const Shape kShapes[] = {{3, 5, 4, 6}, {2, 9, 9, 11}, {2, 3, 24, 30}, {2, 2, 130, 135}};

// What a form adds to the plain one; the residual and lengths count in both directions.
struct Parts {
  const char *name;
  bool affine, by_sample, residual, lengths, given, running, special;
  haline_activation activation;
};
const Parts kForms[] = {
    {"plain", false, false, false, false, false, false, false, HALINE_NO_ACTIVATION},
    {"affine", true, false, false, false, false, false, false, HALINE_NO_ACTIVATION},
    {"by-sample", true, true, false, false, false, false, false, HALINE_NO_ACTIVATION},
    {"relu", true, false, false, false, false, false, false, HALINE_RELU},
    {"residual-leaky", true, false, true, false, false, false, false, HALINE_LEAKY_RELU},
    {"lengths", true, false, false, true, false, false, false, HALINE_NO_ACTIVATION},
    {"frozen", true, false, false, false, true, false, false, HALINE_NO_ACTIVATION},
    {"running", false, false, false, false, false, true, false, HALINE_NO_ACTIVATION},
    {"special-values", true, false, false, false, false, false, true, HALINE_NO_ACTIVATION},
    {"everything", true, true, true, true, false, true, false, HALINE_LEAKY_RELU},
};

// A NaN, an infinity, a plane of the largest magnitudes, a constant one; then denormals, as far as planes go.
void MakeSpecial(Typed *x) {
  const int64_t size = x->shape()[2] * x->shape()[3], planes = x->count() / size;
  const double largest = x->type() == Type::kF16 ? 65504 : x->type() == Type::kF64 ? 0x1p1020 : 0x1p125;
  for (int64_t i = 0; i < x->count(); i++) {
    const int64_t plane = i / size % 5;
    if (plane == 2 || planes < 3) x->Set(i, (i % 3 - 1) * largest);
    if (plane == 3) x->Set(i, 0.3);
    if (plane == 4) x->SetBits(i, static_cast<uint64_t>(i * 37 % 101));
  }
  x->Set(size / 2, std::numeric_limits<double>::quiet_NaN());
  if (planes > 2) x->Set(size + 1, std::numeric_limits<double>::infinity());
}

// FNV-1a, 64 bits.
class Hash {
 public:
  void Add(const Typed &values) {
    for (const char byte : values.bytes()) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  }
  std::string text() const {
    char text[17];
    std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  uint64_t hash_ = 0xcbf29ce484222325u;
};

void Succeed(haline_status status) {
  if (status != HALINE_OK) throw std::runtime_error(haline_error_message());
}

// The hash of all results of one case.
std::string Run(const Parts &parts, Type type, const Shape &shape, const Layout &layout, bool backward,
                const std::string &backend) {
  const Shape strides = layout.strides(shape), planes = {shape[0], shape[1]}, channels = {shape[1]};
  const Type math = MathType(type);
  Typed x(type, shape, 11, 0.5, 2, strides);
  const Typed residual(type, shape, 12, 0, 1, strides), dy(type, shape, 13, 0, 1, strides),
      scale(math, parts.by_sample ? planes : channels, 14, 1, 0.5),
      shift(math, parts.by_sample ? planes : channels, 15);
  if (parts.special) MakeSpecial(&x);
  Typed lengths(Type::kI32, {shape[0]}), given_mean(Type::kF32, channels, 16, 0.5, 0.1),
      given_rstd(Type::kF32, channels);
  for (int64_t n = 0; n < shape[0]; n++) lengths.Set(n, static_cast<double>(n == 1 ? 0 : shape[3] - 1 - n));
  given_rstd.Fill(0.4375);
  Typed mean(Type::kF64, planes), rstd(Type::kF32, planes), running_mean(Type::kF32, channels, 17),
      running_variance(Type::kF64, channels, 18, 4, 0.5);

  Form form;
  form.x = &x;
  form.activation = parts.activation;
  form.negative_slope = 0.2;
  if (parts.affine) form.scale = &scale, form.shift = &shift;
  if (parts.residual) form.residual = &residual;
  if (parts.lengths) form.lengths = &lengths;
  if (parts.given) {
    form.given_mean = &given_mean;
    form.given_rstd = &given_rstd;
  } else {
    form.mean = &mean;
    form.rstd = &rstd;
  }
  if (parts.running) form.running_mean = &running_mean, form.running_variance = &running_variance;
  Typed y(type, shape, 0, 0, 1, strides);
  haline_options options = Options(form);
  options.backend = backend.c_str();
  const haline_tensor *const tscale = form.scale ? scale.t() : nullptr, *const tshift =
                                                                            form.shift ? shift.t() : nullptr;
  Succeed(haline_instance_norm(x.t(), tscale, tshift, y.t(), &options));
  Hash hash;
  if (!backward) {
    for (const Typed *result : {&y, &mean, &rstd, &running_mean, &running_variance}) hash.Add(*result);
    return hash.text();
  }
  Typed dx(type, shape, 0, 0, 1, strides), dresidual = dx, dscale(math, scale.shape()), dshift = dscale;
  if (parts.residual) options.dresidual = dresidual.t();
  options.frozen = parts.given;
  Succeed(haline_instance_norm_backward(x.t(), dy.t(), tscale, tshift, parts.given ? given_mean.t() : mean.t(),
                                        parts.given ? given_rstd.t() : rstd.t(), dx.t(), dscale.t(), dshift.t(),
                                        &options));
  for (const Typed *result : {&dx, &dscale, &dshift, &dresidual}) hash.Add(*result);
  return hash.text();
}

using Runner = std::function<std::string(const std::string &backend)>;

// Every case by its name.
std::vector<std::pair<std::string, Runner>> Cases() {
  std::vector<std::pair<std::string, Runner>> cases;
  for (const bool backward : {false, true}) {
    for (const Parts &parts : kForms) {
      if (backward && &parts == &kForms[7]) continue;  // running statistics are none of its business
      for (const Type type : kFloatTypes) {
        for (const Shape &shape : kShapes) {
          for (const Layout &layout : kLayouts) {
            // Large planes in one layout by form; crops of small planes alone.
            const bool large = &shape == &kShapes[3], crop = &layout == &kLayouts[2];
            if (large && &layout != &kLayouts[(&parts - kForms) % 3]) continue;
            if (crop && &shape == &kShapes[0]) continue;
            cases.emplace_back((backward ? "backward " : "forward ") + std::string(parts.name) + ' ' + Name(type) +
                                   ' ' + layout.name + ' ' + Text(shape),
                               [&parts, type, &shape, &layout, backward](const std::string &backend) {
                                 return Run(parts, type, shape, layout, backward, backend);
                               });
          }
        }
      }
    }
  }
  return cases;
}

class OperatorHashesTest : public FormTest {};

TEST_P(OperatorHashesTest, AreThoseOfEveryOtherMachine) {
  std::map<std::string, std::string> wanted;
  std::ifstream file(HALINE_TEST_OPERATOR_HASHES);
  for (std::string line; std::getline(file, line);) wanted[line.substr(17)] = line.substr(0, 16);
  const auto cases = Cases();
  EXPECT_GE(cases.size(), 200u);
  EXPECT_EQ(wanted.size(), cases.size()) << HALINE_TEST_OPERATOR_HASHES
                                         << " has other cases: operator_hashes_test --regenerate";
  for (const auto &[name, run] : cases) {
    EXPECT_EQ(run(backend()), wanted[name]) << name;
    Ran(name);
  }
}

HALINE_ON_EVERY_BACKEND(OperatorHashesTest);

}  // namespace

int Regenerate() {
  std::ofstream file(HALINE_TEST_OPERATOR_HASHES);
  for (const auto &[name, run] : Cases()) file << run(RunnableBackends().front()) << ' ' << name << '\n';
  return file.flush() ? 0 : 1;
}

}  // namespace haline::test

int main(int argc, char **argv) {
  if (argc == 2 && std::string(argv[1]) == "--regenerate") return haline::test::Regenerate();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

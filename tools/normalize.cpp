// SPDX-License-Identifier: MIT
#include "tools/normalize.h"

#include <charconv>
#include <cmath>
#include <vector>

#include "haline/haline.hpp"
#include "tools/data.h"
#include "tools/failure.h"
#include "tools/npy.h"
#include "tools/output_file.h"

namespace haline::tool {
namespace {

// What a picture shows of mean 0 and variance 1: two standard deviations to either side of the middle.
constexpr float kPictureScale = 0.25f, kPictureShift = 0.5f;

std::vector<float> ParseList(const std::string &option, const std::string &text) {
  const std::string wanted = " found, finite numbers such as 0.5 or 1,2,3, or @FILE.npy wanted";
  std::vector<float> values;
  const char *at = text.data(), *const end = at + text.size();
  while (true) {
    float value;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || !std::isfinite(value) || (next != end && *next != ',')) {
      throw UsageError(std::string(option).append(": \"").append(text).append("\"").append(wanted));
    }
    values.push_back(value);
    if (next == end) return values;
    at = next + 1;
  }
}

// The values of --scale or --shift: none, or one a channel.
std::vector<float> PerChannel(const std::string &option, const std::string &text, int64_t channels) {
  if (text.empty()) return {};
  std::vector<float> values;
  if (text[0] == '@') {
    Input input(text.substr(1));
    const Data data = ReadData(input);
    if (data.bits != 0 || data.shape.size() != 1) {
      throw Failure(option + ": " + (data.bits != 0 ? "a picture" : "shape " + ShapeText(data.shape)) + " in " +
                    input.name() + " found, a .npy file of shape [" + std::to_string(channels) + "] wanted");
    }
    values = data.values;
  } else {
    values = ParseList(option, text);
  }
  if (values.size() == 1) values.assign(static_cast<size_t>(channels), values[0]);
  if (values.size() != static_cast<size_t>(channels)) {
    throw UsageError(option + ": " + std::to_string(values.size()) + " values found, 1 or " + std::to_string(channels) +
                     " (one a channel) wanted");
  }
  return values;
}

}  // namespace

void Normalize(const NormalizeOptions &options) {
  const Format format = ChooseFormat(options.format, options.out);
  Input input(options.in);
  OutputFile output(options.out);  // now, so that a place that can't be written to is found before the work

  Data data = ReadData(input);
  if (data.shape.size() < 2) {
    throw Failure(input.name() + ": shape " + ShapeText(data.shape) +
                  " found, [N, C, *] wanted: two dimensions and up");
  }
  CheckFits(data, format, output.name());
  const int64_t channels = data.shape[1];
  std::vector<float> scale = PerChannel("--scale", options.scale, channels);
  std::vector<float> shift = PerChannel("--shift", options.shift, channels);
  if (format != Format::kNpy) {
    if (scale.empty()) scale.assign(static_cast<size_t>(channels), kPictureScale);
    if (shift.empty()) shift.assign(static_cast<size_t>(channels), kPictureShift);
  }

  const TensorView view(data.values.data(), data.shape);
  instance_norm(view, view, scale.empty() ? nullptr : scale.data(), shift.empty() ? nullptr : shift.data(),
                {options.eps, options.backend});

  if (format == Format::kNpy) {
    const std::string header = NpyHeader(data.shape);
    output.Write(header.data(), header.size());
    output.Write(data.values.data(), data.values.size() * sizeof(float));
  } else {
    const Bytes file = EncodePicture(data, format, output.name());
    output.Write(file.data(), file.size());
  }
  output.Commit();
}

}  // namespace haline::tool

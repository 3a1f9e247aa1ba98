// SPDX-License-Identifier: MIT
#include "tools/normalize.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <vector>

#include "haline/haline.hpp"
#include "tools/data.h"
#include "tools/failure.h"
#include "tools/npy.h"
#include "tools/output_file.h"

namespace haline::tool {
namespace {

// What a picture shows of mean 0 and variance 1: two standard deviations to either side of the middle.
constexpr char kPictureScale[] = "0.25", kPictureShift[] = "0.5";

// T: float or double, as scale and shift are to be.
template <typename T>
std::vector<T> ParseList(const std::string &option, const std::string &text) {
  const std::string wanted = " found, finite numbers such as 0.5 or 1,2,3, or @FILE.npy wanted";
  std::vector<T> values;
  const char *at = text.data(), *const end = at + text.size();
  while (true) {
    T value;
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
template <typename T>
std::optional<Tensor> PerChannel(const std::string &option, const std::string &text, int64_t channels) {
  if (text.empty()) return std::nullopt;
  std::vector<T> values;
  if (text[0] == '@') {
    Input input(text.substr(1));
    const Data data = ReadData(input, std::is_same_v<T, double> ? Dtype::kFloat64 : Dtype::kFloat32);
    if (data.bits != 0 || data.shape.size() != 1) {
      throw Failure(option + ": " + (data.bits != 0 ? "a picture" : "shape " + ShapeText(data.shape)) + " in " +
                    input.name() + " found, a .npy file of shape [" + std::to_string(channels) + "] wanted");
    }
    const auto *first = reinterpret_cast<const T *>(data.numbers.data());
    values.assign(first, first + data.shape[0]);
  } else {
    values = ParseList<T>(option, text);
  }
  if (values.size() == 1) values.assign(static_cast<size_t>(channels), values[0]);
  if (values.size() != static_cast<size_t>(channels)) {
    throw UsageError(option + ": " + std::to_string(values.size()) + " values found, 1 or " + std::to_string(channels) +
                     " (one a channel) wanted");
  }
  Tensor tensor(Shape{channels}, dtype_of<T>());
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor;
}

}  // namespace

void Normalize(const NormalizeOptions &options) {
  const Format format = ChooseFormat(options.format, options.out);
  if (format == Format::kNpy && options.dtype == Dtype::kBfloat16) {
    throw UsageError("--dtype: bfloat16 found, float16, float32 or float64 wanted: .npy has no bfloat16");
  }
  Input input(options.in);
  OutputFile output(options.out);  // now, so that a place that can't be written to is found before the work

  Data data = ReadData(input, options.dtype, options.layout);
  if (data.shape.size() < 2) {
    throw Failure(input.name() + ": shape " + ShapeText(data.shape) + " found, " +
                  (options.layout == Layout::kChannelsFirst ? "[N, C, *]" : "[N, *, C]") +
                  " wanted: two dimensions and up");
  }
  CheckFits(data, options.layout, format, output.name());
  const TensorView x = Planes(data, options.layout);
  const auto per_channel = data.dtype == Dtype::kFloat64 ? PerChannel<double> : PerChannel<float>;
  const auto values = [&](const std::string &option, const std::string &text, const char *of_picture) {
    return per_channel(option, text.empty() && format != Format::kNpy ? of_picture : text, x.shape()[1]);
  };
  const std::optional<Tensor> scale = values("--scale", options.scale, kPictureScale);
  const std::optional<Tensor> shift = values("--shift", options.shift, kPictureShift);

  Options call;
  call.eps = options.eps;
  call.backend = options.backend;
  call.activation = options.activation;
  call.negative_slope = options.negative_slope;
  try {
    instance_norm(x, x, scale, shift, call);
  } catch (const Error &error) {
    const std::string what = error.what();
    throw Failure(what.rfind("x: ", 0) == 0 ? input.name() + what.substr(1) : what);  // what a user calls x
  }

  if (format == Format::kNpy) {
    const std::string header = NpyHeader(data);
    output.Write(header.data(), header.size());
    output.Write(data.numbers.data(), data.numbers.size());
  } else {
    const Bytes file = EncodePicture(data, options.layout, format, output.name());
    output.Write(file.data(), file.size());
  }
  output.Commit();
}

}  // namespace haline::tool

#include "tools/parse.h"

#include <charconv>
#include <cmath>

namespace haline::tool {

bool ParseFinite(const std::string &text, double *number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(*number);
}

bool ParseNumber(const std::string &text, double *number) { return ParseFinite(text, number) && *number >= 0; }

std::string Found(const std::string &text, const std::string &wanted) {
  return "\"" + text + "\" found, " + wanted + " wanted";
}

std::string ParseActivation(const std::string &text, NormalizeOptions *n) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  if (name == "leaky_relu" && (colon == std::string::npos || ParseFinite(text.substr(colon + 1), &n->negative_slope))) {
    n->activation = HALINE_LEAKY_RELU;
  } else if (text == "relu") {
    n->activation = HALINE_RELU;
  } else if (text == "none") {
    n->activation = HALINE_NO_ACTIVATION;
  } else {
    return Found(text, "none, relu, leaky_relu or leaky_relu:SLOPE (a finite number)");
  }
  return "";
}

std::string ParseEps(const std::string &text, NormalizeOptions *n) {
  return ParseNumber(text, &n->eps) ? "" : Found(text, "a finite number of 0 and up");
}

std::string ParseDtype(const std::string &text, NormalizeOptions *n) {
  n->dtype = ComputedDtype(text);
  return n->dtype ? "" : Found(text, "float16, bfloat16, float32 or float64");
}

std::string ParseLayout(const std::string &text, NormalizeOptions *n) {
  n->layout = text == "channels-last" ? Layout::kChannelsLast : Layout::kChannelsFirst;
  return text == "channels-last" || text == "channels-first" ? "" : Found(text, "channels-first or channels-last");
}

}  // namespace haline::tool

// SPDX-License-Identifier: MIT
#include "bench/shapes.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

namespace haline::bench {
namespace {

std::vector<Shape> Union(std::initializer_list<std::vector<Shape>> lists) {
  std::vector<Shape> all;
  for (const auto &list : lists) {
    for (const Shape &shape : list) {
      if (std::find(all.begin(), all.end(), shape) == all.end()) all.push_back(shape);
    }
  }
  return all;
}

std::vector<ShapeSet> MakeSets() {
  const std::vector<Shape> tiny = {{2, 6, 2, 4}, {32, 512, 2, 2}};
  const std::vector<Shape> cache = {{2, 320, 4, 4, 4}, {32, 256, 8, 8},   {8, 64, 32, 32},
                                    {1, 128, 64, 64},  {1, 64, 128, 128}, {1, 32, 256, 256}};
  const std::vector<Shape> memory = {{128, 64, 32, 32}, {1, 32, 512, 512}, {1, 32, 1080, 1920}, {2, 32, 128, 128, 128}};
  // The regimes in which haline's speed has its limits, from the smallest planes to the largest.
  const std::vector<Shape> planes_4 = {{32, 512, 2, 2}, {1024, 512, 2, 2}};
  const std::vector<Shape> planes_64 = {{64, 512, 4, 4}, {2, 320, 4, 4, 4}, {32, 256, 8, 8}, {1024, 256, 8, 8}};
  const std::vector<Shape> in_cache = {{8, 64, 32, 32}, {1, 128, 64, 64}, {1, 64, 128, 128}, {1, 512, 31, 31}};
  const std::vector<Shape> in_memory = {{128, 64, 32, 32}, {1, 32, 256, 256}, {1, 32, 512, 512}};
  const std::vector<Shape> huge = {{1, 32, 1080, 1920}, {2, 32, 128, 128, 128}, {1, 32, 1048576}, {1, 3, 4096, 4096}};
  std::vector<ShapeSet> sets = {
      {"table", "tiny, cache and memory: the default", Union({tiny, cache, memory})},
      {"tiny", "planes of a few elements", tiny},
      {"cache", "tensors that caches hold", cache},
      {"memory", "tensors that they don't", memory},
      {"planes-4", "regime: planes of 4 elements", planes_4},
      {"planes-64", "regime: planes of 16 to 64 elements", planes_64},
      {"in-cache", "regime: tensors in cache", in_cache},
      {"in-memory", "regime: tensors in memory whose planes fit in L2", in_memory},
      {"huge", "regime: planes that don't", huge},
      {"regimes", "the smallest and every regime",
       Union({{{2, 6, 2, 4}}, planes_4, planes_64, in_cache, in_memory, huge})},
      {"odd",
       "planes of multiples of 64, and their neighbours",
       {{8, 128, 960},
        {8, 128, 1000},
        {8, 128, 1023},
        {8, 128, 1024},
        {8, 128, 31, 31},
        {1, 32, 181, 181},
        {1, 32, 32768}}},
      {"style",
       "fast neural style at 256, 512 and 1080 x 1920",
       {{1, 32, 256, 256},
        {1, 64, 128, 128},
        {1, 128, 64, 64},
        {1, 32, 512, 512},
        {1, 64, 256, 256},
        {1, 128, 128, 128},
        {1, 32, 1080, 1920},
        {1, 64, 540, 960},
        {1, 128, 270, 480}}},
      {"cyclegan",
       "CycleGAN's generator, PatchGAN's last layer",
       {{1, 64, 256, 256}, {1, 128, 128, 128}, {1, 256, 64, 64}, {1, 512, 31, 31}}},
      {"nnunet-3d",
       "nnU-Net's volumes, and an odd patch",
       {{2, 32, 128, 128, 128},
        {2, 64, 64, 64, 64},
        {2, 128, 32, 32, 32},
        {2, 256, 16, 16, 16},
        {2, 320, 8, 8, 8},
        {2, 320, 4, 4, 4},
        {2, 32, 96, 160, 160}}},
      {"nnunet-2d",
       "nnU-Net's slices",
       {{12, 32, 512, 512},
        {12, 64, 256, 256},
        {12, 128, 128, 128},
        {12, 256, 64, 64},
        {12, 512, 32, 32},
        {12, 512, 16, 16},
        {12, 512, 8, 8},
        {12, 512, 4, 4}}},
      {"adain",
       "StyleGAN's synthesis",
       {{1, 512, 4, 4},
        {1, 512, 8, 8},
        {1, 512, 16, 16},
        {1, 512, 32, 32},
        {1, 256, 64, 64},
        {1, 128, 128, 128},
        {1, 64, 256, 256},
        {1, 32, 512, 512},
        {1, 16, 1024, 1024}}},
      {"speech", "feature extractors of audio", {{1, 512, 3199}, {1, 512, 31999}, {1, 32, 1048576}}},
      {"cifar",
       "a VGG on CIFAR-10, batches of 64 and 1024",
       {{64, 64, 32, 32},
        {64, 128, 16, 16},
        {64, 256, 8, 8},
        {64, 512, 4, 4},
        {64, 512, 2, 2},
        {1024, 64, 32, 32},
        {1024, 128, 16, 16},
        {1024, 256, 8, 8},
        {1024, 512, 4, 4},
        {1024, 512, 2, 2}}},
  };
  std::vector<Shape> all;
  for (const ShapeSet &set : sets) all = Union({all, set.shapes});
  sets.push_back({"all", "every set", all});
  return sets;
}

// Empty where `text` is no shape of rank 2 and up with elements.
Shape Parse(const std::string &text) {
  Shape shape;
  int64_t most = std::numeric_limits<int64_t>::max() / static_cast<int64_t>(sizeof(float));
  const char *at = text.data(), *const end = at + text.size();
  while (true) {
    int64_t extent;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc() || extent < 1 || extent > most) return {};
    most /= extent;
    shape.push_back(extent);
    if (next == end) return shape.size() < 2 ? Shape() : shape;
    if (*next != 'x') return {};
    at = next + 1;
  }
}

}  // namespace

const std::vector<ShapeSet> &ShapeSets() {
  static const std::vector<ShapeSet> sets = MakeSets();
  return sets;
}

std::vector<Shape> SelectShapes(const std::vector<std::string> &names) {
  std::vector<Shape> selected;
  for (const std::string &name : names) {
    const auto &sets = ShapeSets();
    const auto set = std::find_if(sets.begin(), sets.end(), [&](const ShapeSet &s) { return name == s.name; });
    const Shape shape = Parse(name);
    if (set != sets.end()) {
      selected = Union({selected, set->shapes});
    } else if (!shape.empty()) {
      selected = Union({selected, {shape}});
    } else {
      std::string known;
      for (const ShapeSet &s : sets) known.append(s.name).append(", ");
      throw std::invalid_argument(known.insert(0, name + " found, ") + "or a shape such as 8x64x32x32 wanted");
    }
  }
  return selected;
}

const char *LayoutName(Layout layout) { return layout == Layout::kNhwc ? "nhwc" : "nchw"; }

Shape Strides(const Shape &shape, Layout layout) {
  Shape strides(shape.size());
  int64_t stride = layout == Layout::kNhwc ? shape[1] : 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    if (i != 1 || layout == Layout::kNchw) stride *= shape[i];
  }
  if (layout == Layout::kNhwc) strides[1] = 1;
  return strides;
}

std::string ShapeName(const Shape &shape) {
  std::string name;
  for (const int64_t extent : shape) {
    if (!name.empty()) name += 'x';
    name += std::to_string(extent);
  }
  return name;
}

std::string ShapesAsJson() {
  std::string text = "[";
  for (const ShapeSet &set : ShapeSets()) {
    text.append(text.size() > 1 ? ",\n " : "").append(R"({"name": ")").append(set.name);
    text.append(R"(", "what": ")").append(set.what).append(R"(", "shapes": [)");
    for (const Shape &shape : set.shapes) {
      text.append(text.back() == '[' ? "\"" : ", \"").append(ShapeName(shape)).append("\"");
    }
    text += "]}";
  }
  return text + "]\n";
}

int64_t Elements(const Shape &shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

}  // namespace haline::bench

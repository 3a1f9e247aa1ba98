// The shapes that are measured, in named sets: those on which haline's peers were measured, and those of the networks
// that use instance norm.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_BENCH_SHAPES_H_
#define HALINE_BENCH_SHAPES_H_

#include <string>
#include <vector>

#include "haline/haline.hpp"

namespace haline::bench {

struct ShapeSet {
  const char *name;
  const char *what;
  std::vector<Shape> shapes;
};

const std::vector<ShapeSet> &ShapeSets();

// The shapes of sets ("cache"), and shapes by themselves ("8x64x32x32"), each once, in the order given. Throws
// std::invalid_argument for what is neither.
std::vector<Shape> SelectShapes(const std::vector<std::string> &names);

// kNchw: planes, one after the other. kNhwc: channels last, also of shapes of other ranks.
enum class Layout { kNchw, kNhwc };
const char *LayoutName(Layout layout);             // "nchw"
Shape Strides(const Shape &shape, Layout layout);  // in elements

std::string ShapeName(const Shape &shape);  // "8x64x32x32"
std::string ShapesAsJson();                 // every set, for programs: [{"name": .., "what": .., "shapes": [..]}, ..]
int64_t Elements(const Shape &shape);

}  // namespace haline::bench

#endif  // HALINE_BENCH_SHAPES_H_

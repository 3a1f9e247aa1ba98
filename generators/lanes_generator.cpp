// The sums over the lanes of planes: sums(c, which, block). For kernels that leave each lane's sums (`by_lane`).
#include "element.h"
#include "gpu.h"
#include "statistics.h"

namespace haline {
using namespace Halide;

class Lanes : public KernelGenerator<Lanes> {
 public:
  GeneratorParam<Element> element{"element", Element::kF32, kElements};

  Input<Buffer<double, 4>> lanes{"lanes"};  // (c, lane, which, block)
  Output<Buffer<double, 3>> sums{"sums"};   // (c, which, block)

  void generate() {
    lane(u, c, which, b) = lanes(c, u, which, b);
    sums(c, which, b) = LaneTree(lane, "lane_tree").Total({c, which, b})[0];
  }

  void schedule() { sums.vectorize(c, natural_vector_size<double>(), TailStrategy::Predicate); }

 private:
  Var u{"u"}, b{"b"}, c{"c"}, which{"which"};
  Func lane{"lane"};
};

}  // namespace haline

HALIDE_REGISTER_GENERATOR(haline::Lanes, haline_lanes)

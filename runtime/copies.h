// A part's tensors in memory that kernels can take, where they can't take them as they lie: planes in a row, or
// channels side by side as the tensors have them.
#ifndef HALINE_RUNTIME_COPIES_H_
#define HALINE_RUNTIME_COPIES_H_

#include "plan.h"
#include "window.h"

namespace haline {

// Memory for the copies of one part after the other, on one thread.
class Scratch {
 public:
  // At least so much, on a line of its own; what lay there before is lost. Null: there is none.
  char *Room(int64_t bytes);

 private:
  Memory<char> memory_;
  int64_t bytes_ = 0;
};

class Copies {
 public:
  Copies(const Problem &problem, Layout layout, const Part &part, Scratch *scratch, Outcome *outcome);

  // The problem of the part's planes alone, numbered as they were: of the copies, read from the tensors.
  const Problem &problem() const { return local_; }
  void Flush() const;  // call when its results are there

 private:
  const Problem &problem_;
  const Layout layout_;
  const Part part_;
  Problem local_;
};

}  // namespace haline

#endif  // HALINE_RUNTIME_COPIES_H_

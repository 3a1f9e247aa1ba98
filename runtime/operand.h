// The tensors of a call beside x: held against x, and against each other.
#ifndef HALINE_RUNTIME_OPERAND_H_
#define HALINE_RUNTIME_OPERAND_H_

#include <initializer_list>
#include <utility>

#include "problem.h"
#include "tensor.h"

#define HALINE_TRY(call) \
  if (const haline_status status_ = (call); status_ != HALINE_OK) return status_

namespace haline {

// One of the large tensors beside x: the same shape and type.
haline_status CheckLike(Operand *operand, const haline_tensor &x, const Problem &problem, Array *array);

enum Shapes { kChannels = 1, kPlanes = 2 };
enum Types { kParameters, kStatistics };

// scale, mean and the like; null is left alone.
haline_status CheckPerPlane(Operand *operand, int shapes, Types types, const Problem &problem, PerPlane *values);

// No result may share memory with another tensor of the call, but for those pairs that are allowed to be the same. All
// that are not null have been checked.
haline_status CheckMemory(std::initializer_list<const Operand *> inputs, std::initializer_list<const Operand *> outputs,
                          std::initializer_list<std::pair<const Operand *, const Operand *>> allowed);

}  // namespace haline

#endif  // HALINE_RUNTIME_OPERAND_H_

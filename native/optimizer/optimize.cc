#include "optimizer/optimize.h"

#include "optimizer/copy_propagation.h"

namespace polytrace {

void optimize(ControlFlowGraph& cfg, const Configuration& configuration, const CountParameters& count_parameters) {
  EscapeBounds bounds = propagate_constants(cfg, configuration);
  // without dead code, more blocks have only one predecessor
  eliminate_dead_code(cfg, bounds, count_parameters);
  propagate_copies(cfg, bounds);
  // after copy propagation, a register that was compared with 0 is also used itself, not a copy of it
  bounds = propagate_constants(cfg, configuration);
  eliminate_dead_code(cfg, bounds, count_parameters);
}

}  // namespace polytrace

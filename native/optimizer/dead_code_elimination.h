// Dead code elimination: a backward liveness analysis of registers and private stack slots, and the removal of dead
// instructions.
//
// The analysis computes strong liveness: an operand is live only if the result of its instruction is live. So a chain
// of instructions whose last result is not used is removed as a whole. Before: propagate_constants() has returned
// `bounds` for this graph. After: no instruction is left whose only effect is a dead register or a dead private slot,
// and no branch whose two successors are the same.
#pragma once

#include <cstdint>
#include <functional>

#include "optimizer/constant_propagation.h"
#include "optimizer/control_flow_graph.h"

namespace polytrace {

// Returns the number of parameters that the kernel checks at a call of this function of the program, used or not.
using CountParameters = std::function<uint32_t(uint32_t function)>;

void eliminate_dead_code(ControlFlowGraph& cfg, const EscapeBounds& bounds, const CountParameters& count_parameters);

}  // namespace polytrace

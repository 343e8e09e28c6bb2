// Copy propagation, and redundant load and store elimination.
//
// The pass follows which registers and private stack slots contain the same value, within extended basic blocks: a
// block with one predecessor continues with what holds at the end of that predecessor. Before: propagate_constants()
// has returned `bounds` for this graph. After: instructions read the original instead of its copy, a load of a value
// that is also in a register is a move of that register, and a store of the value that a slot already contains is
// removed. The copies themselves may now be dead.
#pragma once

#include "optimizer/constant_propagation.h"
#include "optimizer/control_flow_graph.h"

namespace polytrace {

void propagate_copies(ControlFlowGraph& cfg, const EscapeBounds& bounds);

}  // namespace polytrace

// Conditional constant propagation: a forward dataflow analysis over the control-flow graph, and the rewriting that
// follows from it.
//
// The pass interprets each reachable block with abstract values (constant_lattice.h), and does not follow branches that
// the known values exclude. Parameters of functions are the join over all calls. Before: any graph; removed
// instructions are erased first. After: an instruction with a constant result is a move of that constant, a branch with
// a known condition is an edge, and blocks that cannot be reached are empty.
//
// A stack slot is private to its function if only instructions relative to r10 can access it. An escape analysis runs
// together with the propagation: slots are followed only below the lowest offset that any other pointer can reach.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "optimizer/control_flow_graph.h"

namespace polytrace {

// The frozen map that contains the configuration.
struct Configuration {
  int map = -1;
  std::span<const uint8_t> bytes;
};

// For each function, the lowest stack offset that a pointer other than r10 can reach. The stack below is private.
using EscapeBounds = std::vector<int32_t>;

EscapeBounds propagate_constants(ControlFlowGraph& cfg, const Configuration& configuration);

}  // namespace polytrace

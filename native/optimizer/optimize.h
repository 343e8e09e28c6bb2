// The optimizer: partial evaluation (program specialization) of a generic BPF program for the configuration of one
// hook. It translates BPF to BPF.
//
// optimize() runs the passes in a fixed order: constant propagation, dead code elimination, copy propagation, and the
// first two again. Before: the graph of a program as build_cfg() has made it. After: the program does the same for this
// configuration with fewer instructions. The verifier would also skip branches that the configuration excludes, but
// would not remove the instructions before them: reading the configuration, comparing it, and jumping.
#pragma once

#include "optimizer/constant_propagation.h"
#include "optimizer/control_flow_graph.h"
#include "optimizer/dead_code_elimination.h"

namespace polytrace {

void optimize(ControlFlowGraph& cfg, const Configuration& configuration, const CountParameters& count_parameters);

}  // namespace polytrace

// Block layout: turns a control-flow graph back into a BPF program.
//
// lay_out_code() places the blocks of each function one after the other. A block falls through to its successor if that
// is not placed yet; otherwise a jump is added. Jumps are threaded over empty blocks. Before: the graph is consistent;
// instructions may be marked as removed. After: the program contains only functions and blocks that can be reached, and
// every function is contiguous, as the kernel requires.
//
// The offset of a jump has 16 bits. lay_out_code() returns nothing if a jump of the new program would need more. The
// given program may have longer jumps, because the kernel has an unconditional jump with an offset of 32 bits.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "optimizer/control_flow_graph.h"

namespace polytrace {

struct LaidOutCode {
  std::vector<bpf_insn> instructions;
  std::vector<uint32_t> original_indexes;  // of each instruction, in the given program
  std::vector<uint32_t> function_offsets;  // where each function begins; NONE for a function that cannot be reached
};

std::optional<LaidOutCode> lay_out_code(const ControlFlowGraph& cfg);

}  // namespace polytrace

// The control-flow graph of a BPF program: its basic blocks and the edges between them.
//
// build_cfg() splits a program into basic blocks at its leaders: the targets of jumps and calls, and the instructions
// after jumps and exits. Before: any program with valid jumps. After: each block ends with an exit, with a conditional
// jump, or falls through. Unconditional jumps are only edges of the graph. Calls of the program's own functions refer
// to functions by their index.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "optimizer/instructions.h"

namespace polytrace {

// No block, or no function.
constexpr uint32_t NONE = UINT32_MAX;

constexpr int32_t STACK_BYTES = 512;
constexpr int32_t SLOT_BYTES = 4;  // the analyses divide the stack into slots of this size
constexpr int STACK_SLOTS = STACK_BYTES / SLOT_BYTES;

struct Instruction {
  bpf_insn code = {};
  int32_t upper = 0;            // the upper half of a 64-bit immediate
  uint32_t callee = NONE;       // the function of the program that it calls, or whose address it loads
  uint32_t original_index = 0;  // its index in the given program
  bool removed = false;
};

// Its successors are `fallthrough` and `branch_target`. Only a block that ends with a conditional jump has a branch
// target.
struct BasicBlock {
  std::vector<Instruction> instructions;
  uint32_t fallthrough = NONE;
  uint32_t branch_target = NONE;
  uint32_t function = 0;
  uint32_t original_index = 0;  // of its first instruction in the given program
};

struct Function {
  uint32_t entry_block = 0;
  uint32_t original_index = 0;  // of its first instruction in the given program
};

struct ControlFlowGraph {
  std::vector<BasicBlock> blocks;
  std::vector<Function> functions;  // the first one is the program itself
};

// Returns nothing for a program with instructions that the optimizer does not know.
std::optional<ControlFlowGraph> build_cfg(std::span<const bpf_insn> program);

// Jump threading: returns the block that a jump to `block` finally reaches when empty blocks are skipped.
uint32_t thread_jump(const ControlFlowGraph& cfg, uint32_t block);

}  // namespace polytrace

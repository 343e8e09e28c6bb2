// A BPF program as blocks of instructions, which can be changed and put together again.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "../instructions.h"

namespace polytrace {

constexpr uint32_t NOWHERE = UINT32_MAX;

constexpr int32_t STACK_BYTES = 512;
constexpr int32_t UNIT = 4;  // variables in the stack are followed in units of so many bytes
constexpr int UNITS = STACK_BYTES / UNIT;

struct Instruction {
  bpf_insn code;
  int32_t upper = 0;         // of a 64-bit constant
  uint32_t callee = NOWHERE;  // the function of the program that it calls, or whose address it loads
  uint32_t place = 0;         // where it was in the program as it was given
  bool removed = false;
};

// Its last instruction is an exit, a conditional jump to `taken`, or neither: then it goes on at `next`. Other jumps are not kept.
struct Block {
  std::vector<Instruction> instructions;
  uint32_t next = NOWHERE;
  uint32_t taken = NOWHERE;
  uint32_t function = 0;
  uint32_t place = 0;  // where it was in the program as it was given
};

struct Function {
  uint32_t first_block = 0;
  uint32_t place = 0;
};

struct Flow {
  std::vector<Block> blocks;
  std::vector<Function> functions;  // the first one is the program itself
};

struct AssembledCode {
  std::vector<bpf_insn> instructions;
  std::vector<uint32_t> places;     // of each instruction, in the program as it was given
  std::vector<uint32_t> functions;  // where each begins; NOWHERE for one that is left out
};

// Nothing for a program with instructions that are not known here.
std::optional<Flow> split(std::span<const bpf_insn> program);

// Where the block goes on that it leads to, when blocks without instructions are skipped.
uint32_t settled(const Flow& flow, uint32_t block);

// Only what can be reached is in the result.
AssembledCode assemble(const Flow& flow);

}  // namespace polytrace

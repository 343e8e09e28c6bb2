// A BPF program as blocks of instructions, which can be changed and put together again.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

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

constexpr uint8_t kind_of(const bpf_insn& each) { return BPF_CLASS(each.code); }
constexpr bool is_wide(const bpf_insn& each) { return each.code == (BPF_LD | BPF_IMM | BPF_DW); }
constexpr bool is_exit(const bpf_insn& each) { return each.code == (BPF_JMP | BPF_EXIT); }
constexpr bool is_call(const bpf_insn& each) { return each.code == (BPF_JMP | BPF_CALL); }
constexpr bool is_own_call(const bpf_insn& each) { return is_call(each) && each.src_reg == BPF_PSEUDO_CALL; }
// The address of a function of the program, which the kernel calls.
constexpr bool is_callback(const bpf_insn& each) { return is_wide(each) && each.src_reg == BPF_PSEUDO_FUNC; }
constexpr bool is_any_jump(const bpf_insn& each) {
  const bool has_offset = kind_of(each) == BPF_JMP || kind_of(each) == BPF_JMP32;
  return has_offset && BPF_OP(each.code) != BPF_CALL && BPF_OP(each.code) != BPF_EXIT;
}
constexpr bool is_goto(const bpf_insn& each) { return is_any_jump(each) && BPF_OP(each.code) == BPF_JA; }
constexpr bool is_conditional(const bpf_insn& each) { return is_any_jump(each) && BPF_OP(each.code) != BPF_JA; }

constexpr bool is_arithmetic(const bpf_insn& each) { return kind_of(each) == BPF_ALU || kind_of(each) == BPF_ALU64; }
constexpr bool is_load(const bpf_insn& each) { return kind_of(each) == BPF_LDX; }
constexpr bool is_store(const bpf_insn& each) { return kind_of(each) == BPF_ST || kind_of(each) == BPF_STX; }
constexpr bool is_atomic(const bpf_insn& each) {
  return kind_of(each) == BPF_STX && BPF_MODE(each.code) == BPF_ATOMIC;
}
// Returns whether the instruction does nothing but give its register a value.
constexpr bool only_sets_register(const bpf_insn& each) { return is_arithmetic(each) || is_load(each) || is_wide(each); }

// Bytes that a load or a store moves.
constexpr uint32_t width_of(const bpf_insn& each) {
  switch (BPF_SIZE(each.code)) {
    case BPF_B: return 1;
    case BPF_H: return 2;
    case BPF_W: return 4;
    default: return 8;
  }
}

// Nothing for a program with instructions that are not known here.
std::optional<Flow> split(std::span<const bpf_insn> program);

// Where the block goes on that it leads to, when blocks without instructions are skipped.
uint32_t settled(const Flow& flow, uint32_t block);

// Only what can be reached is in the result.
AssembledCode assemble(const Flow& flow);

}  // namespace polytrace

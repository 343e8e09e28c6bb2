// Kinds of BPF instructions.
#pragma once

#include <linux/bpf.h>

#include <cstdint>

namespace polytrace {

// Parameters that a function can have.
constexpr uint32_t PARAMETERS_MAX = 5;

constexpr uint8_t instruction_class(const bpf_insn& each) { return BPF_CLASS(each.code); }
constexpr bool is_wide(const bpf_insn& each) { return each.code == (BPF_LD | BPF_IMM | BPF_DW); }
constexpr bool is_exit(const bpf_insn& each) { return each.code == (BPF_JMP | BPF_EXIT); }
constexpr bool is_call(const bpf_insn& each) { return each.code == (BPF_JMP | BPF_CALL); }
constexpr bool is_subprogram_call(const bpf_insn& each) { return is_call(each) && each.src_reg == BPF_PSEUDO_CALL; }
// The address of a function of the program, which the kernel calls.
constexpr bool is_callback(const bpf_insn& each) { return is_wide(each) && each.src_reg == BPF_PSEUDO_FUNC; }
constexpr bool is_any_jump(const bpf_insn& each) {
  const bool has_offset = instruction_class(each) == BPF_JMP || instruction_class(each) == BPF_JMP32;
  return has_offset && BPF_OP(each.code) != BPF_CALL && BPF_OP(each.code) != BPF_EXIT;
}
constexpr bool is_goto(const bpf_insn& each) { return is_any_jump(each) && BPF_OP(each.code) == BPF_JA; }
constexpr bool is_conditional(const bpf_insn& each) { return is_any_jump(each) && BPF_OP(each.code) != BPF_JA; }

constexpr bool is_arithmetic(const bpf_insn& each) {
  return instruction_class(each) == BPF_ALU || instruction_class(each) == BPF_ALU64;
}
constexpr bool is_load(const bpf_insn& each) { return instruction_class(each) == BPF_LDX; }
constexpr bool is_store(const bpf_insn& each) {
  return instruction_class(each) == BPF_ST || instruction_class(each) == BPF_STX;
}
constexpr bool is_atomic(const bpf_insn& each) {
  return instruction_class(each) == BPF_STX && BPF_MODE(each.code) == BPF_ATOMIC;
}
// Returns whether the instruction does nothing but give its register a value.
constexpr bool only_sets_register(const bpf_insn& each) {
  return is_arithmetic(each) || is_load(each) || is_wide(each);
}

// Bytes that a load or a store moves.
constexpr uint32_t access_width(const bpf_insn& each) {
  switch (BPF_SIZE(each.code)) {
    case BPF_B: return 1;
    case BPF_H: return 2;
    case BPF_W: return 4;
    default: return 8;
  }
}

constexpr bpf_insn move_register(uint8_t to, uint8_t from) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from, .off = 0, .imm = 0};
}

}  // namespace polytrace

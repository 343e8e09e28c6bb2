#include "optimizer/peephole.h"

#include "optimizer/constant_folding.h"
#include "optimizer/instructions.h"

namespace polytrace {

namespace {

// Immediates have 32 bits and are sign-extended.
bool fits_immediate(uint64_t value) { return sign_extend(value, 4) == value; }

bool is_move_of_constant(const bpf_insn& code) {
  return is_arithmetic(code) && BPF_OP(code.code) == BPF_MOV && BPF_SRC(code.code) == BPF_K;
}

// The comparison that holds for exchanged operands.
uint8_t mirror_comparison(uint8_t comparison) {
  switch (comparison) {
    case BPF_JGT: return BPF_JLT;
    case BPF_JGE: return BPF_JLE;
    case BPF_JLT: return BPF_JGT;
    case BPF_JLE: return BPF_JGE;
    case BPF_JSGT: return BPF_JSLT;
    case BPF_JSGE: return BPF_JSLE;
    case BPF_JSLT: return BPF_JSGT;
    case BPF_JSLE: return BPF_JSGE;
    default: return comparison;
  }
}

void exchange_operands(bpf_insn& jump) {
  const uint8_t first = jump.dst_reg;
  jump.dst_reg = jump.src_reg;
  jump.src_reg = first;
  jump.code = static_cast<uint8_t>((jump.code & ~0xf0) | mirror_comparison(BPF_OP(jump.code)));
}

// The kernel refuses shifts by too many bits, and divisions by zero.
bool allows_immediate(const bpf_insn& arithmetic, uint64_t operand) {
  const uint8_t operation = BPF_OP(arithmetic.code);
  const bool is_shift = operation == BPF_LSH || operation == BPF_RSH || operation == BPF_ARSH;
  if (operation == BPF_DIV || operation == BPF_MOD || operation == BPF_NEG) return false;
  return !is_shift || operand < (instruction_class(arithmetic) == BPF_ALU64 ? 64U : 32U);
}

}  // namespace

bool is_no_op(const bpf_insn& code) {
  const bool adds_zero = code.code == (BPF_ALU64 | BPF_ADD | BPF_K) && code.imm == 0;
  return adds_zero || (code.code == (BPF_ALU64 | BPF_MOV | BPF_X) && code.dst_reg == code.src_reg && code.off == 0);
}

void replace_by_constant(bpf_insn& code, uint64_t value) {
  if (is_move_of_constant(code)) return;
  const uint8_t width = fits_immediate(value) ? BPF_ALU64 : BPF_ALU;
  if (width == BPF_ALU && value > UINT32_MAX) return;
  code = {.code = static_cast<uint8_t>(width | BPF_MOV | BPF_K),
          .dst_reg = code.dst_reg,
          .src_reg = 0,
          .off = 0,
          .imm = static_cast<int32_t>(value)};
}

void use_immediate(bpf_insn& code, std::optional<uint64_t> destination, std::optional<uint64_t> source) {
  if (is_conditional(code) && BPF_SRC(code.code) == BPF_X && destination) {
    exchange_operands(code);
    source = destination;
  }
  if (BPF_SRC(code.code) != BPF_X || (is_arithmetic(code) && BPF_OP(code.code) == BPF_END)) return;
  // an offset makes arithmetic another operation
  if (!source || (is_arithmetic(code) && code.off != 0)) return;
  const bool is_64 = instruction_class(code) == BPF_ALU64 || instruction_class(code) == BPF_JMP;
  if (is_64 && !fits_immediate(*source)) return;
  if (is_arithmetic(code) && !allows_immediate(code, *source)) return;
  code.code &= static_cast<uint8_t>(~BPF_X);
  code.src_reg = 0;
  code.imm = static_cast<int32_t>(*source);
}

}  // namespace polytrace

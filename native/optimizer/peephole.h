// Peephole simplification: rewrites or recognises one instruction at a time, with the constants that constant
// propagation has found.
//
// Before: the given constants hold wherever the instruction is executed. After: the instruction has the same effect,
// and reads fewer registers or none.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>

namespace polytrace {

// Returns whether the instruction leaves its register as it is: `r += 0` or `r = r`.
bool is_no_op(const bpf_insn& code);

// Replaces an instruction that only sets its register by a move of the constant, if one move can have it.
void replace_by_constant(bpf_insn& code, uint64_t value);

// Puts a constant source register of arithmetic or of a conditional jump into the instruction as its immediate.
// `destination` and `source` are the values of the two registers, where they are known. The operands of a jump are
// exchanged if that helps.
void use_immediate(bpf_insn& code, std::optional<uint64_t> destination, std::optional<uint64_t> source);

}  // namespace polytrace

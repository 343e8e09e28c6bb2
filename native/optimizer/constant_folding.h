// Constant folding: computes BPF operations whose operands are known, as the kernel defines them.
#pragma once

#include <cstdint>
#include <optional>

namespace polytrace {

// Extends the lowest `bytes` of the value to 64 bits.
uint64_t sign_extend(uint64_t value, uint32_t bytes);

// Computes an operation of BPF_ALU64 or BPF_ALU. Returns nothing for an operation that is not folded.
std::optional<uint64_t> fold_alu64(uint8_t operation, uint64_t a, uint64_t b);
std::optional<uint64_t> fold_alu32(uint8_t operation, uint32_t a, uint32_t b);

// Computes the condition of a jump of BPF_JMP or, if not `is_64`, of BPF_JMP32.
bool fold_comparison(uint8_t operation, uint64_t a, uint64_t b, bool is_64);

}  // namespace polytrace

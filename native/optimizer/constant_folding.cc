#include "optimizer/constant_folding.h"

#include <linux/bpf.h>

namespace polytrace {

uint64_t sign_extend(uint64_t value, uint32_t bytes) {
  const uint32_t shift = 64 - 8 * bytes;
  return static_cast<uint64_t>(static_cast<int64_t>(value << shift) >> shift);
}

std::optional<uint64_t> fold_alu64(uint8_t operation, uint64_t a, uint64_t b) {
  switch (operation) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_OR: return a | b;
    case BPF_AND: return a & b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return a << (b & 63);
    case BPF_RSH: return a >> (b & 63);
    case BPF_ARSH: return static_cast<uint64_t>(static_cast<int64_t>(a) >> (b & 63));
    case BPF_NEG: return -a;
    default: return std::nullopt;
  }
}

std::optional<uint64_t> fold_alu32(uint8_t operation, uint32_t a, uint32_t b) {
  switch (operation) {
    case BPF_LSH: return a << (b & 31);
    case BPF_RSH: return a >> (b & 31);
    case BPF_ARSH: return static_cast<uint32_t>(static_cast<int32_t>(a) >> (b & 31));
    default: break;
  }
  const std::optional<uint64_t> wide = fold_alu64(operation, a, b);
  if (!wide) return wide;
  return static_cast<uint32_t>(*wide);
}

bool fold_comparison(uint8_t operation, uint64_t a, uint64_t b, bool is_64) {
  if (!is_64) {
    a = static_cast<uint32_t>(a);
    b = static_cast<uint32_t>(b);
  }
  const auto signed_a = static_cast<int64_t>(is_64 ? a : sign_extend(a, 4));
  const auto signed_b = static_cast<int64_t>(is_64 ? b : sign_extend(b, 4));
  switch (operation) {
    case BPF_JEQ: return a == b;
    case BPF_JNE: return a != b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    case BPF_JLT: return a < b;
    case BPF_JLE: return a <= b;
    case BPF_JSGT: return signed_a > signed_b;
    case BPF_JSGE: return signed_a >= signed_b;
    case BPF_JSLT: return signed_a < signed_b;
    case BPF_JSLE: return signed_a <= signed_b;
    default: return (a & b) != 0;  // BPF_JSET
  }
}

}  // namespace polytrace

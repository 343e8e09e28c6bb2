// An interpreter for BPF programs, for the tests of the optimizer.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "optimizer/code_layout.h"
#include "optimizer/control_flow_graph.h"
#include "optimizer/optimize.h"

namespace polytrace {

constexpr int MAP = 7;
constexpr uint8_t SIGN_EXTENDING = 0x80;  // BPF_MEMSX
constexpr uint64_t CONFIGURATION_AT = 0x50000000, CONTEXT_AT = 0x60000000, STACK_AT = 0x70000000;
constexpr uint32_t FRAME_BYTES = 0x1000, BYTES = 64;
constexpr int HELPER = 5;  // its five parameters are recorded
constexpr int HELPER_WITH_TWO_PARAMETERS = BPF_FUNC_map_lookup_elem;
constexpr int HELPER_THAT_CALLS = BPF_FUNC_loop;  // calls its second parameter twice, with its third
constexpr int HELPER_THAT_WRITES = BPF_FUNC_probe_read_kernel;

[[noreturn]] inline void fail(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  std::abort();
}

class Machine {
 public:
  // `poison` is the content of uninitialized registers and memory. A program that reads it computes something else with
  // each poison.
  Machine(std::span<const bpf_insn> code, std::vector<uint8_t> configuration, std::vector<uint8_t> context,
          uint8_t poison)
      : code_(code),
        configuration_(std::move(configuration)),
        context_(std::move(context)),
        poison_(poison),
        stack_(3 * FRAME_BYTES, poison) {}

  std::vector<uint64_t> run() {
    uint64_t first[2] = {CONTEXT_AT, 0};
    trace_.push_back(run_function(0, 0, first));
    return trace_;
  }

 private:
  uint64_t poison() const { return 0x0101010101010101ULL * poison_; }

  uint8_t* find_memory(uint64_t at, uint64_t size) {
    const auto within = [&](uint64_t start, std::vector<uint8_t>& bytes) {
      return at >= start && at + size <= start + bytes.size() ? bytes.data() + (at - start) : nullptr;
    };
    if (uint8_t* const found = within(CONFIGURATION_AT, configuration_)) return found;
    if (uint8_t* const found = within(CONTEXT_AT, context_)) return found;
    if (uint8_t* const found = within(STACK_AT, stack_)) return found;
    fail("a program accesses invalid memory");
  }
  uint64_t read_memory(uint64_t at, uint32_t size) {
    uint64_t value = 0;
    std::memcpy(&value, find_memory(at, size), size);
    return value;
  }

  uint64_t run_function(uint32_t start, uint32_t depth, const uint64_t* given) {
    uint64_t r[MAX_BPF_REG];
    for (uint64_t& each : r) each = poison();
    r[1] = given[0];
    if (depth > 0) r[2] = given[1];
    r[10] = STACK_AT + (depth + 1) * FRAME_BYTES;
    std::memset(find_memory(r[10] - FRAME_BYTES, FRAME_BYTES), poison_, FRAME_BYTES);
    for (uint32_t at = start;; at++) {
      if (++steps_ > 100'000) fail("a program does not end");
      const bpf_insn& i = code_[at];
      if (is_exit(i)) return r[0];
      if (is_wide(i)) {
        const uint64_t upper = static_cast<uint32_t>(code_[++at].imm);
        if (is_callback(i)) r[i.dst_reg] = at + static_cast<uint32_t>(i.imm);
        else r[i.dst_reg] = i.src_reg != 0 ? CONFIGURATION_AT + upper : static_cast<uint32_t>(i.imm) | upper << 32;
      } else if (is_arithmetic(i)) {
        run_arithmetic(i, r);
      } else if (is_load(i)) {
        const uint32_t size = access_width(i);
        const uint64_t value = read_memory(r[i.src_reg] + i.off, size), shift = 64 - 8 * size;
        const auto extended = static_cast<uint64_t>(static_cast<int64_t>(value << shift) >> shift);
        r[i.dst_reg] = BPF_MODE(i.code) == SIGN_EXTENDING ? extended : value;
      } else if (is_atomic(i)) {
        run_atomic(i, r);
      } else if (is_store(i)) {
        const uint64_t value = instruction_class(i) == BPF_ST ? sign_extended_imm(i) : r[i.src_reg];
        std::memcpy(find_memory(r[i.dst_reg] + i.off, access_width(i)), &value, access_width(i));
      } else if (is_call(i)) {
        r[0] = run_call(i, at, depth, r);
        for (int each = 1; each <= 5; each++) r[each] = poison();
      } else if (is_goto(i) || is_taken(i, r)) {
        at += i.code == (BPF_JMP32 | BPF_JA) ? i.imm : i.off;
      }
    }
  }

  uint64_t run_call(const bpf_insn& i, uint32_t at, uint32_t depth, uint64_t* r) {
    if (i.src_reg == BPF_PSEUDO_CALL) return run_function(at + 1 + i.imm, depth + 1, r + 1);
    if (i.imm == HELPER_THAT_CALLS) {
      const uint64_t given[2][2] = {{r[3], 0}, {r[3], 1}};
      for (const auto& each : given) trace_.push_back(run_function(static_cast<uint32_t>(r[2]), depth + 1, each));
      return 2;
    }
    const int count = i.imm == HELPER ? 5 : 2;
    for (int each = 1; each <= count; each++) trace_.push_back(r[each]);
    if (i.imm == HELPER_THAT_WRITES) std::memset(find_memory(r[1], r[2]), static_cast<int>(trace_.size()), r[2]);
    return trace_.size() * 0x9e3779b97f4a7c15ULL;
  }

  void run_atomic(const bpf_insn& i, uint64_t* r) {
    uint8_t* const where = find_memory(r[i.dst_reg] + i.off, 8);
    const uint64_t old = read_memory(r[i.dst_reg] + i.off, 8);
    uint64_t value = i.imm == BPF_XCHG ? r[i.src_reg] : old + r[i.src_reg];
    if (i.imm == BPF_CMPXCHG) value = old == r[0] ? r[i.src_reg] : old;
    std::memcpy(where, &value, 8);
    if ((i.imm & BPF_FETCH) != 0) r[i.imm == BPF_CMPXCHG ? uint8_t{0} : i.src_reg] = old;
  }

  static uint64_t sign_extended_imm(const bpf_insn& i) { return static_cast<uint64_t>(static_cast<int64_t>(i.imm)); }
  static uint64_t read_operand(const bpf_insn& i, const uint64_t* r) {
    return BPF_SRC(i.code) == BPF_X ? r[i.src_reg] : sign_extended_imm(i);
  }

  static void run_arithmetic(const bpf_insn& i, uint64_t* r) {
    const bool is_64 = instruction_class(i) == BPF_ALU64;
    uint64_t a = r[i.dst_reg], b = read_operand(i, r);
    if (!is_64) a = static_cast<uint32_t>(a), b = static_cast<uint32_t>(b);
    const uint64_t shift = b & (is_64 ? 63 : 31);
    const int64_t signed_a = is_64 ? static_cast<int64_t>(a) : static_cast<int32_t>(a);
    switch (BPF_OP(i.code)) {
      case BPF_ADD: a += b; break;
      case BPF_SUB: a -= b; break;
      case BPF_MUL: a *= b; break;
      case BPF_OR: a |= b; break;
      case BPF_AND: a &= b; break;
      case BPF_XOR: a ^= b; break;
      case BPF_MOV: a = b; break;
      case BPF_LSH: a <<= shift; break;
      case BPF_RSH: a >>= shift; break;
      case BPF_ARSH: a = static_cast<uint64_t>(signed_a >> shift); break;
      case BPF_NEG: a = -a; break;
      case BPF_DIV: a = b == 0 ? 0 : a / b; break;
      case BPF_MOD: a = b == 0 ? a : a % b; break;
      default: fail("an operation that is not known");
    }
    r[i.dst_reg] = is_64 ? a : static_cast<uint32_t>(a);
  }

  static bool is_taken(const bpf_insn& i, const uint64_t* r) {
    uint64_t a = r[i.dst_reg], b = read_operand(i, r);
    auto signed_a = static_cast<int64_t>(a), signed_b = static_cast<int64_t>(b);
    if (instruction_class(i) == BPF_JMP32) {
      signed_a = static_cast<int32_t>(a), signed_b = static_cast<int32_t>(b);
      a = static_cast<uint32_t>(a), b = static_cast<uint32_t>(b);
    }
    switch (BPF_OP(i.code)) {
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
      default: return (a & b) != 0;
    }
  }

  std::span<const bpf_insn> code_;
  std::vector<uint8_t> configuration_, context_;
  uint8_t poison_;
  std::vector<uint8_t> stack_;
  std::vector<uint64_t> trace_;
  uint64_t steps_ = 0;
};

// Returns nothing if the program must stay generic.
inline std::optional<std::vector<bpf_insn>> specialize(std::span<const bpf_insn> program,
                                                       std::span<const uint8_t> configuration) {
  std::optional<ControlFlowGraph> cfg = build_cfg(program);
  if (!cfg) fail("the program has unknown instructions");
  optimize(*cfg, {MAP, configuration}, [](uint32_t) { return 0U; });
  const std::optional<LaidOutCode> code = lay_out_code(*cfg);
  return code ? std::optional(code->instructions) : std::nullopt;
}

}  // namespace polytrace

#include "loading/kernel_symbol.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/handles.h"
#include "base/signals.h"
#include "optimizer/instructions.h"

namespace polytrace {

namespace {

constexpr size_t NAME_SIZE = 16;
using Name = std::array<char, NAME_SIZE>;

bpf_insn set_register(uint8_t to, int32_t value) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .src_reg = 0, .off = 0, .imm = value};
}

bpf_insn add_to_register(uint8_t to, int32_t value) {
  return {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = to, .src_reg = 0, .off = 0, .imm = value};
}

bpf_insn store_u32(int16_t offset, int32_t value) {
  return {.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .src_reg = 0, .off = offset, .imm = value};
}

int32_t name_u32(const Name& name, size_t index) {
  int32_t value = 0;
  std::memcpy(&value, name.data() + index * sizeof(value), sizeof(value));
  return value;
}

// Runs a BPF program that looks the name up: /proc/kallsyms has some hundred thousand lines.
uint64_t run_lookup(const Name& name, size_t length) {
  constexpr int16_t NAME_AT = -16, ADDRESS_AT = -24;  // offsets in the stack
  const bpf_insn program_code[] = {
      move_register(BPF_REG_6, BPF_REG_1),
      store_u32(NAME_AT, name_u32(name, 0)),
      store_u32(NAME_AT + 4, name_u32(name, 1)),
      store_u32(NAME_AT + 8, name_u32(name, 2)),
      store_u32(NAME_AT + 12, name_u32(name, 3)),
      store_u32(ADDRESS_AT, 0),
      store_u32(ADDRESS_AT + 4, 0),
      move_register(BPF_REG_1, BPF_REG_10),
      add_to_register(BPF_REG_1, NAME_AT),
      set_register(BPF_REG_2, static_cast<int32_t>(length) + 1),
      set_register(BPF_REG_3, 0),
      move_register(BPF_REG_4, BPF_REG_10),
      add_to_register(BPF_REG_4, ADDRESS_AT),
      {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_kallsyms_lookup_name},
      {.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10, .off = ADDRESS_AT, .imm = 0},
      {.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1, .off = 0, .imm = 0},
      set_register(BPF_REG_0, 0),
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
  const Fd program(
      bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "polytrace_find", "GPL", program_code, std::size(program_code), &opts));
  if (program.value < 0) return 0;
  uint64_t address = 0;
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &address, .ctx_size_in = sizeof(address));
  return bpf_prog_test_run_opts(program.value, &run) == 0 ? address : 0;
}

}  // namespace

uint64_t find_kernel_symbol(const std::string& symbol) {
  Name name = {};
  if (symbol.empty() || symbol.size() >= name.size()) return 0;
  std::memcpy(name.data(), symbol.data(), symbol.size());
  const LogScope quiet;
  const BlockedSignals blocked;
  return run_lookup(name, symbol.size());
}

}  // namespace polytrace

#include "loading/kernel_symbol.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/handles.h"
#include "base/signals.h"
#include "optimizer/instructions.h"

namespace polytrace {

namespace {

constexpr size_t NAME_SIZE = 32;
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

struct Lookup {
  uint64_t address;           // 0: the kernel does not know the name, or does not show addresses
  std::array<char, 8> bytes;  // at the address, also of an int: memory of the kernel follows it
  int32_t is_read;
};

static_assert(offsetof(Lookup, bytes) % alignof(uint64_t) == 0, "the program stores all bytes at once");

// Runs a BPF program that looks the name up and reads the memory there: /proc/kallsyms has some hundred thousand lines.
Lookup run_lookup(const Name& name, size_t length) {
  constexpr int16_t NAME_AT = -32, ADDRESS_AT = -40, VALUE_AT = -48;  // offsets in the stack
  std::vector<bpf_insn> code = {move_register(BPF_REG_6, BPF_REG_1)};
  for (size_t i = 0; i < NAME_SIZE / sizeof(int32_t); i++) {
    code.push_back(store_u32(static_cast<int16_t>(NAME_AT + i * sizeof(int32_t)), name_u32(name, i)));
  }
  const auto load_u64 = [](uint8_t to, int16_t offset) {
    return bpf_insn{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = to, .src_reg = BPF_REG_10, .off = offset, .imm = 0};
  };
  const auto store = [](uint8_t size, uint8_t from, int16_t offset) {
    return bpf_insn{.code = static_cast<uint8_t>(BPF_STX | BPF_MEM | size),
                    .dst_reg = BPF_REG_6,
                    .src_reg = from,
                    .off = offset,
                    .imm = 0};
  };
  const auto call = [](int32_t helper) {
    return bpf_insn{.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = helper};
  };
  const bpf_insn rest[] = {
      store_u32(ADDRESS_AT, 0),
      store_u32(ADDRESS_AT + 4, 0),
      store_u32(VALUE_AT, 0),
      store_u32(VALUE_AT + 4, 0),
      move_register(BPF_REG_1, BPF_REG_10),
      add_to_register(BPF_REG_1, NAME_AT),
      set_register(BPF_REG_2, static_cast<int32_t>(length) + 1),
      set_register(BPF_REG_3, 0),
      move_register(BPF_REG_4, BPF_REG_10),
      add_to_register(BPF_REG_4, ADDRESS_AT),
      call(BPF_FUNC_kallsyms_lookup_name),
      load_u64(BPF_REG_3, ADDRESS_AT),
      store(BPF_DW, BPF_REG_3, offsetof(Lookup, address)),
      move_register(BPF_REG_1, BPF_REG_10),
      add_to_register(BPF_REG_1, VALUE_AT),
      set_register(BPF_REG_2, sizeof(Lookup::bytes)),
      call(BPF_FUNC_probe_read_kernel),
      store(BPF_W, BPF_REG_0, offsetof(Lookup, is_read)),
      load_u64(BPF_REG_1, VALUE_AT),
      store(BPF_DW, BPF_REG_1, offsetof(Lookup, bytes)),
      set_register(BPF_REG_0, 0),
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  code.insert(code.end(), std::begin(rest), std::end(rest));
  LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "polytrace_find", "GPL", code.data(), code.size(), &opts));
  if (program.value < 0) return {};
  Lookup result = {.address = 0, .bytes = {}, .is_read = -1};
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &result, .ctx_size_in = sizeof(result));
  if (bpf_prog_test_run_opts(program.value, &run) != 0) return {};
  result.is_read = result.address != 0 && result.is_read == 0;
  return result;
}

Lookup look_up(const std::string& symbol) {
  Name name = {};
  if (symbol.empty() || symbol.size() >= name.size()) return {};
  std::memcpy(name.data(), symbol.data(), symbol.size());
  const LogScope quiet;
  const BlockedSignals blocked;
  return run_lookup(name, symbol.size());
}

}  // namespace

uint64_t find_kernel_symbol(const std::string& symbol) { return look_up(symbol).address; }

std::optional<int32_t> read_kernel_int(const std::string& symbol) {
  const Lookup found = look_up(symbol);
  if (found.is_read == 0) return std::nullopt;
  int32_t value = 0;
  std::memcpy(&value, found.bytes.data(), sizeof(value));
  return value;
}

bool kernel_jumps(const std::string& from, const std::string& to) {
#if defined(__x86_64__)
  constexpr char JUMP = '\xe9';
  const Lookup code = look_up(from);
  const uint64_t target = find_kernel_symbol(to);
  if (code.is_read == 0 || target == 0 || code.bytes[0] != JUMP) return false;
  int32_t distance = 0;  // from the end of the instruction
  std::memcpy(&distance, code.bytes.data() + sizeof(JUMP), sizeof(distance));
  return code.address + sizeof(JUMP) + sizeof(distance) + static_cast<int64_t>(distance) == target;
#else
  (void)from, (void)to;
  return false;
#endif
}

}  // namespace polytrace

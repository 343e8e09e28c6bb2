#include "symbols.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "error.h"
#include "handles.h"
#include "instructions.h"
#include "signals.h"

namespace polytrace {

namespace {

constexpr size_t NAME_ROOM = 16;
using Name = std::array<char, NAME_ROOM>;

bpf_insn set(uint8_t to, int32_t value) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .src_reg = 0, .off = 0, .imm = value};
}

bpf_insn add(uint8_t to, int32_t value) {
  return {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = to, .src_reg = 0, .off = 0, .imm = value};
}

bpf_insn store_word(int16_t offset, int32_t value) {
  return {.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .src_reg = 0, .off = offset, .imm = value};
}

int32_t word_of(const Name& name, size_t index) {
  int32_t word = 0;
  std::memcpy(&word, name.data() + index * sizeof(word), sizeof(word));
  return word;
}

// Looks a name up. The kernel has a helper for that; its list of symbols has some hundred thousand lines.
uint64_t find_symbol(const Name& name, size_t length) {
  constexpr int16_t kName = -16, kAddress = -24;
  const bpf_insn looks_up[] = {
      move_register(BPF_REG_6, BPF_REG_1),
      store_word(kName, word_of(name, 0)),
      store_word(kName + 4, word_of(name, 1)),
      store_word(kName + 8, word_of(name, 2)),
      store_word(kName + 12, word_of(name, 3)),
      store_word(kAddress, 0),
      store_word(kAddress + 4, 0),
      move_register(BPF_REG_1, BPF_REG_10),
      add(BPF_REG_1, kName),
      set(BPF_REG_2, static_cast<int32_t>(length) + 1),
      set(BPF_REG_3, 0),
      move_register(BPF_REG_4, BPF_REG_10),
      add(BPF_REG_4, kAddress),
      {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_kallsyms_lookup_name},
      {.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10, .off = kAddress, .imm = 0},
      {.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1, .off = 0, .imm = 0},
      set(BPF_REG_0, 0),
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "polytrace_find", "GPL", looks_up, std::size(looks_up), &opts));
  if (program.value < 0) return 0;
  uint64_t address = 0;
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &address, .ctx_size_in = sizeof(address));
  return bpf_prog_test_run_opts(program.value, &run) == 0 ? address : 0;
}

}  // namespace

Napi::Value kernel_symbol(const Napi::CallbackInfo& info) {
  const std::string text = info[0].As<Napi::String>().Utf8Value();
  Name name = {};
  if (text.empty() || text.size() >= name.size()) return Napi::BigInt::New(info.Env(), uint64_t{0});
  std::memcpy(name.data(), text.data(), text.size());
  const LogScope quiet;
  const BlockedSignals blocked;
  return Napi::BigInt::New(info.Env(), find_symbol(name, text.size()));
}

}  // namespace polytrace

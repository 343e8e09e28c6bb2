#include "hooks/call_table.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "base/error.h"
#include "loading/object_steps.h"

namespace polytrace {

namespace {

// More than the numbers of system calls. The kernel skips a jump beyond the end of the table.
constexpr uint32_t NUMBERS = 512;
constexpr int16_t STACK_SLOT = -8;

constexpr bpf_insn move(uint8_t to, uint8_t from) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from, .off = 0, .imm = 0};
}
constexpr bpf_insn move_number(uint8_t to, int32_t number) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .src_reg = 0, .off = 0, .imm = number};
}
constexpr bpf_insn add_number(uint8_t to, int32_t number) {
  return {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = to, .src_reg = 0, .off = 0, .imm = number};
}
constexpr bpf_insn load(uint8_t size, uint8_t to, uint8_t from, int16_t offset) {
  return {
      .code = static_cast<uint8_t>(BPF_LDX | BPF_MEM | size), .dst_reg = to, .src_reg = from, .off = offset, .imm = 0};
}
constexpr bpf_insn call(int32_t helper) {
  return {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = helper};
}

// The first parameter of the tracepoint has the registers of the program.
int load_dispatcher(int programs, uint32_t register_offset) {
  const bpf_insn code[] = {
      move(BPF_REG_6, BPF_REG_1),
      load(BPF_DW, BPF_REG_3, BPF_REG_1, 0),
      add_number(BPF_REG_3, static_cast<int32_t>(register_offset)),
      move(BPF_REG_1, BPF_REG_10),
      add_number(BPF_REG_1, STACK_SLOT),
      move_number(BPF_REG_2, sizeof(uint64_t)),
      call(BPF_FUNC_probe_read_kernel),
      move(BPF_REG_1, BPF_REG_6),
      {.code = BPF_LD | BPF_IMM | BPF_DW,
       .dst_reg = BPF_REG_2,
       .src_reg = BPF_PSEUDO_MAP_FD,
       .off = 0,
       .imm = programs},
      {},
      load(BPF_W, BPF_REG_3, BPF_REG_10, STACK_SLOT),
      call(BPF_FUNC_tail_call),
      move_number(BPF_REG_0, 0),
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "find_call", "GPL", code, std::size(code), nullptr);
}

int require(int fd, const char* what) {
  if (fd < 0) throw Failure{"HOOK_ATTACH", what, fd};
  return fd;
}

}  // namespace

CallTable::CallTable(const std::string& tracepoint, uint32_t register_offset)
    : programs_(require(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "call_programs", sizeof(uint32_t), sizeof(uint32_t),
                                       NUMBERS, nullptr),
                        "cannot create the table of system calls")) {
  dispatcher_ = Fd(require(load_dispatcher(programs_.value, register_offset), "cannot load the table of system calls"));
  link_ = Fd(require(bpf_raw_tracepoint_open(tracepoint.c_str(), dispatcher_.value),
                     "cannot attach the table of system calls"));
}

bool CallTable::add(uint32_t hook, int program, std::span<const uint32_t> numbers) {
  const auto is_free = [&](uint32_t number) { return number < NUMBERS && !owners_.contains(number); };
  if (!std::ranges::all_of(numbers, is_free)) return false;
  for (const uint32_t number : numbers) {
    owners_.emplace(number, hook);
    if (bpf_map_update_elem(programs_.value, &number, &program, BPF_ANY) == 0) continue;
    remove(hook);
    return false;
  }
  return true;
}

void CallTable::remove(uint32_t hook) noexcept {
  std::erase_if(owners_, [&](const auto& owner) {
    if (owner.second != hook) return false;
    bpf_map_delete_elem(programs_.value, &owner.first);
    return true;
  });
}

bool CallTables::add(const HookSpec& spec, const Hook& hook) noexcept {
  if (spec.calls.empty()) return false;
  try {
    const std::string& tracepoint = spec.target.name;
    auto found = tables_.find(tracepoint);
    if (found == tables_.end()) {
      require_descriptors(3);
      found = tables_.try_emplace(tracepoint, tracepoint, spec.call_register).first;
    }
    const int program = bpf_program__fd(find_program(hook.object.get(), "hook_entry"));
    return found->second.add(spec.id, program, spec.calls);
  } catch (const std::exception&) {
    return false;  // the hook gets a link of its own
  } catch (const Failure&) {
    return false;
  }
}

void CallTables::remove(uint32_t hook) noexcept {
  std::erase_if(tables_, [&](auto& table) {
    table.second.remove(hook);
    return table.second.is_empty();
  });
}

}  // namespace polytrace

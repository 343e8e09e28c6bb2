#include "unused.h"

#include <bitset>

namespace polytrace {

namespace {

// Registers, and variables in the stack, that are still read.
struct Used {
  std::bitset<MAX_BPF_REG> registers;
  std::bitset<UNITS> units;

  bool operator==(const Used&) const = default;
};

// Parameters of the kernel's functions that the programs call most. For others, all registers of parameters count.
uint32_t parameters_of_helper(const bpf_insn& call) {
  if (call.src_reg != 0) return PARAMETERS_MAX;
  switch (call.imm) {
    case BPF_FUNC_get_current_task:
    case BPF_FUNC_get_current_task_btf:
    case BPF_FUNC_get_current_cgroup_id:
    case BPF_FUNC_get_smp_processor_id:
    case BPF_FUNC_ktime_get_boot_ns: return 0;
    case BPF_FUNC_get_attach_cookie: return 1;
    case BPF_FUNC_map_lookup_elem:
    case BPF_FUNC_map_delete_elem: return 2;
    case BPF_FUNC_probe_read_kernel:
    case BPF_FUNC_probe_read_kernel_str:
    case BPF_FUNC_probe_read_user:
    case BPF_FUNC_probe_read_user_str: return 3;
    case BPF_FUNC_map_update_elem:
    case BPF_FUNC_ringbuf_output: return 4;
    default: return PARAMETERS_MAX;
  }
}

class Usage {
 public:
  Usage(Flow& flow, const std::vector<int32_t>& lowest, const CountParameters& parameters)
      : flow_(flow), lowest_(lowest), parameters_(parameters) {}

  // Returns whether instructions were removed.
  bool remove() {
    before_.assign(flow_.blocks.size(), {});
    bool changed = true;
    while (changed) {
      changed = false;
      for (uint32_t i = static_cast<uint32_t>(flow_.blocks.size()); i-- > 0;) changed |= look_at(i);
    }
    bool removed = false;
    for (Block& block : flow_.blocks) removed |= sweep(block);
    return removed;
  }

 private:
  bool look_at(uint32_t index) {
    const Block& block = flow_.blocks[index];
    Used used = after(block);
    for (auto each = block.instructions.rbegin(); each != block.instructions.rend(); ++each) {
      if (!each->removed && is_used(*each, used, block.function)) step(*each, used, block.function);
    }
    if (used == before_[index]) return false;
    before_[index] = used;
    return true;
  }

  bool sweep(Block& block) {
    bool removed = false;
    Used used = after(block);
    for (auto each = block.instructions.rbegin(); each != block.instructions.rend(); ++each) {
      if (each->removed) continue;
      if (is_used(*each, used, block.function)) {
        step(*each, used, block.function);
      } else {
        each->removed = removed = true;
      }
    }
    return removed;
  }

  Used after(const Block& block) const {
    Used used;
    for (const uint32_t following : {block.next, block.taken}) {
      if (following == NOWHERE) continue;
      used.registers |= before_[following].registers;
      used.units |= before_[following].units;
    }
    return used;
  }

  // The first unit of a variable that the instruction reads or writes, and which only register 10 leads to; -1: none.
  int32_t unit_of(const bpf_insn& each, uint8_t base, uint32_t function) const {
    if (base != BPF_REG_10 || each.off < -STACK_BYTES) return -1;
    if (each.off + static_cast<int32_t>(width_of(each)) > lowest_[function]) return -1;
    return (STACK_BYTES + each.off) / UNIT;
  }

  static int32_t last_unit_of(const bpf_insn& each) {
    return (STACK_BYTES + each.off + static_cast<int32_t>(width_of(each)) - 1) / UNIT;
  }

  bool is_used(const Instruction& each, const Used& used, uint32_t function) const {
    const bpf_insn& code = each.code;
    if (only_sets_register(code)) return used.registers[code.dst_reg] && !is_nothing(code);
    if (!is_store(code) || is_atomic(code)) return true;
    const int32_t unit = unit_of(code, code.dst_reg, function);
    if (unit < 0) return true;
    for (int32_t i = unit; i <= last_unit_of(code); i++) {
      if (used.units[i]) return true;
    }
    return false;
  }

  static bool is_nothing(const bpf_insn& code) {
    const bool is_sum = code.code == (BPF_ALU64 | BPF_ADD | BPF_K) && code.imm == 0;
    return is_sum || (code.code == (BPF_ALU64 | BPF_MOV | BPF_X) && code.dst_reg == code.src_reg && code.off == 0);
  }

  // Goes back over one instruction.
  void step(const Instruction& each, Used& used, uint32_t function) const {
    const bpf_insn& code = each.code;
    if (is_call(code)) {
      call(each, used);
    } else if (is_exit(code)) {
      used.registers.set(BPF_REG_0);
    } else if (is_store(code)) {
      store(code, used, function);
    } else if (is_any_jump(code)) {
      used.registers.set(code.dst_reg);
      if (BPF_SRC(code.code) == BPF_X) used.registers.set(code.src_reg);
    } else {
      set_register(code, used, function);
    }
  }

  void set_register(const bpf_insn& code, Used& used, uint32_t function) const {
    const bool replaces = !is_arithmetic(code) || BPF_OP(code.code) == BPF_MOV;
    if (replaces) used.registers.reset(code.dst_reg);
    if (is_load(code)) {
      used.registers.set(code.src_reg);
      const int32_t unit = unit_of(code, code.src_reg, function);
      for (int32_t i = unit; unit >= 0 && i <= last_unit_of(code); i++) used.units.set(i);
    } else if (is_arithmetic(code) && BPF_SRC(code.code) == BPF_X && BPF_OP(code.code) != BPF_END) {
      used.registers.set(code.src_reg);
    }
  }

  void store(const bpf_insn& code, Used& used, uint32_t function) const {
    used.registers.set(code.dst_reg);
    if (kind_of(code) == BPF_STX) used.registers.set(code.src_reg);
    const int32_t unit = unit_of(code, code.dst_reg, function);
    if (is_atomic(code)) {
      used.registers.set(BPF_REG_0);
      for (int32_t i = unit; unit >= 0 && i <= last_unit_of(code); i++) used.units.set(i);
      return;
    }
    // a variable that is replaced as a whole
    if (unit < 0 || code.off % UNIT != 0 || width_of(code) < UNIT) return;
    for (int32_t i = unit; i <= last_unit_of(code); i++) used.units.reset(i);
  }

  void call(const Instruction& each, Used& used) const {
    for (int i = BPF_REG_0; i <= BPF_REG_5; i++) used.registers.reset(i);
    const uint32_t count = each.callee == NOWHERE ? parameters_of_helper(each.code) : parameters_(each.callee);
    for (uint32_t i = 0; i < count; i++) used.registers.set(BPF_REG_1 + i);
    if (each.callee == NOWHERE) return;
    const Used& given = before_[flow_.functions[each.callee].first_block];
    for (uint32_t i = BPF_REG_1; i <= BPF_REG_5; i++) {
      if (given.registers[i]) used.registers.set(i);
    }
  }

  Flow& flow_;
  const std::vector<int32_t>& lowest_;
  const CountParameters& parameters_;
  std::vector<Used> before_;  // each block
};

// A jump to where the program goes on anyway.
bool remove_idle_jumps(Flow& flow) {
  bool removed = false;
  for (Block& block : flow.blocks) {
    if (block.taken == NOWHERE || settled(flow, block.taken) != settled(flow, block.next)) continue;
    block.instructions.back().removed = removed = true;
    block.taken = NOWHERE;
  }
  return removed;
}

}  // namespace

void remove_unused(Flow& flow, const std::vector<int32_t>& lowest, const CountParameters& parameters) {
  while (Usage(flow, lowest, parameters).remove() || remove_idle_jumps(flow)) {
  }
}

}  // namespace polytrace

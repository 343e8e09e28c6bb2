#include "optimizer/dead_code_elimination.h"

#include <bitset>
#include <vector>

#include "optimizer/peephole.h"

namespace polytrace {

namespace {

struct LiveSet {
  std::bitset<MAX_BPF_REG> registers;
  std::bitset<STACK_SLOTS> slots;

  bool operator==(const LiveSet&) const = default;
};

// The number of parameters of the kernel's helpers that the programs call most. For others, all parameter registers
// count.
uint32_t count_helper_parameters(const bpf_insn& call) {
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

class DeadCodeElimination {
 public:
  DeadCodeElimination(ControlFlowGraph& cfg, const EscapeBounds& bounds, const CountParameters& count_parameters)
      : cfg_(cfg), bounds_(bounds), count_parameters_(count_parameters) {}

  // Returns whether instructions were removed.
  bool run() {
    live_in_.assign(cfg_.blocks.size(), {});
    bool changed = true;
    while (changed) {
      changed = false;
      for (uint32_t i = static_cast<uint32_t>(cfg_.blocks.size()); i-- > 0;) changed |= update_live_in(i);
    }
    bool removed = false;
    for (BasicBlock& block : cfg_.blocks) removed |= remove_dead(block);
    return removed;
  }

 private:
  bool update_live_in(uint32_t index) {
    const BasicBlock& block = cfg_.blocks[index];
    LiveSet live = compute_live_out(block);
    for (auto each = block.instructions.rbegin(); each != block.instructions.rend(); ++each) {
      if (!each->removed && is_live(*each, live, block.function)) transfer(*each, live, block.function);
    }
    if (live == live_in_[index]) return false;
    live_in_[index] = live;
    return true;
  }

  bool remove_dead(BasicBlock& block) {
    bool removed = false;
    LiveSet live = compute_live_out(block);
    for (auto each = block.instructions.rbegin(); each != block.instructions.rend(); ++each) {
      if (each->removed) continue;
      if (is_live(*each, live, block.function)) {
        transfer(*each, live, block.function);
      } else {
        each->removed = removed = true;
      }
    }
    return removed;
  }

  LiveSet compute_live_out(const BasicBlock& block) const {
    LiveSet live;
    for (const uint32_t successor : {block.fallthrough, block.branch_target}) {
      if (successor == NONE) continue;
      live.registers |= live_in_[successor].registers;
      live.slots |= live_in_[successor].slots;
    }
    return live;
  }

  // The first private slot that a load or store relative to `base` accesses; -1 if it accesses none.
  int32_t first_slot(const bpf_insn& each, uint8_t base, uint32_t function) const {
    if (base != BPF_REG_10 || each.off < -STACK_BYTES) return -1;
    if (each.off + static_cast<int32_t>(access_width(each)) > bounds_[function]) return -1;
    return (STACK_BYTES + each.off) / SLOT_BYTES;
  }

  static int32_t last_slot(const bpf_insn& each) {
    return (STACK_BYTES + each.off + static_cast<int32_t>(access_width(each)) - 1) / SLOT_BYTES;
  }

  // `live` is the set after the instruction.
  bool is_live(const Instruction& each, const LiveSet& live, uint32_t function) const {
    const bpf_insn& code = each.code;
    if (only_sets_register(code)) return live.registers[code.dst_reg] && !is_no_op(code);
    if (!is_store(code) || is_atomic(code)) return true;
    const int32_t first = first_slot(code, code.dst_reg, function);
    if (first < 0) return true;
    for (int32_t i = first; i <= last_slot(code); i++) {
      if (live.slots[i]) return true;
    }
    return false;
  }

  // The transfer function: from the live set after an instruction to the one before it.
  void transfer(const Instruction& each, LiveSet& live, uint32_t function) const {
    const bpf_insn& code = each.code;
    if (is_call(code)) {
      transfer_call(each, live);
    } else if (is_exit(code)) {
      live.registers.set(BPF_REG_0);
    } else if (is_store(code)) {
      transfer_store(code, live, function);
    } else if (is_any_jump(code)) {
      live.registers.set(code.dst_reg);
      if (BPF_SRC(code.code) == BPF_X) live.registers.set(code.src_reg);
    } else {
      transfer_definition(code, live, function);
    }
  }

  void transfer_definition(const bpf_insn& code, LiveSet& live, uint32_t function) const {
    const bool only_defines = !is_arithmetic(code) || BPF_OP(code.code) == BPF_MOV;
    if (only_defines) live.registers.reset(code.dst_reg);
    if (is_load(code)) {
      live.registers.set(code.src_reg);
      const int32_t first = first_slot(code, code.src_reg, function);
      for (int32_t i = first; first >= 0 && i <= last_slot(code); i++) live.slots.set(i);
    } else if (is_arithmetic(code) && BPF_SRC(code.code) == BPF_X && BPF_OP(code.code) != BPF_END) {
      live.registers.set(code.src_reg);
    }
  }

  void transfer_store(const bpf_insn& code, LiveSet& live, uint32_t function) const {
    live.registers.set(code.dst_reg);
    if (instruction_class(code) == BPF_STX) live.registers.set(code.src_reg);
    const int32_t first = first_slot(code, code.dst_reg, function);
    if (is_atomic(code)) {
      live.registers.set(BPF_REG_0);
      for (int32_t i = first; first >= 0 && i <= last_slot(code); i++) live.slots.set(i);
      return;
    }
    // only a store of whole slots defines them
    if (first < 0 || code.off % SLOT_BYTES != 0 || access_width(code) < SLOT_BYTES) return;
    for (int32_t i = first; i <= last_slot(code); i++) live.slots.reset(i);
  }

  void transfer_call(const Instruction& each, LiveSet& live) const {
    for (int i = BPF_REG_0; i <= BPF_REG_5; i++) live.registers.reset(i);
    const uint32_t count = each.callee == NONE ? count_helper_parameters(each.code) : count_parameters_(each.callee);
    for (uint32_t i = 0; i < count; i++) live.registers.set(BPF_REG_1 + i);
    if (each.callee == NONE) return;
    const LiveSet& callee_in = live_in_[cfg_.functions[each.callee].entry_block];
    for (uint32_t i = BPF_REG_1; i <= BPF_REG_5; i++) {
      if (callee_in.registers[i]) live.registers.set(i);
    }
  }

  ControlFlowGraph& cfg_;
  const EscapeBounds& bounds_;
  const CountParameters& count_parameters_;
  std::vector<LiveSet> live_in_;  // of each block
};

// Removes conditional jumps to the block that follows anyway.
bool remove_redundant_branches(ControlFlowGraph& cfg) {
  bool removed = false;
  for (BasicBlock& block : cfg.blocks) {
    if (block.branch_target == NONE) continue;
    if (thread_jump(cfg, block.branch_target) != thread_jump(cfg, block.fallthrough)) continue;
    block.instructions.back().removed = removed = true;
    block.branch_target = NONE;
  }
  return removed;
}

}  // namespace

void eliminate_dead_code(ControlFlowGraph& cfg, const EscapeBounds& bounds, const CountParameters& count_parameters) {
  while (DeadCodeElimination(cfg, bounds, count_parameters).run() || remove_redundant_branches(cfg)) {
  }
}

}  // namespace polytrace

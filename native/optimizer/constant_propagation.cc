#include "optimizer/constant_propagation.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "optimizer/constant_folding.h"
#include "optimizer/constant_lattice.h"
#include "optimizer/peephole.h"

namespace polytrace {

namespace {

constexpr int REGISTERS = MAX_BPF_REG;
constexpr uint8_t SIGN_EXTENDING = 0x80;  // BPF_MEMSX

class ConstantPropagation {
 public:
  ConstantPropagation(ControlFlowGraph& cfg, const Configuration& configuration)
      : cfg_(cfg), configuration_(configuration), lowest_escaped_(cfg.functions.size(), 0) {}

  EscapeBounds run() {
    for (BasicBlock& block : cfg_.blocks) {
      std::erase_if(block.instructions, [](const Instruction& each) { return each.removed; });
    }
    // values of slots are valid only if no other pointer can reach the slots
    EscapeBounds before;
    do {
      before = lowest_escaped_;
      analyze();
    } while (lowest_escaped_ != before);
    for (uint32_t block = 0; block < cfg_.blocks.size(); block++) {
      if (states_in_[block]) rewrite_block(block);
      else cfg_.blocks[block] = {};
    }
    return lowest_escaped_;
  }

 private:
  // ---- the dataflow analysis

  void analyze() {
    states_in_.clear();
    states_in_.resize(cfg_.blocks.size());
    propagate(cfg_.functions[0].entry_block, make_entry_state());
    while (!worklist_.empty()) {
      const uint32_t block = worklist_.back();
      worklist_.pop_back();
      transfer_block(block);
    }
  }

  // The state at the entry of a function whose parameters are unknown.
  static AbstractState make_entry_state() {
    AbstractState state;
    state.registers[BPF_REG_10] = {AbstractValue::STACK_POINTER, 0};
    return state;
  }

  void propagate(uint32_t block, const AbstractState& state) {
    std::unique_ptr<AbstractState>& state_in = states_in_[block];
    if (!state_in) {
      state_in = std::make_unique<AbstractState>(state);
      worklist_.push_back(block);
    } else if (join(*state_in, state, cfg_.blocks[block].function)) {
      worklist_.push_back(block);
    }
  }

  // Both return whether the first operand has changed.
  bool join(AbstractState& state, const AbstractState& other, uint32_t function) {
    bool changed = false;
    for (int i = 0; i < REGISTERS; i++) changed |= join(state.registers[i], other.registers[i], function);
    for (int i = 0; i < STACK_SLOTS; i++) {
      StackSlot& slot = state.slots[i];
      if (slot == other.slots[i] || slot == StackSlot{}) continue;
      AbstractValue value = slot.value;
      join(value, other.slots[i].value, function);
      slot = {};
      changed = true;
    }
    return changed;
  }

  bool join(AbstractValue& value, const AbstractValue& other, uint32_t function) {
    if (value == other) return false;
    note_untracked(value, function);
    note_untracked(other, function);
    if (value.is(AbstractValue::UNKNOWN)) return false;
    value = {};
    return true;
  }

  void transfer_block(uint32_t index) {
    AbstractState state = *states_in_[index];
    const BasicBlock& block = cfg_.blocks[index];
    for (const Instruction& each : block.instructions) transfer(each, state, block.function);
    const std::optional<bool> taken = evaluate_branch(block, state);
    if (block.branch_target != NONE && taken != false)
      propagate(block.branch_target, refine_by_test(block, state, BPF_JNE));
    if (block.fallthrough != NONE && taken != true) propagate(block.fallthrough, refine_by_test(block, state, BPF_JEQ));
  }

  // Returns the state at a successor. If the block ends with this comparison with 0, the register is not 0 there.
  static AbstractState refine_by_test(const BasicBlock& block, AbstractState state, uint8_t comparison) {
    if (block.branch_target == NONE) return state;
    const bpf_insn& jump = block.instructions.back().code;
    if (jump.code != (BPF_JMP | comparison | BPF_K) || jump.imm != 0) return state;
    AbstractValue& value = state.registers[jump.dst_reg];
    if (value.is(AbstractValue::UNKNOWN)) value = {AbstractValue::NOT_ZERO, 0};
    return state;
  }

  // Returns whether the conditional jump at the end of the block is taken; nothing if that is not known.
  std::optional<bool> evaluate_branch(const BasicBlock& block, const AbstractState& state_out) const {
    if (block.branch_target == NONE) return std::nullopt;
    const bpf_insn& jump = block.instructions.back().code;
    const AbstractValue &a = state_out.registers[jump.dst_reg], b = evaluate_operand(jump, state_out);
    const uint8_t comparison = BPF_OP(jump.code);
    if (a.is(AbstractValue::NOT_ZERO) && b == make_constant(0) && instruction_class(jump) == BPF_JMP) {
      if (comparison == BPF_JEQ || comparison == BPF_JNE) return comparison == BPF_JNE;
    }
    if (!a.is(AbstractValue::CONSTANT) || !b.is(AbstractValue::CONSTANT)) return std::nullopt;
    return fold_comparison(comparison, a.bits, b.bits, instruction_class(jump) == BPF_JMP);
  }

  // The second operand: a register or the immediate.
  static AbstractValue evaluate_operand(const bpf_insn& each, const AbstractState& state) {
    if (BPF_SRC(each.code) == BPF_X) return state.registers[each.src_reg];
    return make_constant(sign_extend(static_cast<uint32_t>(each.imm), 4));
  }

  // ---- the escape analysis

  void note_escape(uint32_t function, int64_t offset) {
    lowest_escaped_[function] =
        static_cast<int32_t>(std::clamp<int64_t>(offset, -STACK_BYTES, lowest_escaped_[function]));
  }

  // The analysis loses track of this value. A copy of r10 can then reach the whole stack. The offset of any other stack
  // pointer was noted when the pointer was computed.
  void note_untracked(const AbstractValue& value, uint32_t function) {
    if (value.is(AbstractValue::STACK_POINTER) && value.bits == 0) note_escape(function, -STACK_BYTES);
  }

  // Returns the stack offset of a load or store if it accesses private slots, all of each.
  std::optional<int64_t> find_private_slot(uint8_t base, const AbstractState& state, const bpf_insn& each,
                                           uint32_t function) {
    if (!state.registers[base].is(AbstractValue::STACK_POINTER)) return std::nullopt;
    const int64_t offset = static_cast<int64_t>(state.registers[base].bits) + each.off;
    if (base != BPF_REG_10) {
      note_escape(function, offset);
      return std::nullopt;
    }
    const bool is_private =
        offset >= -STACK_BYTES && offset % SLOT_BYTES == 0 && offset + access_width(each) <= lowest_escaped_[function];
    return is_private ? std::optional(offset) : std::nullopt;
  }

  static int slot_index(int64_t offset) { return static_cast<int>((STACK_BYTES + offset) / SLOT_BYTES); }

  static void kill_slots(AbstractState& state, int64_t offset, uint32_t width) {
    const int first = slot_index(offset), last = slot_index(offset + width - 1);
    if (first > 0 && state.slots[first - 1].width > SLOT_BYTES) state.slots[first - 1] = {};
    for (int i = first; i <= last; i++) state.slots[i] = {};
  }

  // The same for a store that is not aligned, not private, or partly outside the stack.
  static void kill_slots_within_stack(AbstractState& state, int64_t offset, uint32_t width) {
    const int64_t first = std::max<int64_t>(offset, -STACK_BYTES), last = std::min<int64_t>(offset + width, 0);
    if (first < last) kill_slots(state, first, static_cast<uint32_t>(last - first));
  }

  // ---- the transfer function of one instruction

  void transfer(const Instruction& each, AbstractState& state, uint32_t function) {
    const bpf_insn& code = each.code;
    if (is_callback(code)) {
      propagate(cfg_.functions[each.callee].entry_block, make_entry_state());
      state.registers[code.dst_reg] = {};
    } else if (only_sets_register(code)) {
      const AbstractValue result = evaluate(each, state, function);
      if (result.is(AbstractValue::STACK_POINTER)) note_escape(function, static_cast<int64_t>(result.bits));
      state.registers[code.dst_reg] = result;
    } else if (is_store(code)) {
      transfer_store(code, state, function);
    } else if (is_call(code)) {
      transfer_call(each, state, function);
    }
  }

  void transfer_store(const bpf_insn& code, AbstractState& state, uint32_t function) {
    const AbstractValue base = state.registers[code.dst_reg];
    const AbstractValue value = instruction_class(code) == BPF_STX
                                    ? state.registers[code.src_reg]
                                    : make_constant(sign_extend(static_cast<uint32_t>(code.imm), 4));
    const uint32_t width = access_width(code);
    const std::optional<int64_t> slot = find_private_slot(code.dst_reg, state, code, function);
    note_untracked(value, function);
    if (is_atomic(code)) {
      if (slot) kill_slots(state, *slot, width);
      if ((code.imm & BPF_FETCH) != 0)
        state.registers[code.imm == BPF_CMPXCHG ? uint8_t{BPF_REG_0} : code.src_reg] = {};
      return;
    }
    if (!slot) {
      if (base.is(AbstractValue::STACK_POINTER)) {
        kill_slots_within_stack(state, static_cast<int64_t>(base.bits) + code.off, width);
      }
      return;
    }
    kill_slots(state, *slot, width);
    const bool is_tracked = width == 8 || (width == 4 && value.is(AbstractValue::CONSTANT));
    if (is_tracked) state.slots[slot_index(*slot)] = {value, width};
  }

  void transfer_call(const Instruction& each, AbstractState& state, uint32_t function) {
    for (int i = BPF_REG_1; i <= BPF_REG_5; i++) note_untracked(state.registers[i], function);
    if (each.callee != NONE) {
      AbstractState entry = make_entry_state();
      for (int i = BPF_REG_1; i <= BPF_REG_5; i++) {
        const AbstractValue& value = state.registers[i];
        // the caller's stack is not the callee's; and the kernel also checks a global function with null parameters
        if (!value.is(AbstractValue::STACK_POINTER) && !value.is(AbstractValue::NOT_ZERO)) entry.registers[i] = value;
      }
      propagate(cfg_.functions[each.callee].entry_block, entry);
    }
    for (int i = BPF_REG_0; i <= BPF_REG_5; i++) state.registers[i] = {};
  }

  AbstractValue evaluate(const Instruction& each, const AbstractState& state, uint32_t function) {
    const bpf_insn& code = each.code;
    if (is_wide(code)) return evaluate_wide(each);
    if (is_load(code)) return evaluate_load(code, state, function);
    return evaluate_arithmetic(code, state, function);
  }

  AbstractValue evaluate_wide(const Instruction& each) const {
    const bpf_insn& code = each.code;
    if (code.src_reg == BPF_PSEUDO_MAP_VALUE && code.imm == configuration_.map) {
      return {AbstractValue::CONFIGURATION_POINTER, static_cast<uint32_t>(each.upper)};
    }
    if (code.src_reg != 0) return {};
    return make_constant(static_cast<uint32_t>(code.imm) | static_cast<uint64_t>(static_cast<uint32_t>(each.upper))
                                                               << 32);
  }

  AbstractValue evaluate_load(const bpf_insn& code, const AbstractState& state, uint32_t function) {
    const AbstractValue base = state.registers[code.src_reg];
    const uint32_t width = access_width(code);
    std::optional<uint64_t> bits;
    if (base.is(AbstractValue::CONFIGURATION_POINTER)) {
      const uint64_t offset = base.bits + static_cast<uint64_t>(static_cast<int64_t>(code.off));
      if (offset > configuration_.bytes.size() || configuration_.bytes.size() - offset < width) return {};
      bits = 0;
      std::memcpy(&*bits, configuration_.bytes.data() + offset, width);
    } else if (const std::optional<int64_t> at = find_private_slot(code.src_reg, state, code, function)) {
      const StackSlot& slot = state.slots[slot_index(*at)];
      if (slot.width == 8 && width == 8) return slot.value;
      if (slot.width < width || !slot.value.is(AbstractValue::CONSTANT)) return {};
      bits = width == 8 ? slot.value.bits : slot.value.bits & ((1ULL << (8 * width)) - 1);
    }
    if (!bits) return {};
    return make_constant(BPF_MODE(code.code) == SIGN_EXTENDING ? sign_extend(*bits, width) : *bits);
  }

  AbstractValue evaluate_arithmetic(const bpf_insn& code, const AbstractState& state, uint32_t function) {
    const uint8_t operation = BPF_OP(code.code);
    const bool is_64 = instruction_class(code) == BPF_ALU64;
    const AbstractValue a = state.registers[code.dst_reg], b = evaluate_operand(code, state);
    if (code.off != 0 || operation == BPF_END) return {};
    if (operation == BPF_MOV) {
      if (is_64) return b;
      note_untracked(b, function);
      return b.is(AbstractValue::CONSTANT) ? make_constant(static_cast<uint32_t>(b.bits)) : AbstractValue{};
    }
    if (a.is(AbstractValue::CONSTANT) && (b.is(AbstractValue::CONSTANT) || operation == BPF_NEG)) {
      const auto bits = is_64 ? fold_alu64(operation, a.bits, b.bits)
                              : fold_alu32(operation, static_cast<uint32_t>(a.bits), static_cast<uint32_t>(b.bits));
      return bits ? make_constant(*bits) : AbstractValue{};
    }
    if (is_64 && operation == BPF_ADD) {
      if (a.is_pointer() && b.is(AbstractValue::CONSTANT)) return {a.kind, a.bits + b.bits};
      if (b.is_pointer() && a.is(AbstractValue::CONSTANT)) return {b.kind, a.bits + b.bits};
    }
    // the result can point anywhere in the stack
    if (a.is(AbstractValue::STACK_POINTER) || (b.is(AbstractValue::STACK_POINTER) && operation != BPF_NEG)) {
      note_escape(function, -STACK_BYTES);
    }
    return {};
  }

  // ---- rewriting

  void rewrite_block(uint32_t index) {
    BasicBlock& block = cfg_.blocks[index];
    AbstractState state = *states_in_[index];
    for (Instruction& each : block.instructions) {
      const Instruction before = each;
      if (only_sets_register(each.code)) replace_by_result(each, evaluate(each, state, block.function));
      if (is_arithmetic(each.code) || is_conditional(each.code)) {
        use_immediate(each.code, state.registers[each.code.dst_reg].constant(),
                      state.registers[each.code.src_reg].constant());
      }
      transfer(before, state, block.function);
    }
    const std::optional<bool> taken = evaluate_branch(block, state);
    if (!taken) return;
    block.instructions.back().removed = true;
    if (*taken) block.fallthrough = block.branch_target;
    block.branch_target = NONE;
  }

  void replace_by_result(Instruction& each, const AbstractValue& result) const {
    bpf_insn& code = each.code;
    if (result.is(AbstractValue::CONSTANT)) {
      replace_by_constant(code, result.bits);
    } else if (result.is(AbstractValue::CONFIGURATION_POINTER) && result.bits < configuration_.bytes.size()) {
      each.upper = static_cast<int32_t>(result.bits);
      code = {.code = BPF_LD | BPF_IMM | BPF_DW,
              .dst_reg = code.dst_reg,
              .src_reg = BPF_PSEUDO_MAP_VALUE,
              .off = 0,
              .imm = configuration_.map};
    }
  }

  ControlFlowGraph& cfg_;
  const Configuration& configuration_;
  EscapeBounds lowest_escaped_;
  std::vector<std::unique_ptr<AbstractState>> states_in_;  // at the entry of each block; null if it cannot be reached
  std::vector<uint32_t> worklist_;
};

}  // namespace

EscapeBounds propagate_constants(ControlFlowGraph& cfg, const Configuration& configuration) {
  return ConstantPropagation(cfg, configuration).run();
}

}  // namespace polytrace

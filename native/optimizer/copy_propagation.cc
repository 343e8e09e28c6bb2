#include "optimizer/copy_propagation.h"

#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace polytrace {

namespace {

constexpr int32_t WORD_BYTES = 8;

// Available copies: the registers and slots that contain the same value as another register, their original.
class AvailableCopies {
 public:
  AvailableCopies() {
    for (uint8_t i = 0; i < MAX_BPF_REG; i++) originals_[i] = i;
  }

  uint8_t find_original(uint8_t copy) const { return originals_[copy]; }
  // The register that contains the same value as the slot of eight bytes.
  std::optional<uint8_t> find_slot_original(int16_t slot) const {
    const auto found = slots_.find(slot);
    return found == slots_.end() ? std::nullopt : std::optional(found->second);
  }

  void add_register_copy(uint8_t to, uint8_t from) {
    if (to == from) return;
    kill_register(to);
    originals_[to] = originals_[from];
  }
  void add_slot_copy(int16_t slot, uint8_t from) { slots_[slot] = originals_[from]; }

  // The register gets another value. One of its copies becomes the original of the others.
  void kill_register(uint8_t changed) {
    uint8_t successor = changed;
    for (uint8_t i = 0; i < MAX_BPF_REG; i++) {
      if (i == changed || originals_[i] != changed) continue;
      if (successor == changed) successor = i;
      originals_[i] = successor;
    }
    for (auto each = slots_.begin(); each != slots_.end();) {
      if (each->second == changed && successor == changed) {
        each = slots_.erase(each);
        continue;
      }
      if (each->second == changed) each->second = successor;
      ++each;
    }
    originals_[changed] = changed;
  }
  void kill_slots(int32_t offset, uint32_t width) {
    const int32_t end = offset + static_cast<int32_t>(width);
    std::erase_if(slots_, [=](const auto& each) { return each.first < end && offset < each.first + WORD_BYTES; });
  }

 private:
  std::array<uint8_t, MAX_BPF_REG> originals_ = {};
  std::map<int16_t, uint8_t> slots_;  // originals by the offset in the stack
};

class CopyPropagation {
 public:
  CopyPropagation(ControlFlowGraph& cfg, const EscapeBounds& bounds) : cfg_(cfg), bounds_(bounds) {}

  void run() {
    count_predecessors();
    std::vector<std::pair<uint32_t, AvailableCopies>> worklist;  // blocks, with the copies at their entry
    for (uint32_t i = 0; i < cfg_.blocks.size(); i++) {
      if (predecessors_[i] > 1) worklist.emplace_back(i, AvailableCopies());
    }
    while (!worklist.empty()) {
      auto [index, copies] = std::move(worklist.back());
      worklist.pop_back();
      BasicBlock& block = cfg_.blocks[index];
      for (Instruction& each : block.instructions) {
        if (each.removed) continue;
        each.removed = is_redundant_store(each.code, copies, block.function);
        if (!each.removed) rewrite(each.code, copies, block.function);
      }
      for (const uint32_t successor : {block.fallthrough, block.branch_target}) {
        if (successor != NONE && predecessors_[successor] == 1) worklist.emplace_back(successor, copies);
      }
    }
  }

 private:
  void count_predecessors() {
    predecessors_.assign(cfg_.blocks.size(), 0);
    for (const Function& each : cfg_.functions) predecessors_[each.entry_block] += 2;
    for (const BasicBlock& each : cfg_.blocks) {
      if (each.fallthrough != NONE) predecessors_[each.fallthrough]++;
      if (each.branch_target != NONE) predecessors_[each.branch_target]++;
    }
  }

  bool is_private_slot(const bpf_insn& code, uint8_t base, uint32_t function) const {
    return base == BPF_REG_10 && code.off + static_cast<int32_t>(access_width(code)) <= bounds_[function];
  }

  // Returns whether the slot already contains the value that the instruction stores.
  bool is_redundant_store(const bpf_insn& code, const AvailableCopies& copies, uint32_t function) const {
    return code.code == (BPF_STX | BPF_MEM | BPF_DW) && is_private_slot(code, code.dst_reg, function) &&
           copies.find_slot_original(code.off) == copies.find_original(code.src_reg);
  }

  // Replaces the operands of the instruction by their originals, and applies its effect to the copies.
  void rewrite(bpf_insn& code, AvailableCopies& copies, uint32_t function) const {
    if (is_call(code)) {
      for (uint8_t i = BPF_REG_0; i <= BPF_REG_5; i++) copies.kill_register(i);
    } else if (is_any_jump(code)) {
      code.dst_reg = copies.find_original(code.dst_reg);
      if (BPF_SRC(code.code) == BPF_X) code.src_reg = copies.find_original(code.src_reg);
    } else if (is_store(code)) {
      rewrite_store(code, copies, function);
    } else if (is_load(code)) {
      rewrite_load(code, copies, function);
    } else if (is_arithmetic(code)) {
      const bool reads_source = BPF_SRC(code.code) == BPF_X && BPF_OP(code.code) != BPF_END;
      if (reads_source) code.src_reg = copies.find_original(code.src_reg);
      define_register(code, copies);
    } else if (is_wide(code)) {
      copies.kill_register(code.dst_reg);
    }
  }

  static void define_register(const bpf_insn& code, AvailableCopies& copies) {
    const bool is_copy = code.code == (BPF_ALU64 | BPF_MOV | BPF_X) && code.off == 0;
    if (is_copy) copies.add_register_copy(code.dst_reg, code.src_reg);
    else copies.kill_register(code.dst_reg);
  }

  void rewrite_load(bpf_insn& code, AvailableCopies& copies, uint32_t function) const {
    code.src_reg = copies.find_original(code.src_reg);
    if (access_width(code) == WORD_BYTES && is_private_slot(code, code.src_reg, function)) {
      if (const auto original = copies.find_slot_original(code.off)) {
        code = move_register(code.dst_reg, *original);
      }
    }
    const bool is_still_load =
        code.code == (BPF_LDX | BPF_MEM | BPF_DW) && is_private_slot(code, code.src_reg, function);
    const int16_t slot = code.off;
    define_register(code, copies);
    if (is_still_load) copies.add_slot_copy(slot, code.dst_reg);
  }

  void rewrite_store(bpf_insn& code, AvailableCopies& copies, uint32_t function) const {
    code.dst_reg = copies.find_original(code.dst_reg);
    if (is_atomic(code)) {
      if (code.dst_reg == BPF_REG_10) copies.kill_slots(code.off, access_width(code));
      copies.kill_register(BPF_REG_0);
      copies.kill_register(code.src_reg);
      return;
    }
    if (instruction_class(code) == BPF_STX) code.src_reg = copies.find_original(code.src_reg);
    if (code.dst_reg != BPF_REG_10) return;
    copies.kill_slots(code.off, access_width(code));
    if (instruction_class(code) == BPF_STX && access_width(code) == WORD_BYTES &&
        is_private_slot(code, BPF_REG_10, function)) {
      copies.add_slot_copy(code.off, code.src_reg);
    }
  }

  ControlFlowGraph& cfg_;
  const EscapeBounds& bounds_;
  std::vector<uint32_t>
      predecessors_;  // of each block; two more for the entry of a function, which so begins with no copies
};

}  // namespace

void propagate_copies(ControlFlowGraph& cfg, const EscapeBounds& bounds) { CopyPropagation(cfg, bounds).run(); }

}  // namespace polytrace

#include "copies.h"

#include <array>
#include <map>
#include <utility>

namespace polytrace {

namespace {

constexpr int32_t WORD = 8;

// Registers and variables that are equal to a register.
class Copies {
 public:
  Copies() {
    for (uint8_t i = 0; i < originals_.size(); i++) originals_[i] = i;
  }

  uint8_t original(uint8_t copy) const { return originals_[copy]; }
  // The register that a variable of eight bytes is a copy of; `fallback` where there is none.
  uint8_t original_of(int16_t variable, uint8_t fallback) const {
    const auto found = variables_.find(variable);
    return found == variables_.end() ? fallback : found->second;
  }

  void copy(uint8_t to, uint8_t from) {
    if (to == from) return;
    forget(to);
    originals_[to] = originals_[from];
  }
  void copy_to_variable(int16_t variable, uint8_t from) { variables_[variable] = originals_[from]; }

  // A register that gets another value: one of its copies takes its place.
  void forget(uint8_t changed) {
    uint8_t heir = changed;
    for (uint8_t i = 0; i < originals_.size(); i++) {
      if (i == changed || originals_[i] != changed) continue;
      if (heir == changed) heir = i;
      originals_[i] = heir;
    }
    for (auto each = variables_.begin(); each != variables_.end();) {
      if (each->second == changed && heir == changed) {
        each = variables_.erase(each);
        continue;
      }
      if (each->second == changed) each->second = heir;
      ++each;
    }
    originals_[changed] = changed;
  }
  void forget_variables(int32_t offset, uint32_t width) {
    const int32_t end = offset + static_cast<int32_t>(width);
    std::erase_if(variables_, [=](const auto& each) { return each.first < end && offset < each.first + WORD; });
  }

 private:
  std::array<uint8_t, MAX_BPF_REG> originals_;
  std::map<int16_t, uint8_t> variables_;  // by the offset in the stack
};

class Originals {
 public:
  Originals(Flow& flow, const std::vector<int32_t>& lowest) : flow_(flow), lowest_(lowest) {}

  void use() {
    count_ways();
    // a block with one block before it goes on with what is known there
    std::vector<std::pair<uint32_t, Copies>> waiting;
    for (uint32_t i = 0; i < flow_.blocks.size(); i++) {
      if (ways_[i] > 1) waiting.emplace_back(i, Copies());
    }
    while (!waiting.empty()) {
      auto [index, copies] = std::move(waiting.back());
      waiting.pop_back();
      const Block& block = flow_.blocks[index];
      for (Instruction& each : flow_.blocks[index].instructions) {
        if (each.removed) continue;
        each.removed = is_in_place(each.code, copies, block.function);
        if (!each.removed) change(each.code, copies, block.function);
      }
      for (const uint32_t following : {block.next, block.taken}) {
        if (following != NOWHERE && ways_[following] == 1) waiting.emplace_back(following, copies);
      }
    }
  }

 private:
  void count_ways() {
    ways_.assign(flow_.blocks.size(), 0);
    for (const Function& each : flow_.functions) ways_[each.first_block] += 2;
    for (const Block& each : flow_.blocks) {
      if (each.next != NOWHERE) ways_[each.next]++;
      if (each.taken != NOWHERE) ways_[each.taken]++;
    }
  }

  bool is_variable(const bpf_insn& code, uint8_t base, uint32_t function) const {
    return base == BPF_REG_10 && code.off + static_cast<int32_t>(width_of(code)) <= lowest_[function];
  }

  // True for a store of a value that the variable has already.
  bool is_in_place(const bpf_insn& code, const Copies& copies, uint32_t function) const {
    return code.code == (BPF_STX | BPF_MEM | BPF_DW) && is_variable(code, code.dst_reg, function) &&
           copies.original_of(code.off, BPF_REG_10) == copies.original(code.src_reg);
  }

  void change(bpf_insn& code, Copies& copies, uint32_t function) const {
    if (is_call(code)) {
      for (uint8_t i = BPF_REG_0; i <= BPF_REG_5; i++) copies.forget(i);
    } else if (is_any_jump(code)) {
      code.dst_reg = copies.original(code.dst_reg);
      if (BPF_SRC(code.code) == BPF_X) code.src_reg = copies.original(code.src_reg);
    } else if (is_store(code)) {
      store(code, copies, function);
    } else if (is_load(code)) {
      load(code, copies, function);
    } else if (is_arithmetic(code)) {
      if (BPF_SRC(code.code) == BPF_X && BPF_OP(code.code) != BPF_END) code.src_reg = copies.original(code.src_reg);
      set(code, copies);
    } else if (is_wide(code)) {
      copies.forget(code.dst_reg);
    }
  }

  static void set(const bpf_insn& code, Copies& copies) {
    const bool is_copy = code.code == (BPF_ALU64 | BPF_MOV | BPF_X) && code.off == 0;
    if (is_copy) copies.copy(code.dst_reg, code.src_reg);
    else copies.forget(code.dst_reg);
  }

  void load(bpf_insn& code, Copies& copies, uint32_t function) const {
    code.src_reg = copies.original(code.src_reg);
    if (width_of(code) == WORD && is_variable(code, code.src_reg, function)) {
      const uint8_t original = copies.original_of(code.off, BPF_REG_10);
      if (original != BPF_REG_10) {
        code = move_register(code.dst_reg, original);
      }
    }
    const bool keeps = code.code == (BPF_LDX | BPF_MEM | BPF_DW) && is_variable(code, code.src_reg, function);
    const int16_t variable = code.off;
    set(code, copies);
    if (keeps) copies.copy_to_variable(variable, code.dst_reg);
  }

  void store(bpf_insn& code, Copies& copies, uint32_t function) const {
    code.dst_reg = copies.original(code.dst_reg);
    if (is_atomic(code)) {
      if (code.dst_reg == BPF_REG_10) copies.forget_variables(code.off, width_of(code));
      copies.forget(BPF_REG_0);
      copies.forget(code.src_reg);
      return;
    }
    if (kind_of(code) == BPF_STX) code.src_reg = copies.original(code.src_reg);
    if (code.dst_reg != BPF_REG_10) return;
    copies.forget_variables(code.off, width_of(code));
    if (kind_of(code) == BPF_STX && width_of(code) == WORD && is_variable(code, BPF_REG_10, function)) {
      copies.copy_to_variable(code.off, code.src_reg);
    }
  }

  Flow& flow_;
  const std::vector<int32_t>& lowest_;
  std::vector<uint32_t> ways_;  // to each block; two more for one that begins a function
};

}  // namespace

void use_originals(Flow& flow, const std::vector<int32_t>& lowest) { Originals(flow, lowest).use(); }

}  // namespace polytrace

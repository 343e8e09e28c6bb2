#include "optimizer/code_layout.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace polytrace {

namespace {

class CodeLayout {
 public:
  explicit CodeLayout(const ControlFlowGraph& cfg) : cfg_(cfg), block_offsets_(cfg.blocks.size(), NONE) {}

  std::optional<LaidOutCode> run() {
    result_.function_offsets.assign(cfg_.functions.size(), NONE);
    reached_functions_.push_back(0);
    for (size_t i = 0; i < reached_functions_.size(); i++) place_function(reached_functions_[i]);
    for (const auto& [from, block] : jumps_) {
      const int64_t distance = int64_t{block_offsets_[block]} - from - 1;
      if (distance < std::numeric_limits<int16_t>::min() || distance > std::numeric_limits<int16_t>::max()) {
        return std::nullopt;
      }
      result_.instructions[from].off = static_cast<int16_t>(distance);
    }
    for (const auto& [from, function] : calls_) {
      result_.instructions[from].imm = static_cast<int32_t>(result_.function_offsets[function] - from - 1);
    }
    return std::move(result_);
  }

 private:
  uint32_t offset() const { return static_cast<uint32_t>(result_.instructions.size()); }

  void place_function(uint32_t function) {
    result_.function_offsets[function] = offset();
    std::vector<uint32_t> pending = {thread_jump(cfg_, cfg_.functions[function].entry_block)};
    while (!pending.empty()) {
      uint32_t block = pending.back();
      pending.pop_back();
      while (block != NONE && block_offsets_[block] == NONE) block = place_block(block, pending);
    }
  }

  // Returns the fallthrough successor, which must be the next block.
  uint32_t place_block(uint32_t index, std::vector<uint32_t>& pending) {
    const BasicBlock& block = cfg_.blocks[index];
    block_offsets_[index] = offset();
    for (const Instruction& each : block.instructions) {
      if (!each.removed) place_instruction(each);
    }
    if (block.branch_target != NONE) {
      const uint32_t target = thread_jump(cfg_, block.branch_target);
      jumps_.emplace_back(offset() - 1, target);
      pending.push_back(target);
    }
    if (block.fallthrough == NONE) return NONE;
    const uint32_t fallthrough = thread_jump(cfg_, block.fallthrough);
    if (block_offsets_[fallthrough] != NONE) {
      jumps_.emplace_back(offset(), fallthrough);
      append({.code = BPF_JMP | BPF_JA, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}, block.original_index);
    }
    return fallthrough;
  }

  void place_instruction(const Instruction& each) {
    if (each.callee != NONE) {
      calls_.emplace_back(offset(), each.callee);
      const auto end = reached_functions_.end();
      if (std::find(reached_functions_.begin(), end, each.callee) == end) reached_functions_.push_back(each.callee);
    }
    append(each.code, each.original_index);
    if (!is_wide(each.code)) return;
    append({.code = 0, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = each.upper}, each.original_index);
  }

  void append(const bpf_insn& code, uint32_t original_index) {
    result_.instructions.push_back(code);
    result_.original_indexes.push_back(original_index);
  }

  const ControlFlowGraph& cfg_;
  std::vector<uint32_t> block_offsets_;                       // NONE until the block is placed
  std::vector<uint32_t> reached_functions_;                   // a worklist
  std::vector<std::pair<uint32_t, uint32_t>> jumps_, calls_;  // instructions, with their target blocks or functions
  LaidOutCode result_;
};

}  // namespace

std::optional<LaidOutCode> lay_out_code(const ControlFlowGraph& cfg) { return CodeLayout(cfg).run(); }

}  // namespace polytrace

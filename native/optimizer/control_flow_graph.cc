#include "optimizer/control_flow_graph.h"

#include <algorithm>

namespace polytrace {

namespace {

constexpr uint8_t MAY_GOTO = 0xe0;  // BPF_JCOND

int64_t jump_offset(const bpf_insn& jump) { return jump.code == (BPF_JMP32 | BPF_JA) ? jump.imm : jump.off; }

bool is_known_atomic(int32_t operation) {
  switch (operation & ~BPF_FETCH) {
    case BPF_ADD:
    case BPF_AND:
    case BPF_OR:
    case BPF_XOR: return true;
    default: return operation == BPF_XCHG || operation == BPF_CMPXCHG;
  }
}

bool is_known(const bpf_insn& each) {
  if (is_wide(each)) return true;
  if (instruction_class(each) == BPF_LD) return false;
  if (is_atomic(each)) return is_known_atomic(each.imm);
  return !is_any_jump(each) || BPF_OP(each.code) != MAY_GOTO;
}

enum Leader : uint8_t { NO_LEADER, BLOCK_LEADER, FUNCTION_LEADER };

// Returns for each instruction whether it is the leader of a basic block or of a function.
std::optional<std::vector<Leader>> find_leaders(std::span<const bpf_insn> program) {
  const auto count = static_cast<int64_t>(program.size());
  std::vector<Leader> leaders(program.size(), NO_LEADER);
  const auto mark = [&](int64_t at, Leader leader) { leaders[at] = std::max(leaders[at], leader); };
  if (program.empty()) return std::nullopt;
  mark(0, FUNCTION_LEADER);
  for (int64_t i = 0; i < count; i++) {
    const bpf_insn& each = program[i];
    if (!is_known(each)) return std::nullopt;
    const bool names_function = is_subprogram_call(each) || is_callback(each);
    if (is_any_jump(each) || names_function) {
      const int64_t target = i + 1 + (names_function ? each.imm : jump_offset(each));
      if (target < 0 || target >= count) return std::nullopt;
      mark(target, names_function ? FUNCTION_LEADER : BLOCK_LEADER);
    }
    if ((is_any_jump(each) || is_exit(each)) && i + 1 < count) mark(i + 1, BLOCK_LEADER);
    if (is_wide(each) && ++i == count) return std::nullopt;
  }
  return leaders;
}

// The instructions of a basic block.
struct Range {
  uint32_t start, end;
  uint32_t function;
};

BasicBlock build_block(std::span<const bpf_insn> program, Range range, const std::vector<uint32_t>& block_at,
                       const std::vector<uint32_t>& function_at) {
  BasicBlock block = {.instructions = {}, .function = range.function, .original_index = range.start};
  block.instructions.reserve(range.end - range.start);
  for (uint32_t i = range.start; i < range.end; i++) {
    Instruction each = {.code = program[i], .original_index = i};
    if (is_subprogram_call(each.code) || is_callback(each.code)) each.callee = function_at[i + 1 + each.code.imm];
    if (is_any_jump(each.code)) block.branch_target = block_at[i + 1 + jump_offset(each.code)];
    if (is_wide(each.code)) each.upper = program[++i].imm;
    if (!is_goto(each.code)) block.instructions.push_back(each);
  }
  const bpf_insn& last = program[range.end - 1];
  if (is_goto(last)) std::swap(block.fallthrough, block.branch_target);
  else if (!is_exit(last) && range.end < program.size()) block.fallthrough = block_at[range.end];
  return block;
}

bool is_empty(const BasicBlock& block) {
  return std::all_of(block.instructions.begin(), block.instructions.end(),
                     [](const Instruction& each) { return each.removed; });
}

}  // namespace

std::optional<ControlFlowGraph> build_cfg(std::span<const bpf_insn> program) {
  const std::optional<std::vector<Leader>> leaders = find_leaders(program);
  if (!leaders) return std::nullopt;
  ControlFlowGraph cfg;
  std::vector<uint32_t> block_at(program.size(), NONE), function_at(program.size(), NONE);
  uint32_t blocks = 0;
  for (uint32_t i = 0; i < program.size(); i++) {
    if ((*leaders)[i] == NO_LEADER) continue;
    block_at[i] = blocks++;
    if ((*leaders)[i] == BLOCK_LEADER) continue;
    function_at[i] = static_cast<uint32_t>(cfg.functions.size());
    cfg.functions.push_back({block_at[i], i});
  }
  cfg.blocks.resize(blocks);
  for (uint32_t i = 0, function = 0; i < program.size();) {
    const uint32_t start = i;
    do i++;
    while (i < program.size() && (*leaders)[i] == NO_LEADER);
    if ((*leaders)[start] == FUNCTION_LEADER) function = function_at[start];
    cfg.blocks[block_at[start]] = build_block(program, {start, i, function}, block_at, function_at);
  }
  return cfg;
}

uint32_t thread_jump(const ControlFlowGraph& cfg, uint32_t block) {
  // the bound is for cycles of empty blocks
  for (size_t steps = 0; steps < cfg.blocks.size(); steps++) {
    const BasicBlock& at = cfg.blocks[block];
    if (at.fallthrough == NONE || at.branch_target != NONE || !is_empty(at)) break;
    block = at.fallthrough;
  }
  return block;
}

}  // namespace polytrace

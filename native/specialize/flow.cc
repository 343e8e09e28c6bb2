#include "flow.h"

#include <algorithm>

namespace polytrace {

namespace {

constexpr uint8_t MAY_GOTO = 0xe0;  // BPF_JCOND

int64_t distance_of(const bpf_insn& jump) {
  return jump.code == (BPF_JMP32 | BPF_JA) ? jump.imm : jump.off;
}

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
  if (kind_of(each) == BPF_LD) return false;
  if (is_atomic(each)) return is_known_atomic(each.imm);
  return !is_any_jump(each) || BPF_OP(each.code) != MAY_GOTO;
}

enum Start : uint8_t { NO_START, OF_BLOCK, OF_FUNCTION };

// For each instruction, whether a block or a function begins there.
std::optional<std::vector<Start>> find_starts(std::span<const bpf_insn> program) {
  const auto count = static_cast<int64_t>(program.size());
  std::vector<Start> starts(program.size(), NO_START);
  const auto note = [&](int64_t at, Start start) { starts[at] = std::max(starts[at], start); };
  if (program.empty()) return std::nullopt;
  note(0, OF_FUNCTION);
  for (int64_t i = 0; i < count; i++) {
    const bpf_insn& each = program[i];
    if (!is_known(each)) return std::nullopt;
    const bool names_function = is_own_call(each) || is_callback(each);
    if (is_any_jump(each) || names_function) {
      const int64_t target = i + 1 + (names_function ? each.imm : distance_of(each));
      if (target < 0 || target >= count) return std::nullopt;
      note(target, names_function ? OF_FUNCTION : OF_BLOCK);
    }
    if ((is_any_jump(each) || is_exit(each)) && i + 1 < count) note(i + 1, OF_BLOCK);
    if (is_wide(each) && ++i == count) return std::nullopt;
  }
  return starts;
}

struct Extent {
  uint32_t start, end;
  uint32_t function;
};

Block block_of(std::span<const bpf_insn> program, Extent extent, const std::vector<uint32_t>& block_at,
               const std::vector<uint32_t>& function_at) {
  Block block = {.instructions = {}, .function = extent.function, .place = extent.start};
  block.instructions.reserve(extent.end - extent.start);
  for (uint32_t i = extent.start; i < extent.end; i++) {
    Instruction each = {.code = program[i], .place = i};
    if (is_own_call(each.code) || is_callback(each.code)) each.callee = function_at[i + 1 + each.code.imm];
    if (is_any_jump(each.code)) block.taken = block_at[i + 1 + distance_of(each.code)];
    if (is_wide(each.code)) each.upper = program[++i].imm;
    if (!is_goto(each.code)) block.instructions.push_back(each);
  }
  const bpf_insn& last = program[extent.end - 1];
  if (is_goto(last)) std::swap(block.next, block.taken);
  else if (!is_exit(last) && extent.end < program.size()) block.next = block_at[extent.end];
  return block;
}

bool ends_alone(const Block& block) {
  for (const Instruction& each : block.instructions) {
    if (!each.removed) return false;
  }
  return true;
}

class Assembler {
 public:
  explicit Assembler(const Flow& flow) : flow_(flow), at_(flow.blocks.size(), NOWHERE) {}

  AssembledCode assemble() {
    result_.functions.assign(flow_.functions.size(), NOWHERE);
    wanted_.push_back(0);
    for (size_t i = 0; i < wanted_.size(); i++) put_function(wanted_[i]);
    for (const auto& [from, block] : jumps_) result_.instructions[from].off = static_cast<int16_t>(at_[block] - from - 1);
    for (const auto& [from, function] : calls_) {
      result_.instructions[from].imm = static_cast<int32_t>(result_.functions[function] - from - 1);
    }
    return std::move(result_);
  }

 private:
  uint32_t position() const { return static_cast<uint32_t>(result_.instructions.size()); }

  void put_function(uint32_t function) {
    result_.functions[function] = position();
    std::vector<uint32_t> pending = {settled(flow_, flow_.functions[function].first_block)};
    while (!pending.empty()) {
      uint32_t block = pending.back();
      pending.pop_back();
      while (block != NOWHERE && at_[block] == NOWHERE) block = put_block(block, pending);
    }
  }

  // Returns the block that must follow.
  uint32_t put_block(uint32_t index, std::vector<uint32_t>& pending) {
    const Block& block = flow_.blocks[index];
    at_[index] = position();
    for (const Instruction& each : block.instructions) {
      if (!each.removed) put(each);
    }
    if (block.taken != NOWHERE) {
      const uint32_t taken = settled(flow_, block.taken);
      jumps_.emplace_back(position() - 1, taken);
      pending.push_back(taken);
    }
    if (block.next == NOWHERE) return NOWHERE;
    const uint32_t next = settled(flow_, block.next);
    if (at_[next] != NOWHERE) {
      jumps_.emplace_back(position(), next);
      add({.code = BPF_JMP | BPF_JA, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}, block.place);
    }
    return next;
  }

  void put(const Instruction& each) {
    if (each.callee != NOWHERE) {
      calls_.emplace_back(position(), each.callee);
      bool is_new = true;
      for (const uint32_t function : wanted_) is_new = is_new && function != each.callee;
      if (is_new) wanted_.push_back(each.callee);
    }
    add(each.code, each.place);
    if (is_wide(each.code)) add({.code = 0, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = each.upper}, each.place);
  }

  void add(const bpf_insn& code, uint32_t place) {
    result_.instructions.push_back(code);
    result_.places.push_back(place);
  }

  const Flow& flow_;
  std::vector<uint32_t> at_;      // where each block is in the result
  std::vector<uint32_t> wanted_;  // functions
  std::vector<std::pair<uint32_t, uint32_t>> jumps_, calls_;
  AssembledCode result_;
};

}  // namespace

std::optional<Flow> split(std::span<const bpf_insn> program) {
  const std::optional<std::vector<Start>> starts = find_starts(program);
  if (!starts) return std::nullopt;
  Flow flow;
  std::vector<uint32_t> block_at(program.size(), NOWHERE), function_at(program.size(), NOWHERE);
  uint32_t blocks = 0;
  for (uint32_t i = 0; i < program.size(); i++) {
    if ((*starts)[i] == NO_START) continue;
    block_at[i] = blocks++;
    if ((*starts)[i] == OF_BLOCK) continue;
    function_at[i] = static_cast<uint32_t>(flow.functions.size());
    flow.functions.push_back({block_at[i], i});
  }
  flow.blocks.resize(blocks);
  for (uint32_t i = 0, function = 0; i < program.size();) {
    const uint32_t start = i;
    do i++;
    while (i < program.size() && (*starts)[i] == NO_START);
    if ((*starts)[start] == OF_FUNCTION) function = function_at[start];
    flow.blocks[block_at[start]] = block_of(program, {start, i, function}, block_at, function_at);
  }
  return flow;
}

uint32_t settled(const Flow& flow, uint32_t block) {
  for (size_t steps = 0; steps < flow.blocks.size(); steps++) {
    const Block& at = flow.blocks[block];
    if (at.next == NOWHERE || at.taken != NOWHERE || !ends_alone(at)) break;
    block = at.next;
  }
  return block;
}

AssembledCode assemble(const Flow& flow) { return Assembler(flow).assemble(); }

}  // namespace polytrace

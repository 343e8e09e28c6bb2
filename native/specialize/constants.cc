#include "constants.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

namespace polytrace {

namespace {

constexpr int REGISTERS = MAX_BPF_REG;
constexpr uint8_t SIGN_EXTENDING = 0x80;  // BPF_MEMSX

// Knowledge of a value.
struct Fact {
  enum Kind : uint8_t {
    ANYTHING,
    CONSTANT,
    NOT_ZERO,          // a number, or a pointer
    IN_CONFIGURATION,  // a pointer
    IN_STACK,          // a pointer; the offset is negative
  };
  Kind kind = ANYTHING;
  uint64_t bits = 0;  // the number, or the offset

  bool operator==(const Fact&) const = default;
  bool is(Kind other) const { return kind == other; }
};

constexpr Fact constant(uint64_t bits) { return {Fact::CONSTANT, bits}; }

// A variable in the stack. One of eight bytes has its second unit empty.
struct Slot {
  Fact fact;
  uint32_t width = 0;

  bool operator==(const Slot&) const = default;
};

struct State {
  std::array<Fact, REGISTERS> registers;
  std::array<Slot, UNITS> slots;
};

// ---- arithmetic -----------------------------------------------------------------------------------------------

uint64_t sign_extended(uint64_t value, uint32_t bytes) {
  const uint32_t shift = 64 - 8 * bytes;
  return static_cast<uint64_t>(static_cast<int64_t>(value << shift) >> shift);
}

std::optional<uint64_t> computed_64(uint8_t operation, uint64_t a, uint64_t b) {
  switch (operation) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_OR: return a | b;
    case BPF_AND: return a & b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return a << (b & 63);
    case BPF_RSH: return a >> (b & 63);
    case BPF_ARSH: return static_cast<uint64_t>(static_cast<int64_t>(a) >> (b & 63));
    case BPF_NEG: return -a;
    default: return std::nullopt;
  }
}

std::optional<uint64_t> computed_32(uint8_t operation, uint32_t a, uint32_t b) {
  switch (operation) {
    case BPF_LSH: return a << (b & 31);
    case BPF_RSH: return a >> (b & 31);
    case BPF_ARSH: return static_cast<uint32_t>(static_cast<int32_t>(a) >> (b & 31));
    default: break;
  }
  const std::optional<uint64_t> wide = computed_64(operation, a, b);
  if (!wide) return wide;
  return static_cast<uint32_t>(*wide);
}

bool compared(uint8_t operation, uint64_t a, uint64_t b, bool is_64) {
  if (!is_64) {
    a = static_cast<uint32_t>(a);
    b = static_cast<uint32_t>(b);
  }
  const auto signed_a = static_cast<int64_t>(is_64 ? a : sign_extended(a, 4));
  const auto signed_b = static_cast<int64_t>(is_64 ? b : sign_extended(b, 4));
  switch (operation) {
    case BPF_JEQ: return a == b;
    case BPF_JNE: return a != b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    case BPF_JLT: return a < b;
    case BPF_JLE: return a <= b;
    case BPF_JSGT: return signed_a > signed_b;
    case BPF_JSGE: return signed_a >= signed_b;
    case BPF_JSLT: return signed_a < signed_b;
    case BPF_JSLE: return signed_a <= signed_b;
    default: return (a & b) != 0;  // BPF_JSET
  }
}

// ---- instructions ---------------------------------------------------------------------------------------------

bool fits(uint64_t bits) { return sign_extended(bits, 4) == bits; }

class Constants {
 public:
  Constants(Flow& flow, const Configuration& configuration)
      : flow_(flow), configuration_(configuration), lowest_(flow.functions.size(), 0) {}

  std::vector<int32_t> put() {
    for (Block& block : flow_.blocks) {
      std::erase_if(block.instructions, [](const Instruction& each) { return each.removed; });
    }
    // what is known of variables counts only if no pointer leads to them
    std::vector<int32_t> before;
    do {
      before = lowest_;
      follow_all();
    } while (lowest_ != before);
    for (uint32_t block = 0; block < flow_.blocks.size(); block++) {
      if (known_[block]) rewrite(block);
      else flow_.blocks[block] = {};
    }
    return lowest_;
  }

 private:
  // ---- the whole program

  void follow_all() {
    known_.clear();
    known_.resize(flow_.blocks.size());
    reach(flow_.functions[0].first_block, at_start());
    while (!waiting_.empty()) {
      const uint32_t block = waiting_.back();
      waiting_.pop_back();
      follow(block);
    }
  }

  // The state where a function begins whose parameters are not known.
  static State at_start() {
    State state;
    state.registers[BPF_REG_10] = {Fact::IN_STACK, 0};
    return state;
  }

  void reach(uint32_t block, const State& state) {
    std::unique_ptr<State>& known = known_[block];
    if (!known) {
      known = std::make_unique<State>(state);
      waiting_.push_back(block);
    } else if (join(*known, state, flow_.blocks[block].function)) {
      waiting_.push_back(block);
    }
  }

  bool join(State& known, const State& other, uint32_t function) {
    bool changed = false;
    for (int i = 0; i < REGISTERS; i++) changed |= join(known.registers[i], other.registers[i], function);
    for (int i = 0; i < UNITS; i++) {
      Slot& slot = known.slots[i];
      if (slot == other.slots[i] || slot == Slot{}) continue;
      Fact fact = slot.fact;
      join(fact, other.slots[i].fact, function);
      slot = {};
      changed = true;
    }
    return changed;
  }

  bool join(Fact& known, const Fact& other, uint32_t function) {
    if (known == other) return false;
    note_lost(known, function);
    note_lost(other, function);
    if (known.is(Fact::ANYTHING)) return false;
    known = {};
    return true;
  }

  void follow(uint32_t index) {
    State state = *known_[index];
    const Block& block = flow_.blocks[index];
    for (const Instruction& each : block.instructions) run(each, state, block.function);
    const std::optional<bool> decided = decision(block, state);
    if (block.taken != NOWHERE && decided != false) reach(block.taken, with_test(block, state, BPF_JNE));
    if (block.next != NOWHERE && decided != true) reach(block.next, with_test(block, state, BPF_JEQ));
  }

  // The state where the comparison at the end of a block, if it is this one, has shown that a register is not 0.
  static State with_test(const Block& block, State state, uint8_t comparison) {
    if (block.taken == NOWHERE) return state;
    const bpf_insn& jump = block.instructions.back().code;
    if (jump.code != (BPF_JMP | comparison | BPF_K) || jump.imm != 0) return state;
    Fact& fact = state.registers[jump.dst_reg];
    if (fact.is(Fact::ANYTHING)) fact = {Fact::NOT_ZERO, 0};
    return state;
  }

  // Returns true if the conditional jump at the end of the block is always taken, false if never, else nothing.
  std::optional<bool> decision(const Block& block, const State& after) const {
    if (block.taken == NOWHERE) return std::nullopt;
    const bpf_insn& jump = block.instructions.back().code;
    const Fact &a = after.registers[jump.dst_reg], b = operand_of(jump, after);
    const uint8_t comparison = BPF_OP(jump.code);
    if (a.is(Fact::NOT_ZERO) && b == constant(0) && kind_of(jump) == BPF_JMP) {
      if (comparison == BPF_JEQ || comparison == BPF_JNE) return comparison == BPF_JNE;
    }
    if (!a.is(Fact::CONSTANT) || !b.is(Fact::CONSTANT)) return std::nullopt;
    return compared(comparison, a.bits, b.bits, kind_of(jump) == BPF_JMP);
  }

  static Fact operand_of(const bpf_insn& each, const State& state) {
    if (BPF_SRC(each.code) == BPF_X) return state.registers[each.src_reg];
    return constant(sign_extended(static_cast<uint32_t>(each.imm), 4));
  }

  // ---- pointers into the stack

  void note_pointer(uint32_t function, int64_t offset) {
    lowest_[function] = static_cast<int32_t>(std::clamp<int64_t>(offset, -STACK_BYTES, lowest_[function]));
  }

  // A pointer that is no longer followed. One that was made for a variable was noted then.
  void note_lost(const Fact& fact, uint32_t function) {
    if (fact.is(Fact::IN_STACK) && fact.bits == 0) note_pointer(function, -STACK_BYTES);
  }

  // The offset in the stack where the instruction reads or writes it, if only register 10 leads there.
  std::optional<int64_t> variable_at(uint8_t base, const State& state, const bpf_insn& each, uint32_t function) {
    if (!state.registers[base].is(Fact::IN_STACK)) return std::nullopt;
    const int64_t offset = static_cast<int64_t>(state.registers[base].bits) + each.off;
    if (base != BPF_REG_10) {
      note_pointer(function, offset);
      return std::nullopt;
    }
    const bool is_own = offset >= -STACK_BYTES && offset % UNIT == 0 && offset + width_of(each) <= lowest_[function];
    return is_own ? std::optional(offset) : std::nullopt;
  }

  static int unit_of(int64_t offset) { return static_cast<int>((STACK_BYTES + offset) / UNIT); }

  static void forget(State& state, int64_t offset, uint32_t width) {
    const int first = unit_of(offset), last = unit_of(offset + width - 1);
    if (first > 0 && state.slots[first - 1].width > UNIT) state.slots[first - 1] = {};
    for (int i = first; i <= last; i++) state.slots[i] = {};
  }

  // ---- one instruction

  void run(const Instruction& each, State& state, uint32_t function) {
    const bpf_insn& code = each.code;
    if (is_callback(code)) {
      reach(flow_.functions[each.callee].first_block, at_start());
      state.registers[code.dst_reg] = {};
    } else if (only_sets_register(code)) {
      const Fact result = result_of(each, state, function);
      if (result.is(Fact::IN_STACK)) note_pointer(function, static_cast<int64_t>(result.bits));
      state.registers[code.dst_reg] = result;
    } else if (is_store(code)) {
      store(code, state, function);
    } else if (is_call(code)) {
      call(each, state, function);
    }
  }

  void store(const bpf_insn& code, State& state, uint32_t function) {
    const Fact base = state.registers[code.dst_reg];
    const Fact value = kind_of(code) == BPF_STX ? state.registers[code.src_reg]
                                                : constant(sign_extended(static_cast<uint32_t>(code.imm), 4));
    const uint32_t width = width_of(code);
    const std::optional<int64_t> variable = variable_at(code.dst_reg, state, code, function);
    note_lost(value, function);
    if (is_atomic(code)) {
      if (variable) forget(state, *variable, width);
      if ((code.imm & BPF_FETCH) != 0) state.registers[code.imm == BPF_CMPXCHG ? uint8_t{BPF_REG_0} : code.src_reg] = {};
      return;
    }
    if (!variable) {
      if (base.is(Fact::IN_STACK)) forget_within(state, static_cast<int64_t>(base.bits) + code.off, width);
      return;
    }
    forget(state, *variable, width);
    const bool is_kept = width == 8 || (width == 4 && value.is(Fact::CONSTANT));
    if (is_kept) state.slots[unit_of(*variable)] = {value, width};
  }

  // A store that is not aligned, or to where pointers lead.
  static void forget_within(State& state, int64_t offset, uint32_t width) {
    const int64_t first = std::max<int64_t>(offset, -STACK_BYTES), last = std::min<int64_t>(offset + width, 0);
    if (first < last) forget(state, first, static_cast<uint32_t>(last - first));
  }

  void call(const Instruction& each, State& state, uint32_t function) {
    for (int i = BPF_REG_1; i <= BPF_REG_5; i++) note_lost(state.registers[i], function);
    if (each.callee != NOWHERE) {
      State given = at_start();
      for (int i = BPF_REG_1; i <= BPF_REG_5; i++) {
        // the stack of the caller is not that of the function, and the kernel checks a global function with null, too
        if (!state.registers[i].is(Fact::IN_STACK) && !state.registers[i].is(Fact::NOT_ZERO)) given.registers[i] = state.registers[i];
      }
      reach(flow_.functions[each.callee].first_block, given);
    }
    for (int i = BPF_REG_0; i <= BPF_REG_5; i++) state.registers[i] = {};
  }

  Fact result_of(const Instruction& each, const State& state, uint32_t function) {
    const bpf_insn& code = each.code;
    if (is_wide(code)) return wide_constant(each);
    if (is_load(code)) return loaded(code, state, function);
    return arithmetic(code, state, function);
  }

  Fact wide_constant(const Instruction& each) const {
    const bpf_insn& code = each.code;
    if (code.src_reg == BPF_PSEUDO_MAP_VALUE && code.imm == configuration_.map) {
      return {Fact::IN_CONFIGURATION, static_cast<uint32_t>(each.upper)};
    }
    if (code.src_reg != 0) return {};
    return constant(static_cast<uint32_t>(code.imm) | static_cast<uint64_t>(static_cast<uint32_t>(each.upper)) << 32);
  }

  Fact loaded(const bpf_insn& code, const State& state, uint32_t function) {
    const Fact base = state.registers[code.src_reg];
    const uint32_t width = width_of(code);
    std::optional<uint64_t> bits;
    if (base.is(Fact::IN_CONFIGURATION)) {
      const uint64_t offset = base.bits + static_cast<uint64_t>(static_cast<int64_t>(code.off));
      if (offset > configuration_.bytes.size() || configuration_.bytes.size() - offset < width) return {};
      bits = 0;
      std::memcpy(&*bits, configuration_.bytes.data() + offset, width);
    } else if (const std::optional<int64_t> variable = variable_at(code.src_reg, state, code, function)) {
      const Slot& slot = state.slots[unit_of(*variable)];
      if (slot.width == 8 && width == 8) return slot.fact;
      if (slot.width < width || !slot.fact.is(Fact::CONSTANT)) return {};
      bits = width == 8 ? slot.fact.bits : slot.fact.bits & ((1ULL << (8 * width)) - 1);
    }
    if (!bits) return {};
    return constant(BPF_MODE(code.code) == SIGN_EXTENDING ? sign_extended(*bits, width) : *bits);
  }

  Fact arithmetic(const bpf_insn& code, const State& state, uint32_t function) {
    const uint8_t operation = BPF_OP(code.code);
    const bool is_64 = kind_of(code) == BPF_ALU64;
    const Fact a = state.registers[code.dst_reg], b = operand_of(code, state);
    if (code.off != 0 || operation == BPF_END) return {};
    if (operation == BPF_MOV) {
      if (is_64) return b;
      note_lost(b, function);
      return b.is(Fact::CONSTANT) ? constant(static_cast<uint32_t>(b.bits)) : Fact{};
    }
    if (a.is(Fact::CONSTANT) && (b.is(Fact::CONSTANT) || operation == BPF_NEG)) {
      const auto bits = is_64 ? computed_64(operation, a.bits, b.bits)
                              : computed_32(operation, static_cast<uint32_t>(a.bits), static_cast<uint32_t>(b.bits));
      return bits ? constant(*bits) : Fact{};
    }
    if (is_64 && operation == BPF_ADD) {
      if (is_pointer(a) && b.is(Fact::CONSTANT)) return {a.kind, a.bits + b.bits};
      if (is_pointer(b) && a.is(Fact::CONSTANT)) return {b.kind, a.bits + b.bits};
    }
    // an unknown place in the stack
    if (a.is(Fact::IN_STACK) || (b.is(Fact::IN_STACK) && operation != BPF_NEG)) note_pointer(function, -STACK_BYTES);
    return {};
  }

  static bool is_pointer(const Fact& fact) { return fact.is(Fact::IN_CONFIGURATION) || fact.is(Fact::IN_STACK); }

  // ---- the changes

  void rewrite(uint32_t index) {
    Block& block = flow_.blocks[index];
    State state = *known_[index];
    for (Instruction& each : block.instructions) {
      const Instruction was = each;
      if (only_sets_register(each.code)) put_result(each, result_of(each, state, block.function));
      if (is_arithmetic(each.code) || is_conditional(each.code)) put_operand(each.code, state);
      run(was, state, block.function);
    }
    const std::optional<bool> decided = decision(block, state);
    if (!decided) return;
    block.instructions.back().removed = true;
    if (*decided) block.next = block.taken;
    block.taken = NOWHERE;
  }

  void put_result(Instruction& each, const Fact& result) const {
    bpf_insn& code = each.code;
    if (result.is(Fact::CONSTANT) && !is_move_of_constant(code)) {
      const auto imm = static_cast<int32_t>(result.bits);
      const uint8_t width = fits(result.bits) ? BPF_ALU64 : BPF_ALU;
      if (width == BPF_ALU && result.bits > UINT32_MAX) return;
      code = {.code = static_cast<uint8_t>(width | BPF_MOV | BPF_K), .dst_reg = code.dst_reg, .src_reg = 0, .off = 0,
              .imm = imm};
    } else if (result.is(Fact::IN_CONFIGURATION) && result.bits < configuration_.bytes.size()) {
      each.upper = static_cast<int32_t>(result.bits);
      code = {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = code.dst_reg, .src_reg = BPF_PSEUDO_MAP_VALUE, .off = 0,
              .imm = configuration_.map};
    }
  }

  static bool is_move_of_constant(const bpf_insn& code) {
    return is_arithmetic(code) && BPF_OP(code.code) == BPF_MOV && BPF_SRC(code.code) == BPF_K;
  }

  // The same comparison with its operands exchanged.
  static void exchange(bpf_insn& jump) {
    const uint8_t first = jump.dst_reg;
    jump.dst_reg = jump.src_reg;
    jump.src_reg = first;
    jump.code = static_cast<uint8_t>((jump.code & ~0xf0) | exchanged(BPF_OP(jump.code)));
  }

  static uint8_t exchanged(uint8_t comparison) {
    switch (comparison) {
      case BPF_JGT: return BPF_JLT;
      case BPF_JGE: return BPF_JLE;
      case BPF_JLT: return BPF_JGT;
      case BPF_JLE: return BPF_JGE;
      case BPF_JSGT: return BPF_JSLT;
      case BPF_JSGE: return BPF_JSLE;
      case BPF_JSLT: return BPF_JSGT;
      case BPF_JSLE: return BPF_JSGE;
      default: return comparison;
    }
  }

  // A constant operand goes into the instruction. The kernel refuses shifts by too much, and divisions by zero.
  static void put_operand(bpf_insn& code, const State& state) {
    if (is_conditional(code) && BPF_SRC(code.code) == BPF_X && state.registers[code.dst_reg].is(Fact::CONSTANT)) exchange(code);
    const uint8_t operation = BPF_OP(code.code);
    if (BPF_SRC(code.code) != BPF_X || (is_arithmetic(code) && operation == BPF_END)) return;
    const Fact operand = state.registers[code.src_reg];
    // an offset of arithmetic is another operation
    if (!operand.is(Fact::CONSTANT) || (is_arithmetic(code) && code.off != 0)) return;
    const bool is_64 = kind_of(code) == BPF_ALU64 || kind_of(code) == BPF_JMP;
    if (is_64 && !fits(operand.bits)) return;
    if (is_arithmetic(code)) {
      const bool is_shift = operation == BPF_LSH || operation == BPF_RSH || operation == BPF_ARSH;
      if (operation == BPF_DIV || operation == BPF_MOD || operation == BPF_NEG) return;
      if (is_shift && operand.bits >= (is_64 ? 64 : 32)) return;
    }
    code.code &= static_cast<uint8_t>(~BPF_X);
    code.src_reg = 0;
    code.imm = static_cast<int32_t>(operand.bits);
  }

  Flow& flow_;
  const Configuration& configuration_;
  std::vector<int32_t> lowest_;              // see put_constants()
  std::vector<std::unique_ptr<State>> known_;  // before each block; null: it cannot be reached
  std::vector<uint32_t> waiting_;
};

}  // namespace

std::vector<int32_t> put_constants(Flow& flow, const Configuration& configuration) {
  return Constants(flow, configuration).put();
}

}  // namespace polytrace

// optimizer SEED COUNT: generates COUNT random BPF programs, specializes each for its configuration, and runs both in
// an interpreter. Both must call the same functions with the same values and return the same. Prints the total numbers
// of instructions before and after.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "optimizer/code_layout.h"
#include "optimizer/control_flow_graph.h"
#include "optimizer/optimize.h"

using namespace polytrace;

namespace {

constexpr int MAP = 7;
constexpr uint8_t SIGN_EXTENDING = 0x80;  // BPF_MEMSX
constexpr uint64_t CONFIGURATION_AT = 0x50000000, CONTEXT_AT = 0x60000000, STACK_AT = 0x70000000;
constexpr uint32_t FRAME_BYTES = 0x1000, BYTES = 64;
constexpr int HELPER = 5;  // its five parameters are recorded
constexpr int HELPER_WITH_TWO_PARAMETERS = BPF_FUNC_map_lookup_elem;
constexpr int HELPER_THAT_CALLS = BPF_FUNC_loop;  // calls its second parameter twice, with its third
constexpr int HELPER_THAT_WRITES = BPF_FUNC_probe_read_kernel;

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  std::abort();
}

// ---- random programs

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  std::vector<uint8_t> random_bytes() {
    std::vector<uint8_t> result(BYTES);
    for (uint8_t& each : result) each = chance(2) ? 0 : static_cast<uint8_t>(random_number(256));
    return result;
  }

  std::vector<bpf_insn> random_program() {
    const uint32_t helpers = random_number(3);
    add_function(true, helpers);
    for (uint32_t i = 0; i < helpers; i++) {
      starts_.push_back(size());
      add_function(false, 0);
    }
    for (const auto& [from, function] : calls_) code_[from].imm = static_cast<int32_t>(starts_[function] - from - 1);
    return code_;
  }

 private:
  uint32_t random_number(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  bool chance(uint32_t one_in) { return random_number(one_in) == 0; }
  uint32_t size() const { return static_cast<uint32_t>(code_.size()); }
  uint8_t random_register() { return static_cast<uint8_t>(random_number(6)); }
  uint8_t random_value_register() { return chance(3) ? uint8_t{BPF_REG_9} : random_register(); }
  uint8_t random_width() { return std::vector<uint8_t>{BPF_B, BPF_H, BPF_W, BPF_DW, BPF_DW}[random_number(5)]; }
  static int16_t align_offset(uint32_t at, uint8_t size) {
    const uint32_t below = size == BPF_DW ? 7 : size == BPF_W ? 3 : 1;
    return static_cast<int16_t>(at & ~below);
  }

  void add(uint8_t code, uint8_t to, uint8_t from, int16_t off, int32_t imm) {
    const auto target = static_cast<uint8_t>(to & 15), source = static_cast<uint8_t>(from & 15);
    code_.push_back({.code = code, .dst_reg = target, .src_reg = source, .off = off, .imm = imm});
  }
  void add_move(uint8_t to, uint8_t from) { add(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
  void add_wide(uint8_t to, uint8_t kind, int32_t imm, int32_t upper) {
    add(BPF_LD | BPF_IMM | BPF_DW, to, kind, 0, imm);
    add(0, 0, 0, 0, upper);
  }

  // Registers 0 to 5 are values, 6 the context, 7 counts a loop, 8 is a scratch pointer, 9 keeps a value over calls.
  void set_register(uint8_t to) {
    switch (random_number(4)) {
      case 0: add(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, static_cast<int32_t>(random_number(5)) - 2); break;
      case 1: add(BPF_LDX | BPF_MEM | BPF_DW, to, BPF_REG_6, align_offset(random_number(BYTES - 8), BPF_DW), 0); break;
      case 2: add_wide(to, 0, static_cast<int32_t>(random_()), static_cast<int32_t>(random_number(3))); break;
      default: load_configuration(to); break;
    }
  }
  void load_configuration(uint8_t to) {
    const uint8_t size = random_width();
    add_wide(BPF_REG_8, BPF_PSEUDO_MAP_VALUE, MAP, static_cast<int32_t>(random_number(16)));
    if (chance(2)) add(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_8, 0, 0, static_cast<int32_t>(random_number(16)));
    const uint8_t mode = chance(5) && size != BPF_DW ? SIGN_EXTENDING : BPF_MEM;
    add(BPF_LDX | mode | size, to, BPF_REG_8, static_cast<int16_t>(random_number(16)), 0);
  }

  void add_function(bool is_program, uint32_t helpers) {
    add_move(BPF_REG_6, BPF_REG_1);
    if (!is_program) add_move(BPF_REG_9, BPF_REG_2);
    pointers_from_ =
        static_cast<int32_t>(8 * random_number(5));  // the upper part of the stack is accessed through pointers
    for (uint8_t i = 0; i < 6; i++) set_register(i);
    if (is_program) set_register(BPF_REG_9);
    for (int32_t at = 8; at <= static_cast<int32_t>(BYTES); at += 8) {
      add(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, random_register(), static_cast<int16_t>(-at), 0);
    }
    add_statements(4 + random_number(24), helpers, 2);
    add(BPF_ALU64 | BPF_XOR | BPF_X, BPF_REG_0, BPF_REG_9, 0, 0);
    add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }

  void add_statements(uint32_t count, uint32_t helpers, uint32_t depth) {
    for (uint32_t i = 0; i < count; i++) add_statement(helpers, depth);
  }

  void add_statement(uint32_t helpers, uint32_t depth) {
    switch (random_number(12)) {
      case 0:
      case 1: set_register(random_register()); break;
      case 2:
      case 3: add_arithmetic(); break;
      case 4:
      case 5: add_slot_access(); break;
      case 6: add_pointer_access(); break;
      case 7: add_call(helpers); break;
      case 8:
        if (depth > 0) add_loop(helpers, depth);
        break;
      case 9: add_move(random_value_register(), random_value_register()); break;
      default:
        if (depth > 0) add_branch(helpers, depth);
        break;
    }
  }

  void add_arithmetic() {
    static constexpr uint8_t OPERATIONS[] = {BPF_ADD, BPF_SUB, BPF_MUL,  BPF_OR,  BPF_AND, BPF_XOR, BPF_MOV,
                                             BPF_LSH, BPF_RSH, BPF_ARSH, BPF_NEG, BPF_DIV, BPF_MOD};
    const uint8_t operation = OPERATIONS[random_number(sizeof(OPERATIONS))];
    const bool is_shift = operation == BPF_LSH || operation == BPF_RSH || operation == BPF_ARSH;
    const bool divides = operation == BPF_DIV || operation == BPF_MOD;
    const uint8_t kind = chance(2) ? BPF_ALU : BPF_ALU64;
    const auto imm =
        is_shift || divides ? static_cast<int32_t>(1 + random_number(31)) : static_cast<int32_t>(random_number(9)) - 4;
    const bool has_source = operation != BPF_NEG && chance(2);
    add(kind | operation | (has_source ? BPF_X : BPF_K), random_register(), has_source ? random_register() : 0, 0,
        has_source || operation == BPF_NEG ? 0 : imm);
  }

  // Accesses the lower part of the stack.
  void add_slot_access() {
    const uint8_t size = random_width();
    const auto room = BYTES - static_cast<uint32_t>(pointers_from_) - 8;
    const auto offset = static_cast<int16_t>(align_offset(random_number(room), size) - static_cast<int32_t>(BYTES));
    switch (random_number(4)) {
      case 0: add(BPF_STX | BPF_MEM | size, BPF_REG_10, random_register(), offset, 0); break;
      case 1: add(BPF_ST | BPF_MEM | size, BPF_REG_10, 0, offset, static_cast<int32_t>(random_number(7)) - 3); break;
      case 2: add_atomic(offset); break;
      default: add(BPF_LDX | BPF_MEM | size, random_register(), BPF_REG_10, offset, 0); break;
    }
  }
  void add_atomic(int16_t offset) {
    static constexpr int32_t OPERATIONS[] = {BPF_ADD, BPF_ADD | BPF_FETCH, BPF_XCHG, BPF_CMPXCHG};
    add(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_10, random_register(), static_cast<int16_t>(offset & ~7),
        OPERATIONS[random_number(4)]);
  }

  void load_stack_pointer(uint8_t to) {
    add_move(to, BPF_REG_10);
    add(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, -pointers_from_);
  }
  void add_pointer_access() {
    if (pointers_from_ < 8) return;
    const uint8_t size = random_width();
    const int16_t offset = align_offset(random_number(static_cast<uint32_t>(pointers_from_) - 7), size);
    load_stack_pointer(BPF_REG_8);
    switch (random_number(3)) {
      case 0: add(BPF_STX | BPF_MEM | size, BPF_REG_8, random_register(), offset, 0); break;
      case 1: add(BPF_LDX | BPF_MEM | size, random_register(), BPF_REG_8, offset, 0); break;
      default:
        add(BPF_LDX | BPF_MEM | size, random_register(), BPF_REG_10, static_cast<int16_t>(offset - pointers_from_), 0);
    }
  }

  void add_call(uint32_t helpers) {
    if (helpers > 0 && chance(2)) {
      add_move(BPF_REG_2, random_register());
      add_move(BPF_REG_1, BPF_REG_6);
      calls_.emplace_back(size(), random_number(helpers));
      add(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
    } else if (helpers > 0 && chance(2)) {
      add_move(BPF_REG_3, BPF_REG_6);
      calls_.emplace_back(size(), random_number(helpers));
      add_wide(BPF_REG_2, BPF_PSEUDO_FUNC, 0, 0);
      add(BPF_JMP | BPF_CALL, 0, 0, 0, HELPER_THAT_CALLS);
    } else if (pointers_from_ >= 16 && chance(2)) {
      load_stack_pointer(BPF_REG_1);
      add(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, static_cast<int32_t>(random_number(17)));
      add(BPF_JMP | BPF_CALL, 0, 0, 0, HELPER_THAT_WRITES);
    } else {
      add(BPF_JMP | BPF_CALL, 0, 0, 0, chance(2) ? HELPER : HELPER_WITH_TWO_PARAMETERS);
    }
    for (uint8_t i = BPF_REG_1; i <= BPF_REG_5; i++) set_register(i);
  }

  uint32_t add_condition() {
    static constexpr uint8_t OPERATIONS[] = {BPF_JEQ,  BPF_JNE,  BPF_JGT,  BPF_JGE,  BPF_JLT, BPF_JLE,
                                             BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET};
    const uint8_t kind = chance(2) ? BPF_JMP : BPF_JMP32;
    const uint8_t left = random_register(), operation = OPERATIONS[random_number(sizeof(OPERATIONS))];
    if (chance(2)) load_configuration(left);
    if (chance(2)) add(kind | operation | BPF_X, left, random_register(), 0, 0);
    else add(kind | operation | BPF_K, left, 0, 0, static_cast<int32_t>(random_number(5)) - 1);
    return size() - 1;
  }
  void set_jump_target(uint32_t jump) { code_[jump].off = static_cast<int16_t>(size() - jump - 1); }

  void add_branch(uint32_t helpers, uint32_t depth) {
    const uint32_t first = add_condition();
    add_statements(random_number(5), helpers, depth - 1);
    const uint32_t over = size();
    add(BPF_JMP | BPF_JA, 0, 0, 0, 0);
    set_jump_target(first);
    add_statements(random_number(5), helpers, depth - 1);
    set_jump_target(over);
  }

  // Only outermost loops are generated: an inner loop would need another counter than register 7.
  void add_loop(uint32_t helpers, uint32_t depth) {
    if (depth < 2) return;
    add(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_7, 0, 0, static_cast<int32_t>(random_number(4)));
    const uint32_t start = size();
    add(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7, 0, 0, 0);
    add(BPF_ALU64 | BPF_SUB | BPF_K, BPF_REG_7, 0, 0, 1);
    add_statements(1 + random_number(5), helpers, depth - 1);
    const auto back = static_cast<int16_t>(static_cast<int32_t>(start) - static_cast<int32_t>(size()) - 1);
    add(BPF_JMP | BPF_JA, 0, 0, back, 0);
    set_jump_target(start);
  }

  std::mt19937_64 random_;
  std::vector<bpf_insn> code_;
  std::vector<uint32_t> starts_;
  std::vector<std::pair<uint32_t, uint32_t>> calls_;
  int32_t pointers_from_ = 0;
};

// ---- the interpreter

class Machine {
 public:
  // `poison` is the content of uninitialized registers and memory. A program that reads it computes something else with
  // each poison.
  Machine(std::span<const bpf_insn> code, std::vector<uint8_t> configuration, std::vector<uint8_t> context,
          uint8_t poison)
      : code_(code),
        configuration_(std::move(configuration)),
        context_(std::move(context)),
        poison_(poison),
        stack_(3 * FRAME_BYTES, poison) {}

  std::vector<uint64_t> run() {
    uint64_t first[2] = {CONTEXT_AT, 0};
    trace_.push_back(run_function(0, 0, first));
    return trace_;
  }

 private:
  uint64_t poison() const { return 0x0101010101010101ULL * poison_; }

  uint8_t* find_memory(uint64_t at, uint64_t size) {
    const auto within = [&](uint64_t start, std::vector<uint8_t>& bytes) {
      return at >= start && at + size <= start + bytes.size() ? bytes.data() + (at - start) : nullptr;
    };
    if (uint8_t* const found = within(CONFIGURATION_AT, configuration_)) return found;
    if (uint8_t* const found = within(CONTEXT_AT, context_)) return found;
    if (uint8_t* const found = within(STACK_AT, stack_)) return found;
    fail("a program accesses invalid memory");
  }
  uint64_t read_memory(uint64_t at, uint32_t size) {
    uint64_t value = 0;
    std::memcpy(&value, find_memory(at, size), size);
    return value;
  }

  uint64_t run_function(uint32_t start, uint32_t depth, const uint64_t* given) {
    uint64_t r[MAX_BPF_REG];
    for (uint64_t& each : r) each = poison();
    r[1] = given[0];
    if (depth > 0) r[2] = given[1];
    r[10] = STACK_AT + (depth + 1) * FRAME_BYTES;
    std::memset(find_memory(r[10] - FRAME_BYTES, FRAME_BYTES), poison_, FRAME_BYTES);
    for (uint32_t at = start;; at++) {
      if (++steps_ > 100'000) fail("a program does not end");
      const bpf_insn& i = code_[at];
      if (is_exit(i)) return r[0];
      if (is_wide(i)) {
        const uint64_t upper = static_cast<uint32_t>(code_[++at].imm);
        if (is_callback(i)) r[i.dst_reg] = at + static_cast<uint32_t>(i.imm);
        else r[i.dst_reg] = i.src_reg != 0 ? CONFIGURATION_AT + upper : static_cast<uint32_t>(i.imm) | upper << 32;
      } else if (is_arithmetic(i)) {
        run_arithmetic(i, r);
      } else if (is_load(i)) {
        const uint32_t size = access_width(i);
        const uint64_t value = read_memory(r[i.src_reg] + i.off, size), shift = 64 - 8 * size;
        const auto extended = static_cast<uint64_t>(static_cast<int64_t>(value << shift) >> shift);
        r[i.dst_reg] = BPF_MODE(i.code) == SIGN_EXTENDING ? extended : value;
      } else if (is_atomic(i)) {
        run_atomic(i, r);
      } else if (is_store(i)) {
        const uint64_t value = instruction_class(i) == BPF_ST ? sign_extended_imm(i) : r[i.src_reg];
        std::memcpy(find_memory(r[i.dst_reg] + i.off, access_width(i)), &value, access_width(i));
      } else if (is_call(i)) {
        r[0] = run_call(i, at, depth, r);
        for (int each = 1; each <= 5; each++) r[each] = poison();
      } else if (is_goto(i) || is_taken(i, r)) {
        at += i.off;
      }
    }
  }

  uint64_t run_call(const bpf_insn& i, uint32_t at, uint32_t depth, uint64_t* r) {
    if (i.src_reg == BPF_PSEUDO_CALL) return run_function(at + 1 + i.imm, depth + 1, r + 1);
    if (i.imm == HELPER_THAT_CALLS) {
      const uint64_t given[2][2] = {{r[3], 0}, {r[3], 1}};
      for (const auto& each : given) trace_.push_back(run_function(static_cast<uint32_t>(r[2]), depth + 1, each));
      return 2;
    }
    const int count = i.imm == HELPER ? 5 : 2;
    for (int each = 1; each <= count; each++) trace_.push_back(r[each]);
    if (i.imm == HELPER_THAT_WRITES) std::memset(find_memory(r[1], r[2]), static_cast<int>(trace_.size()), r[2]);
    return trace_.size() * 0x9e3779b97f4a7c15ULL;
  }

  void run_atomic(const bpf_insn& i, uint64_t* r) {
    uint8_t* const where = find_memory(r[i.dst_reg] + i.off, 8);
    const uint64_t old = read_memory(r[i.dst_reg] + i.off, 8);
    uint64_t value = i.imm == BPF_XCHG ? r[i.src_reg] : old + r[i.src_reg];
    if (i.imm == BPF_CMPXCHG) value = old == r[0] ? r[i.src_reg] : old;
    std::memcpy(where, &value, 8);
    if ((i.imm & BPF_FETCH) != 0) r[i.imm == BPF_CMPXCHG ? uint8_t{0} : i.src_reg] = old;
  }

  static uint64_t sign_extended_imm(const bpf_insn& i) { return static_cast<uint64_t>(static_cast<int64_t>(i.imm)); }
  static uint64_t read_operand(const bpf_insn& i, const uint64_t* r) {
    return BPF_SRC(i.code) == BPF_X ? r[i.src_reg] : sign_extended_imm(i);
  }

  static void run_arithmetic(const bpf_insn& i, uint64_t* r) {
    const bool is_64 = instruction_class(i) == BPF_ALU64;
    uint64_t a = r[i.dst_reg], b = read_operand(i, r);
    if (!is_64) a = static_cast<uint32_t>(a), b = static_cast<uint32_t>(b);
    const uint64_t shift = b & (is_64 ? 63 : 31);
    const int64_t signed_a = is_64 ? static_cast<int64_t>(a) : static_cast<int32_t>(a);
    switch (BPF_OP(i.code)) {
      case BPF_ADD: a += b; break;
      case BPF_SUB: a -= b; break;
      case BPF_MUL: a *= b; break;
      case BPF_OR: a |= b; break;
      case BPF_AND: a &= b; break;
      case BPF_XOR: a ^= b; break;
      case BPF_MOV: a = b; break;
      case BPF_LSH: a <<= shift; break;
      case BPF_RSH: a >>= shift; break;
      case BPF_ARSH: a = static_cast<uint64_t>(signed_a >> shift); break;
      case BPF_NEG: a = -a; break;
      case BPF_DIV: a = b == 0 ? 0 : a / b; break;
      case BPF_MOD: a = b == 0 ? a : a % b; break;
      default: fail("an operation that is not known");
    }
    r[i.dst_reg] = is_64 ? a : static_cast<uint32_t>(a);
  }

  static bool is_taken(const bpf_insn& i, const uint64_t* r) {
    uint64_t a = r[i.dst_reg], b = read_operand(i, r);
    auto signed_a = static_cast<int64_t>(a), signed_b = static_cast<int64_t>(b);
    if (instruction_class(i) == BPF_JMP32) {
      signed_a = static_cast<int32_t>(a), signed_b = static_cast<int32_t>(b);
      a = static_cast<uint32_t>(a), b = static_cast<uint32_t>(b);
    }
    switch (BPF_OP(i.code)) {
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
      default: return (a & b) != 0;
    }
  }

  std::span<const bpf_insn> code_;
  std::vector<uint8_t> configuration_, context_;
  uint8_t poison_;
  std::vector<uint8_t> stack_;
  std::vector<uint64_t> trace_;
  uint64_t steps_ = 0;
};

std::vector<bpf_insn> specialize(std::span<const bpf_insn> program, std::span<const uint8_t> configuration) {
  std::optional<ControlFlowGraph> cfg = build_cfg(program);
  if (!cfg) fail("the program has unknown instructions");
  optimize(*cfg, {MAP, configuration}, [](uint32_t) { return 0U; });
  return lay_out_code(*cfg).instructions;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const uint64_t seed = std::strtoull(argv[1], nullptr, 10), count = std::strtoull(argv[2], nullptr, 10);
  uint64_t before = 0, after = 0;
  for (uint64_t i = seed; i < seed + count; i++) {
    Generator generator(i);
    const std::vector<uint8_t> configuration = generator.random_bytes(), context = generator.random_bytes();
    const std::vector<bpf_insn> program = generator.random_program(), result = specialize(program, configuration);
    const auto wanted = Machine(program, configuration, context, 0xa5).run();
    if (wanted != Machine(program, configuration, context, 0x5a).run())
      fail("a random program reads uninitialized data");
    if (wanted != Machine(result, configuration, context, 0x3c).run()) {
      std::fprintf(stderr, "seed %llu: the programs differ\n", static_cast<unsigned long long>(i));
      return 1;
    }
    before += program.size();
    after += result.size();
  }
  std::printf("%llu %llu\n", static_cast<unsigned long long>(before), static_cast<unsigned long long>(after));
  return 0;
}

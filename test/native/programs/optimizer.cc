// optimizer SEED COUNT: generates COUNT random BPF programs, specializes each for its configuration, and runs both in
// an interpreter. Both must call the same functions with the same values and return the same. Prints the total numbers
// of instructions before and after.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "bpf_machine.h"

using namespace polytrace;

namespace {

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

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const uint64_t seed = std::strtoull(argv[1], nullptr, 10), count = std::strtoull(argv[2], nullptr, 10);
  uint64_t before = 0, after = 0;
  for (uint64_t i = seed; i < seed + count; i++) {
    Generator generator(i);
    const std::vector<uint8_t> configuration = generator.random_bytes(), context = generator.random_bytes();
    const std::vector<bpf_insn> program = generator.random_program(),
                                result = specialize(program, configuration).value();
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

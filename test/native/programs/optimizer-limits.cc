// Programs at the limits of the optimizer. Prints a line for each one.
#include <cstdio>
#include <vector>

#include "bpf_machine.h"
#include "optimizer/copy_propagation.h"

using namespace polytrace;

namespace {

constexpr uint8_t GOTO_LONG = BPF_JMP32 | BPF_JA;  // its offset has 32 bits

bpf_insn make(uint8_t code, uint8_t to, uint8_t from, int16_t off, int32_t imm) {
  return {.code = code,
          .dst_reg = static_cast<uint8_t>(to & 15),
          .src_reg = static_cast<uint8_t>(from & 15),
          .off = off,
          .imm = imm};
}

// Two arms of `length` stores each. The given program jumps over them with 32 bits. The new one has only the
// conditional jump, which must then reach over the arm that is placed first.
std::vector<bpf_insn> make_long_arms(int32_t length) {
  std::vector<bpf_insn> code = {
      make(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0),
      make(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_6, 0, 0),
      make(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 1, 0),
      make(GOTO_LONG, 0, 0, 0, length + 1),
  };
  for (int32_t i = 0; i < length; i++) code.push_back(make(BPF_ST | BPF_MEM | BPF_W, BPF_REG_6, 0, 0, i));
  code.push_back(make(GOTO_LONG, 0, 0, 0, length));
  for (int32_t i = 0; i < length; i++) code.push_back(make(BPF_ST | BPF_MEM | BPF_W, BPF_REG_6, 0, 4, -i));
  code.push_back(make(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_6, 0, 0));
  code.push_back(make(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  return code;
}

// The first store of r10 into a slot: the slot has no known value yet, and r10 must still be stored.
std::vector<bpf_insn> make_frame_pointer_store() {
  return {
      make(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_10, -128, 0),
      make(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_10, -128, 0),
      make(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_2, 0, -64, 7),
      make(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_10, -64, 0),
      make(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
}

using Code = std::optional<std::vector<bpf_insn>>;

// Constant propagation removes such stores first, so this pass runs alone.
Code only_propagate_copies(const std::vector<bpf_insn>& program) {
  std::optional<ControlFlowGraph> cfg = build_cfg(program);
  if (!cfg) fail("the program has unknown instructions");
  propagate_copies(*cfg, EscapeBounds(cfg->functions.size(), -64));
  return lay_out_code(*cfg)->instructions;
}

const char* compare(const std::vector<bpf_insn>& program, const Code& result) {
  const std::vector<uint8_t> bytes(BYTES);
  if (!result) return "stays generic";
  for (const uint8_t first : {0, 1}) {
    std::vector<uint8_t> context(BYTES);
    context[0] = first;
    if (Machine(program, bytes, context, 0xa5).run() != Machine(*result, bytes, context, 0x3c).run()) return "differs";
  }
  return "is the same";
}

const char* compare(const std::vector<bpf_insn>& program) {
  return compare(program, specialize(program, std::vector<uint8_t>(BYTES)));
}

}  // namespace

int main() {
  // the conditional jump of the new program is one instruction before the first arm, and two more follow that arm
  constexpr int32_t LONGEST_ARM = INT16_MAX - 2;
  const std::vector<bpf_insn> frame = make_frame_pointer_store();
  std::printf("longest jump: %s\n", compare(make_long_arms(LONGEST_ARM)));
  std::printf("longer jump: %s\n", compare(make_long_arms(LONGEST_ARM + 1)));
  std::printf("much longer jump: %s\n", compare(make_long_arms(70'000)));
  std::printf("store of r10: %s\n", compare(frame, only_propagate_copies(frame)));
  return 0;
}

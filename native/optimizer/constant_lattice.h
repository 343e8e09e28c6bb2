// The abstract values of constant propagation: what is known of a register or a stack slot at a point of the program.
//
// The lattice is flat: UNKNOWN is its top, and every other value is directly below it. The join of two different values
// is UNKNOWN. A block that was not reached has no state at all, which is the bottom.
#pragma once

#include <linux/bpf.h>

#include <array>
#include <cstdint>
#include <optional>

#include "optimizer/control_flow_graph.h"

namespace polytrace {

struct AbstractValue {
  enum Kind : uint8_t {
    UNKNOWN,
    CONSTANT,
    NOT_ZERO,               // a number, or a pointer
    CONFIGURATION_POINTER,  // `bits` is the offset in the configuration
    STACK_POINTER,          // `bits` is the offset from r10, which is negative or 0
  };
  Kind kind = UNKNOWN;
  uint64_t bits = 0;  // the constant, or the offset

  bool operator==(const AbstractValue&) const = default;
  bool is(Kind other) const { return kind == other; }
  bool is_pointer() const { return is(CONFIGURATION_POINTER) || is(STACK_POINTER); }
  std::optional<uint64_t> constant() const { return is(CONSTANT) ? std::optional(bits) : std::nullopt; }
};

constexpr AbstractValue make_constant(uint64_t bits) { return {AbstractValue::CONSTANT, bits}; }

// A slot of the stack. A value of eight bytes is in the first of its two slots; the second one is empty.
struct StackSlot {
  AbstractValue value;
  uint32_t width = 0;

  bool operator==(const StackSlot&) const = default;
};

struct AbstractState {
  std::array<AbstractValue, MAX_BPF_REG> registers;
  std::array<StackSlot, STACK_SLOTS> slots;
};

}  // namespace polytrace

#include "loading/cel_patch.h"

#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/abi_types.h"
#include "optimizer/instructions.h"

namespace polytrace {

namespace {

using Body = std::array<bpf_insn, CEL_INSTRUCTIONS>;

// The body as it was compiled: r0 = mark, then r0 = r0 until it is long enough, then r0 = r2, exit.
Body make_stub_body(uint32_t mark) {
  Body body;
  body.fill(move_register(BPF_REG_0, BPF_REG_0));
  body.front() = {.code = BPF_ALU64 | BPF_MOV | BPF_K,
                  .dst_reg = BPF_REG_0,
                  .src_reg = 0,
                  .off = 0,
                  .imm = static_cast<int32_t>(mark)};
  body[CEL_INSTRUCTIONS - 2] = move_register(BPF_REG_0, BPF_REG_2);
  body[CEL_INSTRUCTIONS - 1] = {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};
  return body;
}

}  // namespace

bool replace_body(std::vector<uint8_t>& object, uint32_t mark, std::span<const uint8_t> code) {
  const Body body = make_stub_body(mark);
  if (code.size() != sizeof(body)) return false;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(body.data());
  const auto find = [&](auto from) { return std::search(from, object.end(), bytes, bytes + sizeof(body)); };
  const auto found = find(object.begin());
  if (found == object.end() || find(found + 1) != object.end()) return false;
  std::memcpy(&*found, code.data(), code.size());
  return true;
}

}  // namespace polytrace

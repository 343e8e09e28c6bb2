// Replaces bodies of functions in a BPF object by instructions that were compiled for one policy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace polytrace {

// Changes the bytes of an object that is not opened yet. The body that is replaced begins with `mark` (CEL_STUB in
// bpf/filters.bpf.h). `code` must be as long as that body. Returns false unless the object has the body exactly once.
bool replace_body(std::vector<uint8_t>& object, uint32_t mark, std::span<const uint8_t> code);

}  // namespace polytrace

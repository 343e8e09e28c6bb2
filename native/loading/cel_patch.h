// Replaces the bodies of stub functions in a BPF object by instructions that were compiled for one policy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace polytrace {

// Changes the bytes of an object that is not opened yet. The stub's body begins with `mark` (CEL_STUB in
// bpf/filters.bpf.h), and `code` must have the same length. Returns false unless the object contains that body exactly
// once.
bool replace_body(std::vector<uint8_t>& object, uint32_t mark, std::span<const uint8_t> code);

}  // namespace polytrace

// Instructions in the place of bodies that a BPF object has for them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace polytrace {

// Changes the bytes of an object that is not opened yet. The body that is replaced begins with `mark`, see CEL_STUB in
// bpf/filters.bpf.h, and is as long as `code` has to be. False when the object does not have it exactly once.
bool replace_body(std::vector<uint8_t>& object, uint32_t mark, std::span<const uint8_t> code);

}  // namespace polytrace

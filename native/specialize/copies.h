// Uses a value where it already is, instead of a copy of it in another register or in the stack.
#pragma once

#include <cstdint>
#include <vector>

#include "flow.h"

namespace polytrace {

// After put_constants(): `lowest` is what it has returned.
void use_originals(Flow& flow, const std::vector<int32_t>& lowest);

}  // namespace polytrace

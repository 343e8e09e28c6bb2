// Removes what a program computes and does not use.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "flow.h"

namespace polytrace {

// Parameters that the kernel wants at a call of this function of the program, used or not.
using CountParameters = std::function<uint32_t(uint32_t function)>;

// After put_constants(): `lowest` is what it has returned.
void remove_unused(Flow& flow, const std::vector<int32_t>& lowest, const CountParameters& parameters);

}  // namespace polytrace

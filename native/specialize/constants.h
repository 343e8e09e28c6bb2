// Works out what a program computes from its configuration, and puts the results into its instructions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "flow.h"

namespace polytrace {

// A map that nobody changes.
struct Configuration {
  int map = -1;
  std::span<const uint8_t> bytes;
};

// Instructions whose result is known become that constant; conditional jumps that are always or never taken are removed, and blocks
// that cannot be reached are empty afterwards. Returns, for each function, the lowest offset in its stack of what pointers lead to.
// Below that are variables that only instructions of the function itself use, by register 10.
std::vector<int32_t> put_constants(Flow& flow, const Configuration& configuration);

}  // namespace polytrace

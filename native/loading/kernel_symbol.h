// Finds the address of a kernel symbol.
#pragma once

#include <cstdint>
#include <string>

namespace polytrace {

// Returns 0 if the kernel does not know the symbol, or does not show addresses. A name has at most 15 bytes.
uint64_t find_kernel_symbol(const std::string& symbol);

}  // namespace polytrace

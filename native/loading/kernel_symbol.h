// Finds the address of a kernel symbol, and reads a variable or the first instruction of a function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace polytrace {

// Returns 0 if the kernel does not know the symbol, or does not show addresses. A name has at most 31
// bytes.
uint64_t find_kernel_symbol(const std::string& symbol);

// Reads an int variable of the kernel. Returns nothing if it cannot be read.
std::optional<int32_t> read_kernel_int(const std::string& symbol);

// Returns true if the first instruction of `from` jumps to the start of `to`; false also if that cannot be read.
bool kernel_jumps(const std::string& from, const std::string& to);

}  // namespace polytrace

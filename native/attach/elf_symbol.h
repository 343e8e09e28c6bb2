// Finds a function of an ELF file by its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace polytrace {

// Returns the function's offset from the start of the file. Returns nothing if the file has no such function, has
// several at different offsets, or cannot be read.
std::optional<uint64_t> function_offset(const std::string& path, const std::string& name);

}  // namespace polytrace

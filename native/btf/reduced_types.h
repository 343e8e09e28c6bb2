// BTF with few types of the kernel, for CO-RE. libbpf compares the name of each relocated type with all names that it
// is given, and a kernel has more than a hundred thousand.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "btf/btf_types.h"

namespace polytrace {

// Returns BTF with the structs, unions, enums, integers and typedefs of these names, all of them if several have a
// name, and with what they contain. Pointers point to void: a relocation does not follow them. Ids differ from the
// kernel's. Throws Failure.
std::vector<uint8_t> reduce_types(BtfTypes& types, const std::set<std::string>& names);

}  // namespace polytrace

// Objects as they fit this kernel. libbpf compares the structs that a program uses with all types of the kernel, for each
// object anew, which is most of what loading one costs; what it found is the same for every further object of the kind.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <string>
#include <vector>

namespace polytrace {

// The bytes to open for the object when these of its programs are to be loaded: as they were built, the first time.
std::vector<uint8_t> object_bytes(const std::string& name, const std::string& programs);

// After that object was loaded for the first time: keeps what libbpf has put into its instructions.
void keep_relocated(const std::string& name, const std::string& programs, bpf_object* loaded);

}  // namespace polytrace

// The BPF objects that are embedded in the addon. They are compressed: most of their bytes are zeros.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace polytrace {

struct EmbeddedObject {
  const char* name = nullptr;
  const uint8_t* begin = nullptr;  // in the format of gzip, which has a checksum and the size
  const uint8_t* end = nullptr;
};

// cmake/bpf.cmake writes this table. Its last row has no name.
extern const EmbeddedObject EMBEDDED_OBJECTS[];

// Returns the bytes of an object; no bytes if no object has that name. Throws Failure OBJECT_CORRUPT, or ENOMEM.
std::vector<uint8_t> inflate_object(std::string_view name);

}  // namespace polytrace

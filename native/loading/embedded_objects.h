// The BPF objects that are embedded in the addon. They are compressed: most of their bytes are zeros, or are those of
// another object.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace polytrace {

struct EmbeddedObject {
  const char* name = nullptr;
  const char* base = nullptr;      // the object whose bytes this one refers to; "" for an object without one
  const uint8_t* begin = nullptr;  // a frame of zstd, which has the size and a checksum
  const uint8_t* end = nullptr;
};

// cmake/bpf.cmake writes this table. Its last row has no name.
extern const EmbeddedObject EMBEDDED_OBJECTS[];

// Returns the bytes of an object; no bytes if no object has that name. Throws Failure OBJECT_CORRUPT, or ENOMEM.
std::vector<uint8_t> decompress_object(std::string_view name);

}  // namespace polytrace

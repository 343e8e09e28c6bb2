// Finds the BPF objects that are embedded in the addon by their names.
#pragma once

#include <cstddef>
#include <string_view>

namespace polytrace {

struct EmbeddedObject {
  const void* data = nullptr;  // nullptr: no object of that name
  size_t size = 0;
};

EmbeddedObject find_object(std::string_view name);

}  // namespace polytrace

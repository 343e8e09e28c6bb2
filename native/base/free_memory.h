// Returns free memory to the kernel: loading programs needs megabytes, also on threads of its own, for a moment.
#pragma once

#include <cstddef>

// musl has no malloc_trim()
extern "C" __attribute__((weak)) int malloc_trim(size_t pad);

namespace polytrace {

inline void return_free_memory() noexcept {
  if (malloc_trim != nullptr) malloc_trim(0);
}

}  // namespace polytrace

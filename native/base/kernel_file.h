// Reads small text files of the kernel, in /proc and /sys. std::ifstream would add half a megabyte to the prebuilt
// addon: the locales of the C++ library.
#pragma once

#include <string>

namespace polytrace {

// Reads the first 4 KiB. Returns 0 or a negative errno.
int read_kernel_file(const std::string& path, std::string& text);

}  // namespace polytrace

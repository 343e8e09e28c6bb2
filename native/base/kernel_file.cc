#include "base/kernel_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/handles.h"

namespace polytrace {

int read_kernel_file(const std::string& path, std::string& text) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.value < 0) return -errno;
  text.resize(4096);
  const ssize_t length = read(file.value, text.data(), text.size());
  const int error = length < 0 ? -errno : 0;
  text.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return error;
}

}  // namespace polytrace

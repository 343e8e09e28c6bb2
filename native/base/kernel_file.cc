#include "base/kernel_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace polytrace {

int read_kernel_file(const std::string& path, std::string& text) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  text.resize(4096);
  const ssize_t length = read(fd, text.data(), text.size());
  const int error = length < 0 ? -errno : 0;
  close(fd);
  text.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return error;
}

}  // namespace polytrace

#include "base/handles.h"

#include <fcntl.h>

#include <cerrno>

#include "base/error.h"
#include "base/parallel.h"

namespace polytrace {

namespace {

size_t align_to_page(size_t size) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

}  // namespace

Fd duplicate(int fd, const char* what) {
  Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (copy.value < 0) throw Failure{"DESCRIPTORS", what, errno};
  return copy;
}

void destroy_links(std::vector<LinkPtr>& links) noexcept {
  run_in_parallel(links.size(), [&](size_t i) { links[i].reset(); });
  links.clear();
}

int MappedMap::open(int fd, size_t size) {
  size_ = align_to_page(size);
  void* data = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return -errno;
  data_ = data;
  return 0;
}

}  // namespace polytrace

// RAII owners of BPF objects, links, types, descriptors and mapped memory.
#pragma once

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

namespace polytrace {

// A descriptor of any kind. A negative value means that there is none.
struct Fd {
  explicit Fd(int fd) : value(fd) {}
  ~Fd() {
    if (value >= 0) close(value);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd(Fd&& other) noexcept : value(std::exchange(other.value, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(value, other.value);
    return *this;
  }
  int value;
};

// Throws DESCRIPTORS with `what` if there is none left.
Fd duplicate(int fd, const char* what);

struct ObjectDeleter {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
  // The types that libbpf reads while it loads the object (object_steps.h).
  Fd types = Fd(-1);
};
struct LinkDeleter {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
struct BtfDeleter {
  void operator()(btf* types) const { btf__free(types); }
};
using ObjectPtr = std::unique_ptr<bpf_object, ObjectDeleter>;
using LinkPtr = std::unique_ptr<bpf_link, LinkDeleter>;
using BtfPtr = std::unique_ptr<btf, BtfDeleter>;

// Destroys all links in parallel: for each link, the kernel waits until no CPU runs its program.
void destroy_links(std::vector<LinkPtr>& links) noexcept;

// The memory of an mmapable array map.
class MappedMap {
 public:
  MappedMap() = default;
  ~MappedMap() { close(); }
  MappedMap(const MappedMap&) = delete;
  MappedMap& operator=(const MappedMap&) = delete;

  // Returns 0 or a negative errno.
  int open(int fd, size_t size);
  void close() {
    if (data_ != nullptr) munmap(data_, size_);
    data_ = nullptr;
  }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace polytrace

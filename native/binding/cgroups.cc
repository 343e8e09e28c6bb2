#include "binding/cgroups.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/handles.h"

namespace polytrace {

namespace {

// FILEID_KERNFS of the kernel's include/linux/exportfs.h: the handle is the id.
constexpr int KERNFS_HANDLE = 0xfe;

std::string read_fd_path(int fd) {
  char path[PATH_MAX];
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof(path));
  return length < 0 ? "" : std::string(path, static_cast<size_t>(length));
}

}  // namespace

Napi::Value cgroup_path(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string mount = info[0].As<Napi::String>();
  bool lossless = false;
  const uint64_t id = info[1].As<Napi::BigInt>().Uint64Value(&lossless);

  const Fd root(open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.value < 0) return env.Null();
  alignas(file_handle) unsigned char bytes[sizeof(file_handle) + sizeof(id)];
  auto* handle = new (bytes) file_handle;
  handle->handle_bytes = sizeof(id);
  handle->handle_type = KERNFS_HANDLE;
  memcpy(handle->f_handle, &id, sizeof(id));
  const Fd cgroup(open_by_handle_at(root.value, handle, O_PATH | O_CLOEXEC));
  if (cgroup.value < 0) return env.Null();
  const std::string base = read_fd_path(root.value);
  const std::string path = read_fd_path(cgroup.value);
  if (base.empty() || !path.starts_with(base)) return env.Null();
  const std::string below = path.substr(base.size());
  return Napi::Buffer<char>::Copy(env, below.data(), below.size());
}

}  // namespace polytrace

// Finds files of containers. The processes of a container choose its names, links and mounts.
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "files/traced_files.h"

namespace polytrace {

namespace {

// Processes of a container, and cgroups below its own, that are looked at.
constexpr size_t PROCESSES_MAX = 256;
constexpr size_t CGROUPS_MAX = 64;
constexpr size_t PROC_FILE_MAX = size_t{64} * 1024;

std::string read_start(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(file.value < 0 ? 0 : PROC_FILE_MAX, '\0');
  const ssize_t got = text.empty() ? 0 : read(file.value, text.data(), text.size());
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

void append_pids(const std::string& folder, std::vector<uint32_t>& pids) {
  const std::string text = read_start(folder + "/cgroup.procs");
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end && pids.size() < PROCESSES_MAX;) {
    uint32_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error != std::errc()) return;
    if (pid != 0) pids.push_back(pid);  // 0: a process that this process cannot see
    at = next + 1;
  }
}

// The processes of the cgroup, then those of the cgroups below it.
std::vector<uint32_t> list_processes(const std::string& folder) {
  std::vector<uint32_t> pids;
  std::vector<std::string> folders = {folder};
  for (size_t i = 0; i < folders.size() && pids.size() < PROCESSES_MAX; i++) {
    append_pids(folders[i], pids);
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(folders[i].c_str()), closedir);
    if (!listing) continue;
    while (const dirent* entry = readdir(listing.get())) {
      if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || folders.size() >= CGROUPS_MAX) continue;
      folders.push_back(folders[i] + "/" + entry->d_name);
    }
  }
  return pids;
}

// False if the process has ended, and another one has its number.
bool is_in_cgroup(uint32_t pid, const std::string& path) {
  const std::string text = read_start("/proc/" + std::to_string(pid) + "/cgroup");
  const size_t line = text.starts_with("0::") ? 0 : text.find("\n0::");
  if (line == std::string::npos) return false;
  const size_t start = line == 0 ? 3 : line + 4;
  const std::string own = text.substr(start, text.find('\n', start) - start);
  return own == path || own.starts_with(path + "/");
}

// The start of a process in clock ticks, the 22nd field. The 2nd one is its name, in parentheses.
uint64_t read_start_time(uint32_t pid) {
  constexpr int start_time = 22;
  const std::string text = read_start("/proc/" + std::to_string(pid) + "/stat");
  size_t at = text.rfind(')');
  for (int field = 2; field < start_time && at != std::string::npos; field++) at = text.find(' ', at + 1);
  uint64_t ticks = UINT64_MAX;
  if (at != std::string::npos) std::from_chars(text.data() + at + 1, text.data() + text.size(), ticks);
  return ticks;
}

// The oldest process is the container's first one. Later ones can have another root.
void sort_by_age(std::vector<uint32_t>& pids) {
  std::vector<std::pair<uint64_t, uint32_t>> aged;
  aged.reserve(pids.size());
  for (const uint32_t pid : pids) aged.emplace_back(read_start_time(pid), pid);
  std::sort(aged.begin(), aged.end());
  std::transform(aged.begin(), aged.end(), pids.begin(), [](const auto& each) { return each.second; });
}

std::optional<struct statx> read_status(int fd) {
  struct statx found = {};
  if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) return std::nullopt;
  return found;
}

bool is_same_file(const std::optional<struct statx>& a, const std::optional<struct statx>& b) {
  return a && b && a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
         a->stx_dev_minor == b->stx_dev_minor;
}

int open_folder(const std::string& path) { return open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }

// While a runtime makes a container, its processes still have the root of the host.
bool is_host_root(int root) {
  const Fd initial(open_folder("/proc/1/root"));
  const Fd own(open_folder("/"));
  const auto status = read_status(root);
  return !status || is_same_file(status, read_status(initial.value)) || is_same_file(status, read_status(own.value));
}

bool is_on_overlay(int fd) {
  struct statfs found = {};
  return fstatfs(fd, &found) == 0 && static_cast<uint64_t>(found.f_type) == OVERLAYFS_SUPER_MAGIC;
}

// Containers of one image have an overlay each, with the number of the layer's inode. The kernel attaches uprobes to
// that inode. Its time of birth tells it from a file with the same number in another layer.
std::string file_key(const struct statx& file, bool is_in_image) {
  const std::string number = std::to_string(file.stx_ino);
  if (!is_in_image) {
    return std::to_string(file.stx_dev_major) + ":" + std::to_string(file.stx_dev_minor) + ":" + number;
  }
  return "overlay:" + number + ":" + std::to_string(file.stx_btime.tv_sec) + "." +
         std::to_string(file.stx_btime.tv_nsec) + ":" + std::to_string(file.stx_size);
}

ContainerFile open_below(int root, const std::string& path) {
  open_how how = {.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  auto file = std::make_shared<Fd>(static_cast<int>(syscall(__NR_openat2, root, path.c_str(), &how, sizeof(how))));
  if (file->value < 0 && (errno == EMFILE || errno == ENFILE)) {
    throw Failure{errno_name(errno), "cannot open a file", errno};
  }
  const auto status = read_status(file->value);
  if (!status || !S_ISREG(status->stx_mode)) return {.state = ContainerFile::State::missing, .file = {}, .key = {}};
  const auto top = read_status(root);
  const bool is_in_image = top && top->stx_dev_major == status->stx_dev_major &&
                           top->stx_dev_minor == status->stx_dev_minor && (status->stx_mask & STATX_BTIME) != 0 &&
                           is_on_overlay(root);
  return {.state = ContainerFile::State::found, .file = file, .key = file_key(*status, is_in_image)};
}

}  // namespace

ContainerFile open_in_container(const ContainerCgroup& cgroup, const std::string& path) {
  std::vector<uint32_t> pids = list_processes(cgroup.folder);
  sort_by_age(pids);
  for (const uint32_t pid : pids) {
    const Fd root(open_folder("/proc/" + std::to_string(pid) + "/root"));
    if (root.value < 0 || !is_in_cgroup(pid, cgroup.path) || is_host_root(root.value)) continue;
    return open_below(root.value, path);
  }
  return {};
}

}  // namespace polytrace

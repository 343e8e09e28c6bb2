#include "files/traced_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"

namespace polytrace {

namespace {

// Headers older than Linux 5.12 do not have it.
constexpr uint64_t CACHED = 0x20;
// A lookup in the cache can fail because of a rename at the same moment.
constexpr int CACHED_TRIES = 3;
// At the end of the link to an executable that was removed.
constexpr std::string_view DELETED = " (deleted)";
constexpr size_t COMMAND_LINE_MAX = size_t{2} * 1024 * 1024;

// Reads until the end of the file or `max` bytes.
std::vector<uint8_t> read_bytes(int fd, size_t max, off_t offset) {
  constexpr size_t chunk = size_t{64} * 1024;
  std::vector<uint8_t> bytes;
  while (bytes.size() < max) {
    const size_t at = bytes.size();
    bytes.resize(at + std::min(chunk, max - at));
    const ssize_t got = pread(fd, bytes.data() + at, bytes.size() - at, offset + static_cast<off_t>(at));
    bytes.resize(at + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0) break;
  }
  return bytes;
}

// Without a free descriptor, nothing is known about the file.
void check_limit(int error) {
  if (error == EMFILE || error == ENFILE) throw Failure{errno_name(error), "cannot open a file", error};
}

std::string process_file(uint32_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

struct FileKey {
  Device device;
  uint64_t inode = 0;
  bool operator==(const FileKey& other) const = default;
};

// Does not ask the file system for anything that the kernel already knows.
std::optional<FileKey> read_key(const Fd& file) {
  struct statx found = {};
  const int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
  if (file.value < 0 || statx(file.value, "", flags, STATX_INO, &found) != 0) return std::nullopt;
  return FileKey{{found.stx_dev_major, found.stx_dev_minor}, found.stx_ino};
}

// Opens the path (O_PATH) without asking any file system: the path of a running executable is in the kernel's cache.
// Before Linux 5.12, the file systems are asked. Returns -1 if that fails.
int open_cached(const Fd& root, const std::string& path) {
  if (root.value < 0) return -1;
  open_how how = {.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | CACHED};
  for (int i = 0; i < CACHED_TRIES; i++) {
    const long file = syscall(__NR_openat2, root.value, path.c_str(), &how, sizeof(how));
    if (file >= 0) return static_cast<int>(file);
    if (errno == EINVAL) how.resolve = RESOLVE_IN_ROOT;
  }
  return -1;
}

int open_folder(const char* path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }

// The host's files of executables. Many processes have the same one, so each path is looked up once.
class HostFiles {
 public:
  explicit HostFiles(bool is_host_view) : roots_(is_host_view) {}

  bool has(const std::string& path, const FileKey& file) {
    const auto [found, is_new] = keys_.try_emplace(path);
    if (is_new) {
      for (const Fd& host_file : roots_.open(path)) found->second.push_back(read_key(host_file));
    }
    return std::ranges::find(found->second, file) != found->second.end();
  }

 private:
  const HostRoots roots_;
  std::unordered_map<std::string, std::vector<std::optional<FileKey>>> keys_;
};

std::string read_file(uint32_t pid, const char* name) {
  const Fd file(open(process_file(pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  std::string bytes;
  if (file.value < 0) return bytes;
  // most are short: one call then reads all of them
  char first[4096];
  const ssize_t got = read(file.value, first, sizeof(first));
  bytes.assign(first, static_cast<size_t>(std::max<ssize_t>(got, 0)));
  if (bytes.size() < sizeof(first)) return bytes;
  const std::vector<uint8_t> rest = read_bytes(file.value, COMMAND_LINE_MAX - sizeof(first), sizeof(first));
  return bytes.append(rest.begin(), rest.end());
}

// Returns the target of a link of /proc; nothing if it cannot be read.
std::string read_link(uint32_t pid, const char* name) {
  char target[PATH_MAX];
  const ssize_t got = readlink(process_file(pid, name).c_str(), target, sizeof(target));
  return {target, static_cast<size_t>(std::max<ssize_t>(got, 0))};
}

ProcessFacts read_facts(uint32_t pid, const std::string& executable, HostFiles& host) {
  ProcessFacts facts = {.command_line = read_file(pid, "cmdline")};
  const Fd file(open(process_file(pid, "exe").c_str(), O_PATH | O_CLOEXEC));
  const auto own = read_key(file);
  facts.runs_host_file = own && host.has(executable, *own);
  return facts;
}

ProcessTexts read_texts(const ListedProcess& process, HostFiles& host) {
  const auto& [thread, wanted] = process;
  ProcessTexts texts;
  if (wanted.cwd) texts.cwd = read_link(thread, "cwd");
  if (wanted.thread_name) {
    texts.executable = read_file(thread, "comm");
    texts.executable.resize(std::min(texts.executable.find('\n'), texts.executable.size()));
  } else if (wanted.executable) {
    texts.executable = read_link(thread, "exe");
    if (!texts.executable.empty()) texts.facts = read_facts(thread, texts.executable, host);
  } else {
    texts.facts.command_line = read_file(thread, "cmdline");
  }
  if (wanted.root || (wanted.executable && texts.executable.ends_with(DELETED))) {
    texts.has_host_root = read_link(thread, "root") == "/";
  }
  return texts;
}

}  // namespace

std::optional<FilePart> read_part(const std::string& path, const FileRange& range) {
  // opening a pipe must not wait for a writer
  const Fd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file.value < 0) check_limit(errno);
  struct stat status = {};
  if (file.value < 0 || fstat(file.value, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const auto size = static_cast<uint64_t>(status.st_size);
  FilePart part;
  part.identity = {.device = status.st_dev,
                   .inode = status.st_ino,
                   .size = size,
                   .modified_ns = static_cast<uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                                  static_cast<uint64_t>(status.st_mtim.tv_nsec)};
  if (range.offset >= size) return part;
  const uint64_t length = std::min(range.length, size - range.offset);
  part.bytes = read_bytes(file.value, length, static_cast<off_t>(range.offset));
  return part;
}

bool is_local_file(const std::string& path) {
  const Fd file(open(path.c_str(), O_PATH | O_CLOEXEC));
  const auto key = read_key(file);
  if (!key) return false;
  const std::vector<Device> local = list_local_devices(static_cast<uint32_t>(getpid()));
  return std::find(local.begin(), local.end(), key->device) != local.end();
}

HostRoots::HostRoots(bool is_host_view) {
  // reading the root of pid 1 can be forbidden
  roots_.emplace_back(open_folder("/proc/1/root"));
  if (is_host_view) roots_.emplace_back(open_folder("/"));
}

bool has_cached_look_up() {
  open_how how = {.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | CACHED};
  const Fd root(static_cast<int>(syscall(__NR_openat2, AT_FDCWD, "/", &how, sizeof(how))));
  return root.value >= 0;
}

std::vector<Fd> HostRoots::open(const std::string& path) const {
  std::vector<Fd> files;
  for (const Fd& root : roots_) {
    Fd file(open_cached(root, path));
    if (file.value >= 0) files.push_back(std::move(file));
  }
  return files;
}

std::vector<uint32_t> list_pids() {
  std::vector<uint32_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (folder == nullptr) throw Failure{errno_name(errno), "cannot list the processes", errno};
  while (const dirent* entry = readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    uint32_t pid = 0;
    const auto [end, error] = std::from_chars(name.begin(), name.end(), pid);
    if (error == std::errc() && end == name.end()) pids.push_back(pid);
  }
  return pids;
}

ProcessFacts read_process(uint32_t pid, const std::string& executable, bool is_host_view) {
  HostFiles host(is_host_view);
  return read_facts(pid, executable, host);
}

void ProcessBatch::read() {
  // long enough for short command lines, and short enough to be copied at once
  constexpr size_t TEXT_MAX = size_t{1} << 20;
  HostFiles host(is_host_view_);
  size_t length = 0;
  for (const ListedProcess& process : processes_) {
    ProcessTexts texts = read_texts(process, host);
    length += texts.facts.command_line.size();
    const std::scoped_lock lock(mutex_);
    complete_.push_back(std::move(texts));
    if (length > TEXT_MAX) break;
  }
}

std::vector<ProcessTexts> ProcessBatch::take() {
  const std::scoped_lock lock(mutex_);
  return std::move(complete_);
}

std::shared_ptr<Fd> open_path(const std::string& path) {
  const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) check_limit(errno);
  return std::make_shared<Fd>(fd);
}

std::shared_ptr<Fd> open_mapped(uint32_t pid, const std::string& path, const Device& device) {
  // the process may have ended
  for (const std::string& root : {process_file(pid, "root"), std::string("/")}) {
    const auto is_local = [&](uint32_t viewer) {
      const std::vector<Device> local = list_local_devices(viewer);
      return std::find(local.begin(), local.end(), device) != local.end();
    };
    if (!is_local(root == "/" ? static_cast<uint32_t>(getpid()) : pid)) continue;
    const Fd folder(open_folder(root.c_str()));
    auto file = std::make_shared<Fd>(open_cached(folder, path));
    const auto key = read_key(*file);
    if (key && key->device == device) return file;
  }
  return std::make_shared<Fd>(-1);
}

}  // namespace polytrace

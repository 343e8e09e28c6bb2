// Reads what traced processes have chosen: their memory maps, their command lines, and files that they map or that
// policies name. Each of these calls can wait as long as a file system does not answer, so they run on FileThreads
// only.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/handles.h"

namespace polytrace {

// A regular file. Two files with equal values have the same content.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  uint64_t modified_ns = 0;
};

struct FileRange {
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct FilePart {
  FileIdentity identity;
  std::vector<uint8_t> bytes;
};

// Reads a part of a file; fewer bytes if the file ends before. Returns nothing if it is not a readable regular file.
std::optional<FilePart> read_part(const std::string& path, const FileRange& range);

// True if the file is on a local file system that this process has mounted.
bool is_local_file(const std::string& path);

struct Device {
  uint32_t major = 0;
  uint32_t minor = 0;
  bool operator==(const Device& other) const = default;
};

// The devices of the local file systems in the process's mount namespace: those that cannot let a read wait forever.
std::vector<Device> list_local_devices(uint32_t pid);

// A range of a process's memory and the file that is mapped there.
struct Mapping {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;
  Device device;
  std::string name;
  bool is_local = false;
};

// Returns the mapping of each address, in the order of the addresses; an empty one where nothing is mapped.
std::vector<Mapping> find_mappings(uint32_t pid, std::span<const uint64_t> addresses);

struct ProcessFacts {
  std::string command_line;
  bool runs_host_file = false;  // the executable is the host's file of its path
};

// `executable` is the target of the process's link to its executable. `is_host_view`: this process has the host's
// mounts, and can look the path up in its own root.
ProcessFacts read_process(uint32_t pid, const std::string& executable, bool is_host_view);

// The texts of a process that are read, beside its command line.
struct WantedTexts {
  bool executable = false;  // also says whether it is the host's file
  bool cwd = false;
  bool thread_name = false;  // of a kernel thread, which has no command line
  bool root = false;         // executable: only if that was removed
};

struct ListedProcess {
  uint32_t thread = 0;  // a thread that has not ended
  WantedTexts wanted;
};

struct ProcessTexts {
  std::string executable;  // the target of the link; the name of a kernel thread
  std::string cwd;
  ProcessFacts facts;
  bool has_host_root = false;  // its root is the root of this process
};

// True if the kernel can look a path up without asking any file system: since Linux 5.12.
bool has_cached_look_up();

// The roots of the host's mounts, as far as this process may use them: that of pid 1, and its own with `is_host_view`.
class HostRoots {
 public:
  explicit HostRoots(bool is_host_view);
  // Opens the host's files with this path (O_PATH): the path of a running executable is in the kernel's cache.
  std::vector<Fd> open(const std::string& path) const;

 private:
  std::vector<Fd> roots_;
};

// Lists the ids of all processes that /proc shows. Nothing that a process has chosen can make it wait.
std::vector<uint32_t> list_pids();

// Reads many processes as read_process() does. It can stop at any of them for ever, so what is complete can be taken
// by another thread at any time.
class ProcessBatch {
 public:
  ProcessBatch(std::vector<ListedProcess> processes, bool is_host_view)
      : processes_(std::move(processes)), is_host_view_(is_host_view) {}
  // Ends early when the texts become long.
  void read();
  // Returns what is complete, in the order of the processes. Any thread, once.
  std::vector<ProcessTexts> take();

 private:
  const std::vector<ListedProcess> processes_;
  const bool is_host_view_;
  std::mutex mutex_;
  std::vector<ProcessTexts> complete_;
};

// Opens a path without opening the file (O_PATH). `value` is negative if there is no such file. This and read_part
// throw Failure if no descriptor is left.
std::shared_ptr<Fd> open_path(const std::string& path);

// The same for a file on a local file system, at a path as the process sees it, or as this process does. The path must
// be in the kernel's cache, as that of a mapped file is.
std::shared_ptr<Fd> open_mapped(uint32_t pid, const std::string& path, const Device& device);

// A container: its cgroup as a folder of this machine, and the path of that cgroup from the root of the hierarchy.
struct ContainerCgroup {
  std::string folder;
  std::string path;
};

struct ContainerFile {
  // waiting: no process of the container has its root yet
  enum class State { found, missing, waiting } state = State::waiting;
  std::shared_ptr<Fd> file;  // O_PATH
  std::string key;           // equal for two paths to the same file, also of two containers of one image
};

// Finds a regular file at a path below the root of a container. Links in the path never lead out of that root.
ContainerFile open_in_container(const ContainerCgroup& cgroup, const std::string& path);

}  // namespace polytrace

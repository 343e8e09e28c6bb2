// Lists the processes that run, with their paths, and checks the list later.
#include <bpf/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backend/bpf_backend.h"
#include "backend/task_iterator.h"
#include "base/abi_types.h"
#include "base/error.h"
#include "loading/object_steps.h"

namespace polytrace {

std::vector<char> run_task_iterator(const bpf_program* program) {
  LogScope log;
  const LinkPtr link(bpf_program__attach_iter(program, nullptr));
  if (!link) throw Failure{"SCAN", "cannot list the processes", errno, log.text()};
  const Fd iterator(bpf_iter_create(bpf_link__fd(link.get())));
  if (iterator.value < 0) throw Failure{"SCAN", "cannot list the processes", iterator.value, log.text()};
  std::vector<char> written;
  char chunk[32768];
  ssize_t got;
  do {
    got = read(iterator.value, chunk, sizeof(chunk));
    if (got > 0) written.insert(written.end(), chunk, chunk + got);
  } while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
  if (got < 0) throw Failure{"SCAN", "cannot list the processes", errno};
  return written;
}

namespace {

// At the end of a path in /proc whose file was removed.
constexpr std::string_view DELETED = " (deleted)";

// Host's files that are open at the same time. There are two for a path at most.
constexpr size_t OPEN_MAX = 64;

bool starts_before(const running_process& a, const running_process& b) {
  return a.key.start_time != b.key.start_time ? a.key.start_time < b.key.start_time : a.key.tgid < b.key.tgid;
}

bool has(const running_process& process, running_flag flag) { return (process.flags & flag) != 0; }

// A struct of the iterator, and the paths in front of it.
struct ListedPaths {
  running_process process = {};
  std::string_view executable, cwd;
};

// Reads backwards: the struct has the lengths of what is in front of it.
std::vector<ListedPaths> parse_list(const std::vector<char>& bytes) {
  std::vector<ListedPaths> list;
  list.reserve(bytes.size() / sizeof(running_process));
  size_t at = bytes.size();
  while (at >= sizeof(running_process)) {
    ListedPaths& next = list.emplace_back();
    at -= sizeof(running_process);
    std::memcpy(&next.process, bytes.data() + at, sizeof(running_process));
    const size_t paths = size_t{next.process.executable} + next.process.cwd;
    if (paths > at) throw Failure{"SCAN", "cannot list the processes", EBADMSG};
    at -= paths;
    next.executable = {bytes.data() + at, next.process.executable};
    next.cwd = {bytes.data() + at + next.process.executable, next.process.cwd};
  }
  std::ranges::sort(list, [](const auto& a, const auto& b) { return starts_before(a.process, b.process); });
  return list;
}

// Gives each different path a number.
class PathNumbers {
 public:
  explicit PathNumbers(RunningProcesses& list) : list_(list) {}

  // 0: the path is not known.
  uint32_t add(std::string_view path, bool is_deleted, bool has_changed) {
    if (path.empty() || has_changed) return 0;
    auto& numbers = is_deleted ? deleted_ : numbers_;
    const auto [found, is_new] = numbers.try_emplace(path, static_cast<uint32_t>(list_.ends.size() + 1));
    if (is_new) {
      list_.texts += path;
      if (is_deleted) list_.texts += DELETED;
      list_.ends.push_back(static_cast<uint32_t>(list_.texts.size()));
    }
    return found->second;
  }

 private:
  RunningProcesses& list_;
  std::unordered_map<std::string_view, uint32_t> numbers_, deleted_;
};

uint8_t find_missing(const running_process& process) {
  const uint8_t cwd = process.cwd == 0 ? TEXT_CWD : 0;
  if (has(process, RUNNING_KERNEL_THREAD)) return TEXT_THREAD_NAME | cwd;
  if (process.executable == 0) return TEXT_EXECUTABLE | cwd;
  return cwd | (has(process, RUNNING_EXECUTABLE_DELETED) ? TEXT_ROOT : 0);
}

// The kernel's addresses of the host's files with certain paths. While it exists, no other file gets these addresses.
class HostInodes {
 public:
  HostInodes(BpfBackend& backend, const OpenHostFiles& open) : backend_(backend), open_(open) {}

  bool is_full() const { return files_.size() >= OPEN_MAX; }

  void add(const std::string& path, uint32_t number) {
    for (Fd& file : open_(path)) {
      const auto inode = backend_.read_inode(static_cast<uint32_t>(file.value), INODE_OF_HOST);
      if (!inode || has(number, inode->address)) continue;
      addresses_.emplace(number, inode->address);
      files_.push_back(std::move(file));
    }
  }

  bool has(uint32_t number, uint64_t address) const {
    const auto [from, to] = addresses_.equal_range(number);
    return std::any_of(from, to, [&](const auto& each) { return each.second == address; });
  }

 private:
  BpfBackend& backend_;
  const OpenHostFiles& open_;
  std::unordered_multimap<uint32_t, uint64_t> addresses_;
  std::vector<Fd> files_;
};

std::string text_of(const RunningProcesses& list, uint32_t number) {
  const uint32_t from = number < 2 ? 0 : list.ends[number - 2];
  return list.texts.substr(from, list.ends[number - 1] - from);
}

// A second list of the kernel. A process that has ended meanwhile is as in the first one.
class LaterProcesses {
 public:
  explicit LaterProcesses(const std::vector<running_process>& all) {
    for (const running_process& process : all) by_pid_.emplace(process.key.tgid, &process);
  }

  const running_process& find(const running_process& earlier) const {
    const auto found = by_pid_.find(earlier.key.tgid);
    const bool is_same = found != by_pid_.end() && found->second->key.start_time == earlier.key.start_time;
    return is_same ? *found->second : earlier;
  }

 private:
  std::unordered_map<uint32_t, const running_process*> by_pid_;
};

}  // namespace

std::optional<RunningProcesses> BpfBackend::list_processes(bool with_paths) {
  bpf_program* const program = sensor_program("list_processes");
  if (!bpf_program__autoload(program)) return std::nullopt;
  std::atomic_ref<uint32_t>(control_.as<control>()->lists_paths).store(with_paths ? 1 : 0);
  const std::vector<char> bytes = run_task_iterator(program);
  RunningProcesses list;
  PathNumbers numbers(list);
  for (ListedPaths& listed : parse_list(bytes)) {
    running_process& process = listed.process;
    process.executable = numbers.add(listed.executable, has(process, RUNNING_EXECUTABLE_DELETED),
                                     has(process, RUNNING_EXECUTABLE_CHANGED));
    process.cwd = numbers.add(listed.cwd, has(process, RUNNING_CWD_DELETED), has(process, RUNNING_CWD_CHANGED));
    list.all.push_back(process);
    list.threads.push_back(process.key.tid);
    list.missing.push_back(find_missing(process));
  }
  return list;
}

std::vector<uint8_t> BpfBackend::check_processes(const RunningProcesses& list, const OpenHostFiles& open_host_files) {
  std::vector<uint8_t> checks(list.all.size());
  size_t next = 0;
  do {
    // as many as there may be open files at the same time
    HostInodes inodes(*this, open_host_files);
    std::unordered_set<uint32_t> seen;
    const size_t first = next;
    for (; next < list.all.size() && !inodes.is_full(); next++) {
      const uint32_t number = list.all[next].executable;
      if (number != 0 && seen.insert(number).second) inodes.add(text_of(list, number), number);
    }
    // the files are open: a process with the same inode has the same file
    const auto now = list_processes(false);
    const LaterProcesses later(now->all);
    for (size_t i = first; i < next; i++) {
      const running_process& earlier = list.all[i];
      const running_process& process = later.find(earlier);
      const bool is_other = process.key.exec_count != earlier.key.exec_count;
      if (&process != &earlier && (is_other || has(process, RUNNING_FORGED))) checks[i] |= CHECK_FORGED;
      if (earlier.executable != 0 && inodes.has(earlier.executable, process.executable_inode)) {
        checks[i] |= CHECK_HOST_FILE;
      }
    }
  } while (next < list.all.size());
  return checks;
}

}  // namespace polytrace

// Finds the mappings of addresses in a process, and the file systems that it has mounted. A process can have 64,000
// mappings: since Linux 6.11, the kernel is asked for single addresses. Before, its list is read.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "files/traced_files.h"

namespace polytrace {

namespace {

constexpr size_t NAME_MAX_BYTES = 4096;
constexpr size_t LINES_BYTES = size_t{64} * 1024;

// struct procmap_query of the kernel's include/uapi/linux/fs.h, which older headers do not have.
struct MapQuery {
  uint64_t size;
  uint64_t flags;
  uint64_t address;
  uint64_t start;
  uint64_t end;
  uint64_t vma_flags;
  uint64_t page_size;
  uint64_t offset;
  uint64_t inode;
  uint32_t major;
  uint32_t minor;
  uint32_t name_size;
  uint32_t build_id_size;
  uint64_t name;
  uint64_t build_id;
};
constexpr unsigned long QUERY = _IOWR('f', 17, MapQuery);

// Returns 0, or the errno of the kernel.
int query_mapping(int maps, uint64_t address, Mapping& found) {
  char name[NAME_MAX_BYTES + 1] = {};
  MapQuery query = {};
  query.size = sizeof(query);
  query.address = address;
  query.name = reinterpret_cast<uint64_t>(name);
  query.name_size = NAME_MAX_BYTES;
  if (ioctl(maps, QUERY, &query) != 0) return errno;
  found = {query.start, query.end, query.offset, {query.major, query.minor}, std::string(name)};
  return 0;
}

// Parses a line of /proc/PID/maps.
bool parse_line(const char* line, Mapping& found) {
  unsigned long start, end, offset;
  unsigned int major, minor;
  int name = 0;
  if (sscanf(line, "%lx-%lx %*4s %lx %x:%x %*u %n", &start, &end, &offset, &major, &minor, &name) != 5) return false;
  found = {start, end, offset, {major, minor}, name > 0 ? line + name : ""};
  return true;
}

// Calls `visit` with each line, which ends with a NUL, until it returns false.
template <typename Visit>
void each_line(int fd, Visit visit) {
  std::string text;
  char chunk[LINES_BYTES];
  for (;;) {
    const ssize_t got = read(fd, chunk, sizeof(chunk));
    if (got <= 0) return;
    text.append(chunk, static_cast<size_t>(got));
    size_t from = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', from)) {
      text[end] = '\0';
      if (!visit(text.c_str() + from)) return;
      from = end + 1;
    }
    text.erase(0, from);
  }
}

// The lines come in the order of their addresses.
void search_lines(int maps, std::span<const uint64_t> addresses, std::vector<Mapping>& found) {
  if (addresses.empty()) return;
  const uint64_t last = *std::max_element(addresses.begin(), addresses.end());
  each_line(maps, [&](const char* line) {
    Mapping mapping;
    if (!parse_line(line, mapping)) return true;
    for (size_t i = 0; i < addresses.size(); i++) {
      if (addresses[i] >= mapping.start && addresses[i] < mapping.end) found[i] = mapping;
    }
    return mapping.end <= last;
  });
}

// File systems that get their data from another process or another machine.
constexpr const char* REMOTE[] = {"fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "coda", "lustre", "gfs", "ocfs"};

bool is_remote(const char* type) {
  return std::any_of(std::begin(REMOTE), std::end(REMOTE),
                     [&](const char* name) { return strncmp(type, name, strlen(name)) == 0; });
}

}  // namespace

std::vector<Device> list_local_devices(uint32_t pid) {
  std::vector<Device> devices;
  const Fd mounts(open(("/proc/" + std::to_string(pid) + "/mountinfo").c_str(), O_RDONLY | O_CLOEXEC));
  if (mounts.value < 0) return devices;
  each_line(mounts.value, [&](const char* line) {
    Device device;
    const char* const type = strstr(line, " - ");
    if (type != nullptr && sscanf(line, "%*u %*u %u:%u", &device.major, &device.minor) == 2 && !is_remote(type + 3)) {
      devices.push_back(device);
    }
    return true;
  });
  return devices;
}

namespace {

void search_addresses(uint32_t pid, std::span<const uint64_t> addresses, std::vector<Mapping>& found) {
  const Fd maps(open(("/proc/" + std::to_string(pid) + "/maps").c_str(), O_RDONLY | O_CLOEXEC));
  if (maps.value < 0) return;
  for (size_t i = 0; i < addresses.size(); i++) {
    if (query_mapping(maps.value, addresses[i], found[i]) != ENOTTY) continue;
    search_lines(maps.value, addresses, found);
    return;
  }
}

}  // namespace

std::vector<Mapping> find_mappings(uint32_t pid, std::span<const uint64_t> addresses) {
  std::vector<Mapping> found(addresses.size());
  search_addresses(pid, addresses, found);
  const std::vector<Device> local = list_local_devices(pid);
  for (Mapping& mapping : found) {
    mapping.is_local = std::find(local.begin(), local.end(), mapping.device) != local.end();
  }
  return found;
}

}  // namespace polytrace

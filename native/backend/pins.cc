#include "backend/pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "base/abi_types.h"
#include "base/error.h"
#include "base/handles.h"

namespace polytrace {

namespace {

// Marks a folder with pins of polytrace. It is the same in every version. `layout` identifies the layout of all other
// pins.
constexpr char MAGIC[16] = "polytrace pins";

struct about {
  char magic[sizeof(MAGIC)];
  char layout[48];
};

using HookName = std::array<char, 512>;

constexpr uint32_t FIRST = 0;

bool read_about(const std::string& folder, about& result) {
  const Fd map(bpf_obj_get((folder + "/" + PIN_ABOUT).c_str()));
  bpf_map_info details = {};
  uint32_t size = sizeof(details);
  if (map.value < 0 || bpf_map_get_info_by_fd(map.value, &details, &size) != 0) return false;
  if (details.type != BPF_MAP_TYPE_ARRAY || details.value_size != sizeof(result)) return false;
  if (bpf_map_lookup_elem(map.value, &FIRST, &result) != 0) return false;
  result.layout[sizeof(result.layout) - 1] = '\0';
  return std::memcmp(result.magic, MAGIC, sizeof(MAGIC)) == 0;
}

// Returns the id of the program that a pinned link runs; 0 if the path is not a link.
uint32_t read_link_program(const std::string& path) {
  const Fd link(bpf_obj_get(path.c_str()));
  bpf_link_info details = {};
  uint32_t size = sizeof(details);
  if (link.value < 0 || bpf_link_get_info_by_fd(link.value, &details, &size) != 0) return 0;
  return details.prog_id;
}

// A detached program may still be running. The kernel frees it when it has ended.
void wait_until_gone(const std::vector<uint32_t>& programs) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (const uint32_t id : programs) {
    while (std::chrono::steady_clock::now() < deadline) {
      if (Fd(bpf_prog_get_fd_by_id(id)).value < 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

using Counts = std::array<uint64_t, HOOKS_MAX>;

int count_record(void* context, void* data, size_t size) {
  if (size < sizeof(event_header)) return 0;
  uint32_t hook = HOOKS_MAX;
  switch (static_cast<event_type>(static_cast<const event_header*>(data)->type)) {
    case EVENT_EXEC: hook = HOOK_EXEC; break;
    case EVENT_EXIT: hook = HOOK_EXIT; break;
    case EVENT_FORK: hook = HOOK_FORK; break;
    case EVENT_HOOK:
      if (size >= sizeof(event_hook)) hook = static_cast<const event_hook*>(data)->hook;
      break;
    case EVENT_CGROUP:
    case EVENT_CGROUP_GONE:
    case EVENT_THROTTLE: break;  // no policy has them
  }
  if (hook < HOOKS_MAX) (*static_cast<Counts*>(context))[hook]++;
  return 0;
}

// Counts the records in the ring and the losses that were not reported. Returns 0 or a negative errno.
int count_unread(int events, int counters, Counts& counts) {
  ring_buffer* ring = ring_buffer__new(events, count_record, &counts, nullptr);
  if (ring == nullptr) return -errno;
  const int consumed = ring_buffer__consume(ring);
  ring_buffer__free(ring);
  if (consumed < 0) return consumed;
  MappedMap mapped;
  const int err = mapped.open(counters, HOOKS_MAX * sizeof(hook_counters));
  if (err != 0) return err;
  const auto* all = mapped.as<hook_counters>();
  for (uint32_t id = 0; id < HOOKS_MAX; id++) {
    const hook_counters& own = all[id];
    counts[id] += own.lost_ring - own.reported_ring + own.lost_pending - own.reported_pending + own.lost_return -
                  own.reported_return;
  }
  return 0;
}

std::vector<UnreadRecords> list_unread(const Counts& counts, int names) {
  std::vector<UnreadRecords> result;
  for (uint32_t id = 0; id < HOOKS_MAX; id++) {
    if (counts[id] == 0) continue;
    HookName name = {};
    if (bpf_map_lookup_elem(names, &id, name.data()) != 0) name.fill('\0');
    name.back() = '\0';
    result.push_back({id, counts[id], name.data()});
  }
  return result;
}

}  // namespace

Pins::~Pins() {
  if (names_fd_ >= 0) close(names_fd_);
}

int Pins::start(const std::string& folder) {
  folder_ = folder;
  const Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "polytrace_about", sizeof(FIRST), sizeof(about), 1, nullptr));
  if (map.value < 0) return map.value;
  about mine = {};
  std::memcpy(mine.magic, MAGIC, sizeof(MAGIC));
  std::strncpy(mine.layout, POLYTRACE_LAYOUT_HASH, sizeof(mine.layout) - 1);
  int err = bpf_map_update_elem(map.value, &FIRST, &mine, BPF_ANY);
  if (err == 0) err = pin(map.value, PIN_ABOUT);
  if (err != 0) return err;
  LIBBPF_OPTS(bpf_map_create_opts, on_demand, .map_flags = BPF_F_NO_PREALLOC);
  names_fd_ =
      bpf_map_create(BPF_MAP_TYPE_HASH, "polytrace_names", sizeof(uint32_t), sizeof(HookName), HOOKS_MAX, &on_demand);
  return names_fd_ < 0 ? names_fd_ : pin(names_fd_, PIN_NAMES);
}

int Pins::pin(int fd, const std::string& name) {
  const auto pinned = pinned_.insert_or_assign(name, folder_ + "/" + name).first;
  const int err = bpf_obj_pin(fd, pinned->second.c_str());
  if (err != 0) pinned_.erase(pinned);
  return err;
}

int Pins::name_hook(uint32_t id, const std::string& text) {
  HookName name = {};
  text.copy(name.data(), name.size() - 1);
  return bpf_map_update_elem(names_fd_, &id, name.data(), BPF_ANY);
}

void Pins::unpin(std::string_view name) noexcept {
  const auto found = pinned_.find(name);
  if (found == pinned_.end()) return;
  unlink(found->second.c_str());
  pinned_.erase(found);
}

void Pins::unpin_all() noexcept {
  // `about` is the last: it marks the folder as one of polytrace
  while (pinned_.size() > 1) unpin(pinned_.rbegin()->first);
  unpin(PIN_ABOUT);
  if (names_fd_ >= 0) close(names_fd_);
  names_fd_ = -1;
}

std::optional<std::string> read_pinned_layout(const std::string& folder) {
  about found = {};
  if (!read_about(folder, found)) return std::nullopt;
  return found.layout;
}

std::optional<std::vector<UnreadRecords>> remove_pins(const std::string& path, const std::vector<std::string>& links) {
  const std::string folder = path + "/";
  about found = {};
  const bool readable = read_about(folder, found) && std::strcmp(found.layout, POLYTRACE_LAYOUT_HASH) == 0;
  const Fd events(readable ? bpf_obj_get((folder + PIN_EVENTS).c_str()) : -1);
  const Fd counters(readable ? bpf_obj_get((folder + PIN_COUNTERS).c_str()) : -1);
  const Fd names(readable ? bpf_obj_get((folder + PIN_NAMES).c_str()) : -1);

  std::vector<uint32_t> programs;
  for (const std::string& name : links) {
    const std::string link = folder + name;
    const uint32_t id = read_link_program(link);
    if (unlink(link.c_str()) != 0) throw Failure{"PERSIST", "cannot remove " + link, errno};
    if (id != 0) programs.push_back(id);
  }
  wait_until_gone(programs);
  if (events.value < 0 || counters.value < 0) return std::nullopt;
  Counts counts = {};
  const int err = count_unread(events.value, counters.value, counts);
  if (err != 0) throw Failure{"PERSIST", "cannot count the events that nobody has read", err};
  return list_unread(counts, names.value);
}

}  // namespace polytrace

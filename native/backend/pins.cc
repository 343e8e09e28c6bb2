#include "backend/pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "backend/unreturned.h"
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

// The name of a hook is stored in parts. The last one ends with a NUL.
struct name_key {
  uint32_t hook;
  uint32_t part;
};
using NamePart = std::array<char, 2048>;
constexpr uint32_t NAME_PARTS_MAX = 4 * HOOKS_MAX;  // memory is allocated for those in use only

constexpr uint32_t FIRST = 0;
constexpr size_t SAVED_PART = size_t{16} * 1024;  // bytes in an entry of the map of save()

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

}  // namespace

void Pins::close() noexcept {
  pinned_.clear();
  if (names_fd_ >= 0) ::close(names_fd_);
  names_fd_ = -1;
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
  names_fd_ = bpf_map_create(BPF_MAP_TYPE_HASH, "polytrace_names", sizeof(name_key), sizeof(NamePart), NAME_PARTS_MAX,
                             &on_demand);
  return names_fd_ < 0 ? names_fd_ : pin(names_fd_, PIN_NAMES);
}

int Pins::pin(int fd, const std::string& name) {
  const auto pinned = pinned_.insert_or_assign(name, folder_ + "/" + name).first;
  const int err = bpf_obj_pin(fd, pinned->second.c_str());
  if (err != 0) pinned_.erase(pinned);
  return err;
}

int Pins::name_hook(uint32_t id, const std::string& text) {
  int err = text.size() < NAME_BYTES_MAX ? 0 : -E2BIG;
  name_key key = {id, 0};
  for (size_t at = 0; err == 0 && at <= text.size(); at += NamePart().size()) {
    NamePart part = {};
    text.copy(part.data(), part.size(), at);
    err = bpf_map_update_elem(names_fd_, &key, part.data(), BPF_ANY);
    key.part++;
  }
  // without all of its parts, there is no text
  key.part = 0;
  if (err != 0) bpf_map_delete_elem(names_fd_, &key);
  return err;
}

int Pins::save(std::span<const uint8_t> bytes, const std::string& name) {
  const size_t parts = (bytes.size() + SAVED_PART - 1) / SAVED_PART;
  if (parts == 0) return 0;
  const Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "polytrace_saved", sizeof(FIRST), SAVED_PART, parts, nullptr));
  if (map.value < 0) return map.value;
  std::vector<uint8_t> part(SAVED_PART);
  for (uint32_t i = 0; i < parts; i++) {
    const auto from = bytes.subspan(i * SAVED_PART).first(std::min(SAVED_PART, bytes.size() - i * SAVED_PART));
    std::fill(std::copy(from.begin(), from.end(), part.begin()), part.end(), uint8_t{0});
    const int err = bpf_map_update_elem(map.value, &i, part.data(), BPF_ANY);
    if (err != 0) return err;
  }
  return pin(map.value, name);
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
  close();
}

std::optional<std::string> read_pinned_layout(const std::string& folder) {
  about found = {};
  if (!read_about(folder, found)) return std::nullopt;
  return found.layout;
}

std::vector<Fd> open_pinned_marks(const std::string& folder) {
  about found = {};
  if (!read_about(folder, found) || std::strcmp(found.layout, POLYTRACE_LAYOUT_HASH) != 0) return {};
  std::vector<Fd> maps;
  for (const char* name : MARK_PINS) {
    Fd map(bpf_obj_get((folder + "/" + name).c_str()));
    if (map.value < 0) return {};
    maps.push_back(std::move(map));
  }
  return maps;
}

std::unique_ptr<PinnedRing> PinnedRing::open(const std::string& folder) {
  about found = {};
  if (!read_about(folder, found) || std::strcmp(found.layout, POLYTRACE_LAYOUT_HASH) != 0) return nullptr;
  Fd events(bpf_obj_get((folder + "/" + PIN_EVENTS).c_str()));
  const Fd counters(bpf_obj_get((folder + "/" + PIN_COUNTERS).c_str()));
  Fd names(bpf_obj_get((folder + "/" + PIN_NAMES).c_str()));
  // a tracer that died directly after its start has not pinned all of them
  if (events.value < 0 || counters.value < 0 || names.value < 0) return nullptr;
  Fd processes(bpf_obj_get((folder + "/" + PIN_PROCESSES).c_str()));
  std::unique_ptr<PinnedRing> ring(new PinnedRing(std::move(events), std::move(names), std::move(processes)));
  const int err = ring->counters_.open(counters.value, HOOKS_MAX * sizeof(hook_counters));
  if (err != 0) throw Failure{"PERSIST", "cannot map the counters of the tracer before", err};
  return ring;
}

std::map<uint32_t, std::string> PinnedRing::read_names() const {
  std::map<uint32_t, std::string> names;
  for (uint32_t id = 0; id < HOOKS_MAX; id++) {
    std::string text;
    name_key key = {id, 0};
    NamePart part = {};
    while (text.size() < NAME_BYTES_MAX && bpf_map_lookup_elem(names_.value, &key, part.data()) == 0) {
      const void* end = std::memchr(part.data(), 0, part.size());
      text.append(part.data(), end == nullptr ? part.size() : static_cast<const char*>(end) - part.data());
      if (end != nullptr) {
        names.emplace(id, std::move(text));
        break;
      }
      key.part++;
    }
  }
  return names;
}

std::vector<uint8_t> PinnedRing::read_processes() const {
  bpf_map_info details = {};
  uint32_t size = sizeof(details);
  if (processes_.value < 0 || bpf_map_get_info_by_fd(processes_.value, &details, &size) != 0) return {};
  if (details.type != BPF_MAP_TYPE_ARRAY || details.value_size != SAVED_PART) return {};
  std::vector<uint8_t> all(size_t{details.max_entries} * SAVED_PART);
  for (uint32_t i = 0; i < details.max_entries; i++) {
    if (bpf_map_lookup_elem(processes_.value, &i, all.data() + size_t{i} * SAVED_PART) != 0) return {};
  }
  return all;
}

std::vector<std::pair<uint32_t, uint64_t>> PinnedRing::read_losses() const {
  std::vector<std::pair<uint32_t, uint64_t>> losses;
  const auto* all = counters_.as<hook_counters>();
  for (uint32_t id = 0; id < HOOKS_MAX; id++) {
    const hook_counters own = all[id];
    const uint64_t count = own.lost_ring - own.reported_ring + own.lost_pending - own.reported_pending +
                           own.lost_return - own.reported_return;
    if (count != 0) losses.emplace_back(id, count);
  }
  return losses;
}

std::vector<PendingCall> remove_pins(const std::string& path, const std::vector<std::string>& links) {
  const std::string folder = path + "/";
  std::vector<uint32_t> programs;
  std::map<uint32_t, Fd> pending;
  for (const std::string& name : links) {
    const std::string link = folder + name;
    const uint32_t id = read_link_program(link);
    if (id != 0) collect_pending_maps(Fd(bpf_prog_get_fd_by_id(id)).value, pending);
    if (unlink(link.c_str()) != 0) throw Failure{"PERSIST", "cannot remove " + link, errno};
    if (id != 0) programs.push_back(id);
  }
  wait_until_gone(programs);
  std::vector<PendingCall> calls;
  for (const auto& [id, map] : pending) {
    for (const event_hook& call : list_pending(map.value)) calls.push_back({call.hook, call.header.time});
  }
  return calls;
}

}  // namespace polytrace

// Closes the BPF object of a hook that is attached. Otherwise each hook would cost about 30 descriptors.
#include <bpf/bpf.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/kernel_file.h"
#include "hooks/hook.h"

namespace polytrace {

namespace {

constexpr std::string_view NOTIFICATIONS = "notifications";
constexpr std::string_view GROUP_MAPS = "group_";

Fd duplicate(int fd) { return polytrace::duplicate(fd, "a hook needs more of them"); }

// Returns the bytes that the kernel accounts for the program or map; 0 if /proc is not mounted.
uint64_t read_memlock(int fd) {
  constexpr std::string_view key = "\nmemlock:";
  std::string text;
  if (read_kernel_file("/proc/self/fdinfo/" + std::to_string(fd), text) != 0) return 0;
  const size_t at = text.find(key);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + key.size(), nullptr, 10);
}

bool is_sensor_map(std::string_view name) {
  const auto is_name = [&](std::string_view each) { return each == name; };
  return std::ranges::any_of(SHARED_MAPS, is_name) || std::ranges::any_of(MARK_MAPS, is_name);
}

void keep_programs(Hook& hook) {
  bpf_program* program;
  bpf_object__for_each_program(program, hook.object.get()) {
    const int fd = bpf_program__fd(program);
    if (fd < 0) continue;
    hook.memory += read_memlock(fd);
    hook.programs.push_back(duplicate(fd));
  }
}

bool owns_notifications(const HookSpec& spec) {
  return std::ranges::any_of(
      spec.maps, [](const MapSpec& map) { return map.name == NOTIFICATIONS && map.create && !map.shared_with; });
}

// A trampoline follows each call.
bool can_miss_returns(std::string_view mechanism) { return mechanism != "fentry" && mechanism != "lsm"; }

// The member of the hook that keeps this map for reading; null for other maps, and for a map that is not created:
// libbpf has a descriptor without a map for it.
ReadableMap* kept_map(Hook& hook, const bpf_map* map) {
  if (!bpf_map__autocreate(map)) return nullptr;
  const std::string_view name = bpf_map__name(map);
  if (name == "count_keys") return &hook.counts.keys;
  if (name == ".data.direct_keys") return &hook.counts.direct;
  if (name == "count_totals") return &hook.counts.totals;
  return name == "count_texts" ? &hook.counts.texts : nullptr;
}

// The name of a variable that has a section of its own.
std::string_view without_section(std::string_view name) {
  constexpr std::string_view SECTION = ".data.";
  if (name.starts_with(SECTION)) name.remove_prefix(SECTION.size());
  return name;
}

void keep_maps(Hook& hook, const HookSpec& spec) {
  const bool owns = owns_notifications(spec);
  const bool can_miss = can_miss_returns(spec.target.mechanism);
  bpf_map* map;
  bpf_object__for_each_map(map, hook.object.get()) {
    const int fd = bpf_map__fd(map);
    if (fd < 0 || is_sensor_map(bpf_map__name(map))) continue;
    hook.memory += read_memlock(fd);
    if (owns && bpf_map__name(map) == NOTIFICATIONS) hook.notifications = duplicate(fd);
    if (ReadableMap* const kept = kept_map(hook, map); kept != nullptr) {
      *kept = {duplicate(fd), bpf_map__key_size(map), bpf_map__value_size(map), bpf_map__max_entries(map)};
    }
    const std::string_view table = without_section(bpf_map__name(map));
    if (spec.changeable && bpf_map__autocreate(map) && table.starts_with(GROUP_MAPS)) {
      hook.group_maps[std::string(table)] = {duplicate(fd), bpf_map__key_size(map), bpf_map__value_size(map), 0};
    }
    if (bpf_map__autocreate(map) && std::string_view(bpf_map__name(map)) == "pending") hook.may_miss_returns = can_miss;
  }
}

}  // namespace

// libbpf's links of static probes refer to their object, so it stays open for them.
void release_object(Hook& hook, const HookSpec& spec) {
  keep_programs(hook);
  keep_maps(hook, spec);
  if (spec.target.mechanism != "usdt") hook.object.reset();
}

}  // namespace polytrace

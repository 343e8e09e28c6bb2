#include "backend/unreturned.h"

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <new>
#include <span>
#include <string_view>
#include <vector>

namespace polytrace {

namespace {

constexpr size_t PENDING_EVENT = 24;  // the offset of `event` in struct hook_record (bpf/record.bpf.h)
constexpr ino_t INITIAL_PID_NAMESPACE = 0xEFFFFFFC;
constexpr size_t NESTED_MAX = 8;  // calls of one function that a thread can be in at once

struct PendingRecord {
  std::vector<uint8_t> frame;  // the key
  event_hook call;
};

void visit_records(int map, const std::function<void(const PendingRecord&)>& visit) {
  bpf_map_info details = {};
  uint32_t size = sizeof(details);
  if (bpf_map_get_info_by_fd(map, &details, &size) != 0 || details.value_size < PENDING_EVENT + sizeof(event_hook))
    return;
  PendingRecord record = {std::vector<uint8_t>(details.key_size), {}};
  std::vector<uint8_t> before(details.key_size), value(details.value_size);
  for (uint32_t i = 0; i < details.max_entries; i++) {
    if (bpf_map_get_next_key(map, i == 0 ? nullptr : before.data(), record.frame.data()) != 0) return;
    before = record.frame;
    if (bpf_map_lookup_elem(map, record.frame.data(), value.data()) != 0) continue;
    std::memcpy(&record.call, value.data() + PENDING_EVENT, sizeof(record.call));
    visit(record);
  }
}

bool is_in_initial_pid_namespace() {
  struct stat status = {};
  return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == INITIAL_PID_NAMESPACE;
}

bool has_ended(const process_key& thread) {
  return syscall(SYS_tgkill, thread.tgid, thread.tid, 0) != 0 && errno == ESRCH;
}

// Returns the calls of one thread that cannot return any more.
std::span<PendingRecord> find_unreturned(std::vector<PendingRecord>& calls) {
  if (has_ended(calls.front().call.key)) return calls;
  if (calls.size() <= NESTED_MAX) return {};
  std::ranges::sort(calls, {}, [](const PendingRecord& each) { return each.call.header.time; });
  return std::span(calls).first(calls.size() - NESTED_MAX);
}

void remove_unreturned(int map, hook_counters* counters) {
  std::map<std::pair<uint32_t, uint32_t>, std::vector<PendingRecord>> threads;
  visit_records(map, [&threads](const PendingRecord& record) {
    threads[{record.call.key.tgid, record.call.key.tid}].push_back(record);
  });
  for (auto& [thread, calls] : threads) {
    for (const PendingRecord& lost : find_unreturned(calls)) {
      if (lost.call.hook >= HOOKS_MAX || bpf_map_delete_elem(map, lost.frame.data()) != 0) continue;
      std::atomic_ref<uint64_t>(counters[lost.call.hook].lost_return).fetch_add(1);
    }
  }
}

}  // namespace

void collect_pending_maps(int program, std::map<uint32_t, Fd>& pending) {
  std::array<uint32_t, 64> ids = {};  // no program has more maps
  bpf_prog_info details = {};
  details.nr_map_ids = ids.size();
  details.map_ids = reinterpret_cast<uintptr_t>(ids.data());
  uint32_t size = sizeof(details);
  if (program < 0 || bpf_prog_get_info_by_fd(program, &details, &size) != 0) return;
  for (uint32_t i = 0; i < std::min<size_t>(details.nr_map_ids, ids.size()); i++) {
    Fd map(bpf_map_get_fd_by_id(ids[i]));
    bpf_map_info about_map = {};
    uint32_t map_size = sizeof(about_map);
    if (map.value < 0 || bpf_map_get_info_by_fd(map.value, &about_map, &map_size) != 0) continue;
    if (std::string_view(about_map.name) == "pending") pending.insert_or_assign(ids[i], std::move(map));
  }
}

std::vector<event_hook> list_pending(int map) {
  std::vector<event_hook> calls;
  visit_records(map, [&calls](const PendingRecord& record) { calls.push_back(record.call); });
  return calls;
}

void remove_unreturned(std::span<const Fd> programs, hook_counters* counters) noexcept try {
  if (counters == nullptr || !is_in_initial_pid_namespace()) return;
  std::map<uint32_t, Fd> pending;
  for (const Fd& program : programs) collect_pending_maps(program.value, pending);
  for (const auto& [id, map] : pending) remove_unreturned(map.value, counters);
} catch (const std::bad_alloc&) {
  // the records stay in the table
}

}  // namespace polytrace

// Reads the kernel's counters: losses, hits of hooks, and the memory of hooks.
#include <bpf/bpf.h>

#include <array>
#include <ctime>
#include <new>
#include <string_view>
#include <utility>

#include "backend/bpf_backend.h"
#include "base/abi_types.h"

namespace polytrace {

namespace {

// Returns false if there is no memory for the count, so that the next call reports it.
template <typename Count>
bool append(std::vector<Count>& list, const Count& count) {
  try {
    list.push_back(count);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// The events of the base sensor's programs, by HOOK_EXEC, HOOK_EXIT and HOOK_FORK.
constexpr std::array<std::string_view, 3> SENSOR_EVENTS = {"exec", "exit", "fork"};
static_assert(HOOK_EXEC == 0 && HOOK_EXIT == 1 && HOOK_FORK == 2);

// How often the kernel did not run a program, because it had suspended it on the same CPU.
uint64_t read_recursion_misses(int fd) {
  bpf_prog_info details = {};
  uint32_t size = sizeof(details);
  return bpf_obj_get_info_by_fd(fd, &details, &size) == 0 ? details.recursion_misses : 0;
}

}  // namespace

std::vector<Losses> BpfBackend::take_losses() {
  const std::scoped_lock lock(mutex_);
  std::vector<Losses> result;
  auto* all = counters_.as<hook_counters>();
  for (uint32_t id = 0; all != nullptr && id < counted_end_; id++) {
    const hook_counters now = all[id];
    const Losses lost = {id, now.lost_ring - now.reported_ring, now.lost_pending - now.reported_pending,
                         now.lost_return - now.reported_return};
    if ((lost.ring | lost.pending | lost.at_return) == 0) continue;
    if (!append(result, lost)) break;
    all[id].reported_ring = now.lost_ring;
    all[id].reported_pending = now.lost_pending;
    all[id].reported_return = now.lost_return;
  }
  return result;
}

bool BpfBackend::is_throttled(uint64_t cgroup) const {
  const std::scoped_lock lock(mutex_);
  const bpf_map* rates = sensor_ ? bpf_object__find_map_by_name(sensor_.get(), "cgroup_rates") : nullptr;
  cgroup_rate rate = {};
  if (rates == nullptr || bpf_map_lookup_elem(bpf_map__fd(rates), &cgroup, &rate) != 0) return false;
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec) < rate.until;
}

HookCounts BpfBackend::hook_counts(uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  const auto* all = counters_.as<hook_counters>();
  if (all == nullptr || id >= HOOKS_MAX) return {};
  const hook_counters own = all[id];
  return {own.matched, own.suppressed, own.enforced, own.hits};
}

uint64_t BpfBackend::hook_memory(uint32_t id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = hooks_.find(id);
  return found == hooks_.end() ? 0 : found->second.memory;
}

void BpfBackend::keep_missed_runs(const std::map<uint32_t, Hook>& hooks) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto* all = counters_.as<hook_counters>();
  for (const auto& [id, hook] : hooks) {
    if (all == nullptr || all[id].move == 0) continue;
    uint64_t missed = 0;
    for (const Fd& program : hook.programs) missed += read_recursion_misses(program.value);
    if (missed > hook.missed) append(moved_missed_, MissedRuns{id, missed - hook.missed});
  }
}

std::vector<MissedRuns> BpfBackend::take_missed_runs(uint32_t limit) {
  const std::scoped_lock lock(mutex_);
  std::vector<MissedRuns> result = std::exchange(moved_missed_, {});
  for (uint32_t event = 0; sensor_ && event < sensor_missed_.size(); event++) {
    const uint64_t missed = read_recursion_misses(event_program(SENSOR_EVENTS[event]));
    if (missed <= sensor_missed_[event]) continue;
    if (!append(result, MissedRuns{event, missed - sensor_missed_[event]})) return result;
    sensor_missed_[event] = missed;
  }
  const size_t count = std::min<size_t>(limit, hooks_.size());
  auto next = hooks_.lower_bound(next_counted_);
  for (size_t i = 0; i < count; i++, next++) {
    if (next == hooks_.end()) next = hooks_.begin();
    auto& [id, hook] = *next;
    uint64_t missed = hook.count_missed_runs();
    for (const Fd& program : hook.programs) missed += read_recursion_misses(program.value);
    if (missed <= hook.missed) continue;
    if (!append(result, MissedRuns{id, missed - hook.missed})) break;
    hook.missed = missed;
  }
  next_counted_ = next == hooks_.end() ? 0 : next->first;
  return result;
}

}  // namespace polytrace

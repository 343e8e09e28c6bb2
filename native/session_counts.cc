// What the kernel counts: losses, what hooks did, the memory that they take.
#include <bpf/bpf.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "abi_types.h"
#include "session.h"

namespace polytrace {

namespace {

// Bytes, as the kernel accounts them; 0 where /proc is not mounted.
uint64_t memory_of(int fd) {
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(fd));
  for (std::string word; file >> word;) {
    uint64_t bytes = 0;
    if (word == "memlock:" && file >> bytes) return bytes;
  }
  return 0;
}

bool is_shared(const char* name) {
  return std::any_of(std::begin(SHARED_MAPS), std::end(SHARED_MAPS), [&](std::string_view each) { return each == name; });
}

// What a kprobe has not told its program; 0 where the kernel does not say. A return that was missed is counted by the programs.
uint64_t missed_by_link(int fd) {
  bpf_link_info details = {};
  uint32_t size = sizeof(details);
  if (bpf_obj_get_info_by_fd(fd, &details, &size) != 0) return 0;
  if (details.type == BPF_LINK_TYPE_KPROBE_MULTI) return details.kprobe_multi.missed;
  const bool is_kprobe = details.type == BPF_LINK_TYPE_PERF_EVENT && details.perf_event.type == BPF_PERF_EVENT_KPROBE;
  return is_kprobe ? details.perf_event.kprobe.missed : 0;
}

}  // namespace

uint64_t Session::missed_by_links(const Hook& hook) {
  uint64_t missed = hook.missed_before_detach;
  for (const int fd : hook.counted) missed += missed_by_link(fd);
  return missed;
}

// [hook, lost for want of room in the ring, of a place until the return, of the return itself, …] since the last call
Napi::Value Session::take_losses(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  auto* all = counters_.as<hook_counters>();
  uint32_t length = 0;
  for (uint32_t id = 0; all != nullptr && id < HOOKS_MAX; id++) {
    const hook_counters now = all[id];
    const uint64_t losses[] = {now.lost_ring - now.told_ring, now.lost_pending - now.told_pending,
                               now.lost_return - now.told_return};
    if ((losses[0] | losses[1] | losses[2]) == 0) continue;
    result.Set(length++, Napi::Number::New(info.Env(), id));
    for (const uint64_t lost : losses) result.Set(length++, Napi::Number::New(info.Env(), static_cast<double>(lost)));
    all[id].told_ring = now.lost_ring;
    all[id].told_pending = now.lost_pending;
    all[id].told_return = now.lost_return;
  }
  return result;
}

// (hook): [calls that a selector with actions matched, events that a rate limit held back, calls that were acted on, hits]
Napi::Value Session::hook_counts(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env(), 4);
  const auto* all = counters_.as<hook_counters>();
  const uint32_t id = info[0].As<Napi::Number>().Uint32Value();
  const hook_counters own = all == nullptr || id >= HOOKS_MAX ? hook_counters{} : all[id];
  uint32_t i = 0;
  for (const uint64_t count : {own.matched, own.suppressed, own.enforced, own.hits}) {
    result.Set(i++, Napi::Number::New(info.Env(), static_cast<double>(count)));
  }
  return result;
}

// (hook): bytes of its programs, and of the maps that are its own
Napi::Value Session::hook_memory(const Napi::CallbackInfo& info) {
  uint64_t bytes = 0;
  const auto found = hooks_.find(info[0].As<Napi::Number>().Uint32Value());
  if (found != hooks_.end()) {
    for (const int fd : found->second.programs) bytes += memory_of(fd);
    bpf_map* map;
    bpf_object__for_each_map(map, found->second.object.get()) {
      if (bpf_map__fd(map) >= 0 && !is_shared(bpf_map__name(map))) bytes += memory_of(bpf_map__fd(map));
    }
  }
  return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

// [hook, count, …] since the last call: how often the kernel skipped a program, or what would have run it, because it
// was already running on the CPU
Napi::Value Session::take_missed(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  uint32_t length = 0;
  for (auto& [id, hook] : hooks_) {
    uint64_t missed = missed_by_links(hook);
    for (const int fd : hook.programs) {
      bpf_prog_info details = {};
      uint32_t size = sizeof(details);
      if (bpf_obj_get_info_by_fd(fd, &details, &size) == 0) missed += details.recursion_misses;
    }
    if (missed <= hook.missed) continue;
    result.Set(length++, Napi::Number::New(info.Env(), id));
    result.Set(length++, Napi::Number::New(info.Env(), static_cast<double>(missed - hook.missed)));
    hook.missed = missed;
  }
  return result;
}

}  // namespace polytrace

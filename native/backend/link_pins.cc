// Pins the links of the backend. A pinned link stays attached when its descriptor is closed, so it outlives the
// process.
#include <bpf/libbpf.h>
#include <unistd.h>

#include "backend/bpf_backend.h"
#include "base/error.h"

namespace polytrace {

namespace {

// Closes the descriptors without detaching: bpf_link__destroy() alone would detach.
void disconnect_links(std::vector<LinkPtr>& links) noexcept {
  for (LinkPtr& link : links) {
    const int fd = bpf_link__fd(link.get());
    bpf_link__disconnect(link.get());
    link.reset();
    ::close(fd);
  }
  links.clear();
}

// The string is so short that it needs no heap memory.
std::string hook_pin_name(uint32_t id, size_t index) {
  return HOOK_PIN + std::to_string(id) + "-" + std::to_string(index);
}

}  // namespace

void BpfBackend::pin_link(int link, const std::string& name) {
  if (!pins_.is_active()) return;
  const int err = pins_.pin(link, name);
  if (err != 0) throw Failure{"PERSIST", "the kernel cannot pin what is attached", err};
}

void BpfBackend::pin_hook(uint32_t id, const Hook& hook) {
  if (!pins_.is_active()) return;
  const std::vector<int> links = hook.list_links();
  for (size_t i = 0; i < links.size(); i++) pin_link(links[i], hook_pin_name(id, i));
}

void BpfBackend::unpin_hook(uint32_t id, const Hook& hook) noexcept {
  const size_t count = hook.probes.links().size() + hook.links.size();
  for (size_t i = 0; i < count; i++) pins_.unpin(hook_pin_name(id, i));
}

void BpfBackend::pin_to(const std::string& folder) {
  int err = pins_.start(folder);
  for (const char* name : {PIN_EVENTS, PIN_COUNTERS}) {
    if (err == 0) err = pins_.pin(bpf_map__fd(sensor_map(name)), name);
  }
  if (err != 0) {
    pins_.unpin_all();
    throw Failure{"PERSIST", "cannot pin to the folder", err};
  }
  for (size_t i = 0; i < sensor_links_.size(); i++) {
    pin_link(bpf_link__fd(sensor_links_[i].get()), SENSOR_PIN + std::to_string(i));
  }
}

void BpfBackend::save_processes(std::span<const uint8_t> records) {
  if (!pins_.is_active()) return;
  const int err = pins_.save(records, PIN_PROCESSES);
  if (err != 0) throw Failure{"PERSIST", "cannot keep the running processes", err};
}

void BpfBackend::name_hook(uint32_t id, const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (!pins_.is_active()) return;
  const int err = pins_.name_hook(id, name);
  if (err != 0) throw Failure{"PERSIST", "cannot note what a hook is called", err};
}

void BpfBackend::detach_links(bool keep) noexcept {
  const bool keeps_pinned = keep && pins_.is_active();
  if (!keeps_pinned) {
    const std::scoped_lock lock(mutex_);
    pins_.unpin_all();
  }
  {
    const std::scoped_lock lock(mutex_);
    for (auto& [id, hook] : hooks_) {
      hook.missed_before_detach = hook.count_missed_runs();
      hook.counted.clear();
      if (keeps_pinned) disconnect_links(hook.links);
    }
  }
  // the sensor stays attached until all hooks are detached
  call_tables_.clear();
  destroy_hook_links(hooks_);
  for (std::vector<LinkPtr>* links : {&sockets_links_, &sensor_links_}) {
    if (keeps_pinned) disconnect_links(*links);
    destroy_links(*links);
  }
}

void BpfBackend::detach(bool keep) noexcept {
  detach_links(keep);
  // pinned links do not need these descriptors
  for (auto& [id, hook] : hooks_) detach_probes(hook);
  if (!keep || !pins_.is_active()) count_unreturned_calls(hooks_);
}

}  // namespace polytrace

// Pinned links outlive the process: they go on when their descriptors are closed.
#include <bpf/libbpf.h>
#include <unistd.h>

#include "error.h"
#include "kernel_side.h"

namespace polytrace {

namespace {

// Closes the descriptors without detaching: libbpf would stop what it has attached.
void let_go(std::vector<LinkPtr>& links) noexcept {
  for (LinkPtr& link : links) {
    const int fd = bpf_link__fd(link.get());
    bpf_link__disconnect(link.get());
    link.reset();
    ::close(fd);
  }
  links.clear();
}

// So short that it needs no memory of the heap.
std::string hook_pin(uint32_t id, size_t index) {
  return HOOK_PIN + std::to_string(id) + "-" + std::to_string(index);
}

}  // namespace

void KernelSide::pin_link(int link, const std::string& name) {
  if (!pins_.active()) return;
  const int err = pins_.pin(link, name);
  if (err != 0) throw Failure{"PERSIST", "the kernel cannot pin what is attached", err};
}

void KernelSide::pin_hook(uint32_t id, const Hook& hook) {
  if (!pins_.active()) return;
  const std::vector<int> links = hook.all_links();
  for (size_t i = 0; i < links.size(); i++) pin_link(links[i], hook_pin(id, i));
}

void KernelSide::unpin_hook(uint32_t id, const Hook& hook) noexcept {
  const size_t count = hook.probes.links().size() + hook.links.size();
  for (size_t i = 0; i < count; i++) pins_.unpin(hook_pin(id, i));
}

void KernelSide::pin_to(const std::string& folder) {
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

void KernelSide::name_hook(uint32_t id, const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (!pins_.active()) return;
  const int err = pins_.name_hook(id, name);
  if (err != 0) throw Failure{"PERSIST", "cannot note what a hook is called", err};
}

void KernelSide::detach_links(bool keep) noexcept {
  const bool lets_go = keep && pins_.active();
  if (!lets_go) {
    const std::scoped_lock lock(mutex_);
    pins_.unpin_all();
  }
  {
    const std::scoped_lock lock(mutex_);
    for (auto& [id, hook] : hooks_) {
      hook.missed_before_detach = hook.missed_by_links();
      hook.counted.clear();
      if (lets_go) let_go(hook.links);
    }
  }
  // the sensor goes on until all hooks have ended
  destroy_links(hooks_);
  for (std::vector<LinkPtr>* links : {&sockets_links_, &sensor_links_}) {
    if (lets_go) let_go(*links);
    destroy(*links);
  }
}

void KernelSide::detach(bool keep) noexcept {
  detach_links(keep);
  // pinned links do not need these descriptors
  for (auto& [id, hook] : hooks_) silence(hook);
}

}  // namespace polytrace

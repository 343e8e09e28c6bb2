// What outlives the session: links that are pinned go on when their descriptors are closed.
#include <bpf/libbpf.h>
#include <unistd.h>

#include "error.h"
#include "session.h"

namespace polytrace {

namespace {

// Closed without being detached: libbpf would stop what it has attached.
void let_go(std::vector<LinkPtr>& links) {
  for (LinkPtr& link : links) {
    const int fd = bpf_link__fd(link.get());
    bpf_link__disconnect(link.get());
    link.reset();
    ::close(fd);
  }
}

}  // namespace

std::string Session::sensor_pin(size_t index) { return "sensor-" + std::to_string(index); }

std::string Session::hook_pin(uint32_t id, size_t index) {
  return "hook-" + std::to_string(id) + "-" + std::to_string(index);
}

void Session::pin_link(Napi::Env env, int link, const std::string& name) {
  if (!pins_.active()) return;
  const int err = pins_.pin(link, name);
  if (err != 0) throw make_error(env, "PERSIST", "the kernel cannot pin what is attached", err);
}

std::vector<int> Session::links_of(const Hook& hook) {
  std::vector<int> result = hook.probes.links();
  for (const LinkPtr& link : hook.links) result.push_back(bpf_link__fd(link.get()));
  return result;
}

// All or none.
void Session::pin_hook(Napi::Env env, uint32_t id, const Hook& hook) {
  try {
    const std::vector<int> links = links_of(hook);
    for (size_t i = 0; i < links.size(); i++) pin_link(env, links[i], hook_pin(id, i));
  } catch (...) {
    unpin_hook(id, hook);
    throw;
  }
}

void Session::unpin_hook(uint32_t id, const Hook& hook) {
  for (size_t i = 0; i < links_of(hook).size(); i++) pins_.unpin(hook_pin(id, i));
}

// (folder of a BPF file system, empty): from here on everything that is attached goes on when this process dies.
Napi::Value Session::pin_to(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int err = pins_.start(info[0].As<Napi::String>().Utf8Value());
  for (const char* name : {"events", "counters"}) {
    if (err == 0) err = pins_.pin(bpf_map__fd(sensor_map(env, name)), name);
  }
  if (err != 0) {
    pins_.unpin_all();
    throw make_error(env, "PERSIST", "cannot pin to the folder", err);
  }
  for (size_t i = 0; i < sensor_links_.size(); i++) pin_link(env, bpf_link__fd(sensor_links_[i].get()), sensor_pin(i));
  return env.Undefined();
}

// (hook, what it is called), for whoever finds it
Napi::Value Session::name_hook(const Napi::CallbackInfo& info) {
  if (!pins_.active()) return info.Env().Undefined();
  const int err = pins_.name_hook(info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::String>().Utf8Value());
  if (err != 0) throw make_error(info.Env(), "PERSIST", "cannot note what a hook is called", err);
  return info.Env().Undefined();
}

void Session::detach_all(bool keep) {
  const bool lets_go = keep && pins_.active();
  if (!lets_go) pins_.unpin_all();
  const auto detach = [&](std::vector<LinkPtr>& links) {
    if (lets_go) let_go(links);
    links.clear();
  };
  for (auto& [id, hook] : hooks_) {
    hook.missed_before_detach = missed_by_links(hook);
    hook.counted.clear();
    detach(hook.links);
  }
  detach(sockets_links_);
  detach(sensor_links_);
}

// (whether what is pinned goes on): nothing new is recorded for this session from here on; what was can still be read.
Napi::Value Session::detach(const Napi::CallbackInfo& info) {
  detach_all(info[0].ToBoolean());
  // what is pinned does not need the descriptors
  for (auto& [id, hook] : hooks_) hook.probes.close_later(info.Env());
  return info.Env().Undefined();
}

}  // namespace polytrace

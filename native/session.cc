#include "session.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "arguments.h"
#include "features.h"
#include "held_types.h"
#include "pins.h"
#include "types.h"

namespace polytrace {

namespace {

uint32_t number_argument(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Uint32Value();
}

std::string text_argument(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::String>().Utf8Value();
}

bool flag_argument(const Napi::CallbackInfo& info, size_t index) { return info[index].ToBoolean(); }

std::span<const uint8_t> bytes_argument(const Napi::CallbackInfo& info, size_t index) {
  const auto array = info[index].As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

process_sets sets_argument(const Napi::CallbackInfo& info, size_t index = 0) {
  const auto bytes = bytes_argument(info, index);
  process_sets sets = {};
  if (bytes.size() != sizeof(sets)) throw Failure{"MAP_ENTRY_SIZE", "sets of another size"};
  std::memcpy(&sets, bytes.data(), sizeof(sets));
  return sets;
}

// Structs, one after the other.
template <typename Struct>
std::vector<Struct> structs_argument(const Napi::CallbackInfo& info, size_t index) {
  const auto bytes = bytes_argument(info, index);
  if (bytes.size() % sizeof(Struct) != 0) throw Failure{"MAP_ENTRY_SIZE", "entries of another size"};
  std::vector<Struct> result(bytes.size() / sizeof(Struct));
  if (!result.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

ScopeChange scopes_argument(const Napi::CallbackInfo& info) {
  ScopeChange change;
  const auto defaults = structs_argument<scope_set>(info, 0);
  if (defaults.size() != change.defaults.size()) throw Failure{"MAP_ENTRY_SIZE", "scopes of another size"};
  std::copy(defaults.begin(), defaults.end(), change.defaults.begin());
  change.named = structs_argument<NamedCgroup>(info, 1);
  change.gone = structs_argument<uint64_t>(info, 2);
  return change;
}

SensorSpec read_sensor_spec(const Napi::Object& options) {
  return {text(options, "object"), number(options, "ringBytes"), number(options, "processes"),
          flag(options, "includeSelf"), flag(options, "onDemand")};
}

Napi::Number to_number(Napi::Env env, uint64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

// The result of a job that has none.
Worker::Result nothing() { return nullptr; }

}  // namespace

Napi::Function Session::define(Napi::Env env) {
  return DefineClass(env, "Session",
                     {
                         InstanceMethod<&Session::call<&Session::probe_features>>("probeFeatures"),
                         InstanceMethod<&Session::call<&Session::read_types>>("readTypes"),
                         InstanceMethod<&Session::call<&Session::release_types>>("releaseTypes"),
                         InstanceMethod<&Session::call<&Session::take_pins>>("takePins"),
                         InstanceMethod<&Session::call<&Session::open>>("open"),
                         InstanceMethod<&Session::call<&Session::start>>("start"),
                         InstanceMethod<&Session::call<&Session::arm>>("arm"),
                         InstanceMethod<&Session::call<&Session::set_active>>("setActive"),
                         InstanceMethod<&Session::call<&Session::drain>>("drain"),
                         InstanceMethod<&Session::call<&Session::used>>("used"),
                         InstanceMethod<&Session::call<&Session::watch>>("watch"),
                         InstanceMethod<&Session::call<&Session::watched>>("watched"),
                         InstanceMethod<&Session::call<&Session::add_hook>>("addHook"),
                         InstanceMethod<&Session::call<&Session::remove_hooks>>("removeHooks"),
                         InstanceMethod<&Session::call<&Session::put_entries>>("putEntries"),
                         InstanceMethod<&Session::call<&Session::use_process_sets>>("useProcessSets"),
                         InstanceMethod<&Session::call<&Session::set_kinds>>("setKinds"),
                         InstanceMethod<&Session::call<&Session::clear_sets>>("clearSets"),
                         InstanceMethod<&Session::call<&Session::begin_scan>>("beginScan"),
                         InstanceMethod<&Session::call<&Session::finish_scan>>("finishScan"),
                         InstanceMethod<&Session::call<&Session::keep_state>>("keepState"),
                         InstanceMethod<&Session::call<&Session::use_scopes>>("useScopes"),
                         InstanceMethod<&Session::call<&Session::set_scopes>>("setScopes"),
                         InstanceMethod<&Session::call<&Session::inode_of>>("inodeOf"),
                         InstanceMethod<&Session::call<&Session::delete_entries>>("deleteEntries"),
                         InstanceMethod<&Session::call<&Session::take_losses>>("takeLosses"),
                         InstanceMethod<&Session::call<&Session::take_missed>>("takeMissed"),
                         InstanceMethod<&Session::call<&Session::hook_counts>>("hookCounts"),
                         InstanceMethod<&Session::call<&Session::hook_memory>>("hookMemory"),
                         InstanceMethod<&Session::call<&Session::pin_to>>("pinTo"),
                         InstanceMethod<&Session::call<&Session::name_hook>>("nameHook"),
                         InstanceMethod<&Session::call<&Session::set_enforces>>("setEnforces"),
                         InstanceMethod<&Session::call<&Session::protect_ancestors>>("protectAncestors"),
                         InstanceMethod<&Session::call<&Session::set_tracks_sockets>>("setTracksSockets"),
                         InstanceMethod<&Session::call<&Session::self_tgid>>("selfTgid"),
                         InstanceMethod<&Session::call<&Session::detach>>("detach"),
                         InstanceMethod<&Session::call<&Session::close>>("close"),
                     });
}

Session::Session(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Session>(info), env_(info.Env()) {
  has_exit_hook_ = napi_add_env_cleanup_hook(env_, on_env_exit, this) == napi_ok;
}

Session::~Session() {
  if (has_exit_hook_) napi_remove_env_cleanup_hook(env_, on_env_exit, this);
  close_all();
}

void Session::on_env_exit(void* self) { static_cast<Session*>(self)->close_all(); }

void Session::close_all() {
  worker_.stop();
  ring_.close();
  kernel_.close();
  polytrace::close_all(kernel_.take_silenced());
}

Napi::Value Session::later(const Napi::CallbackInfo& info, Worker::Work work) {
  return worker_.run(info.Env(), info.This().As<Napi::Object>(), std::move(work));
}

Napi::Value Session::change(const Napi::CallbackInfo& info, std::function<void(KernelSide&)> change) {
  return later(info, [this, change = std::move(change)] {
    change(kernel_);
    return nothing();
  });
}

template <typename Change>
Napi::Value Session::finish(const Napi::CallbackInfo& info, const Change& change) {
  try {
    return this->change(info, change);
  } catch (...) {
    worker_.stop();
    change(kernel_);
    return info.Env().Undefined();
  }
}

Napi::Value Session::probe_features(const Napi::CallbackInfo& info) {
  return later(info, [] {
    return [found = polytrace::try_features()](Napi::Env env) { return polytrace::to_object(env, found); };
  });
}

// A promise of something that keeps the running kernel's types in memory as long as it is referenced.
Napi::Value Session::read_types(const Napi::CallbackInfo& info) {
  return later(info, [] {
    auto types = Types::of_kernel();
    types->index();
    return [types](Napi::Env env) -> Napi::Value {
      auto held = std::make_unique<HeldTypes>(env, types);
      const auto result = Napi::External<HeldTypes>::New(env, held.get(), [](Napi::Env, HeldTypes* last) { delete last; });
      (void)held.release();
      return result;
    };
  });
}

// (what readTypes() gave)
Napi::Value Session::release_types(const Napi::CallbackInfo& info) {
  info[0].As<Napi::External<HeldTypes>>().Data()->release();
  return info.Env().Undefined();
}

// (folder, [names of links]), see pins.h
Napi::Value Session::take_pins(const Napi::CallbackInfo& info) {
  std::vector<std::string> links;
  const auto names = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < names.Length(); i++) links.push_back(names.Get(i).As<Napi::String>().Utf8Value());
  return later(info, [folder = text_argument(info, 0), links = std::move(links)] {
    return [unread = polytrace::take_pins(folder, links)](Napi::Env env) { return polytrace::to_array(env, unread); };
  });
}

// ({ object, ringBytes, processes, includeSelf, onDemand })
Napi::Value Session::open(const Napi::CallbackInfo& info) {
  return later(info, [this, spec = read_sensor_spec(info[0].As<Napi::Object>())] {
    kernel_.open(spec);
    return [this](Napi::Env env) {
      const int err = ring_.open(kernel_.events_fd());
      if (err != 0) throw Failure{"MAP_SETUP", "cannot map the ring buffer", err};
      return env.Undefined();
    };
  });
}

// (onReadable)
Napi::Value Session::start(const Napi::CallbackInfo& info) {
  const int err = ring_.start(info.Env(), info[0].As<Napi::Function>());
  if (err != 0) throw Failure{"RING_START", "cannot start the reader", err};
  return info.Env().Undefined();
}

Napi::Value Session::arm(const Napi::CallbackInfo& info) {
  if (kernel_.request_wakeup()) ring_.arm();
  return info.Env().Undefined();
}

// (active)
Napi::Value Session::set_active(const Napi::CallbackInfo& info) {
  ring_.set_active(info.Env(), info[0].ToBoolean());
  return info.Env().Undefined();
}

// (slab, offset): the offset after the last record that was copied
Napi::Value Session::drain(const Napi::CallbackInfo& info) {
  auto slab = info[0].As<Napi::Uint8Array>();
  return to_number(info.Env(), ring_.drain(slab.Data(), slab.ByteLength(), number_argument(info, 1)));
}

Napi::Value Session::used(const Napi::CallbackInfo& info) { return to_number(info.Env(), ring_.used()); }

// (object), see survivors.h
Napi::Value Session::watch(const Napi::CallbackInfo& info) {
  return survivors_.add(info.Env(), info[0].As<Napi::Object>());
}

Napi::Value Session::watched(const Napi::CallbackInfo& info) { return survivors_.rest(info.Env()); }

// (spec): a promise of the indexes of the places that were left out
Napi::Value Session::add_hook(const Napi::CallbackInfo& info) {
  auto spec = std::make_shared<const HookSpec>(read_hook_spec(info[0].As<Napi::Object>()));
  return later(info, [this, spec] {
    std::vector<uint32_t> left_out;
    try {
      left_out = kernel_.add_hook(*spec);
    } catch (...) {
      polytrace::close_all(kernel_.take_silenced());
      throw;
    }
    return [left_out](Napi::Env env) -> Napi::Value {
      Napi::Array result = Napi::Array::New(env);
      for (const uint32_t place : left_out) result.Set(result.Length(), place);
      return result;
    };
  });
}

// (hooks): in one go, so that their probes end together
Napi::Value Session::remove_hooks(const Napi::CallbackInfo& info) {
  std::vector<uint32_t> ids;
  const auto all = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < all.Length(); i++) ids.push_back(all.Get(i).As<Napi::Number>().Uint32Value());
  return change(info, [ids](KernelSide& kernel) {
    kernel.remove_hooks(ids);
    polytrace::close_all(kernel.take_silenced());
  });
}

// (hook, enforces)
Napi::Value Session::set_enforces(const Napi::CallbackInfo& info) {
  kernel_.set_enforces(number_argument(info, 0), info[1].ToBoolean());
  return info.Env().Undefined();
}

// (map, entries)
Napi::Value Session::put_entries(const Napi::CallbackInfo& info) {
  return change(info, [map = text_argument(info, 0), entries = bytes_of(info[1])](KernelSide& kernel) {
    kernel.put_entries(map, entries);
  });
}

// (map, keys)
Napi::Value Session::delete_entries(const Napi::CallbackInfo& info) {
  return change(info, [map = text_argument(info, 0), keys = bytes_of(info[1])](KernelSide& kernel) {
    kernel.delete_entries(map, keys);
  });
}

Napi::Value Session::use_process_sets(const Napi::CallbackInfo& info) {
  return change(info, [](KernelSide& kernel) { kernel.use_process_sets(); });
}

// (sets)
Napi::Value Session::set_kinds(const Napi::CallbackInfo& info) {
  kernel_.set_kinds(sets_argument(info, 0), sets_argument(info, 1), sets_argument(info, 2));
  return info.Env().Undefined();
}

// (sets)
Napi::Value Session::clear_sets(const Napi::CallbackInfo& info) {
  return change(info, [sets = sets_argument(info)](KernelSide& kernel) { kernel.clear_sets(sets); });
}

// (sets)
Napi::Value Session::begin_scan(const Napi::CallbackInfo& info) {
  return change(info, [sets = sets_argument(info)](KernelSide& kernel) { kernel.begin_scan(sets); });
}

// (sets)
Napi::Value Session::finish_scan(const Napi::CallbackInfo& info) {
  return change(info, [sets = sets_argument(info)](KernelSide& kernel) { kernel.finish_scan(sets); });
}

// (mount)
Napi::Value Session::use_scopes(const Napi::CallbackInfo& info) {
  return change(info, [mount = text_argument(info, 0)](KernelSide& kernel) { kernel.use_scopes(mount); });
}

// (defaults, named, gone): a struct scope_set of each enum cgroup_kind; an id and a struct scope_set of each container; ids
Napi::Value Session::set_scopes(const Napi::CallbackInfo& info) {
  return change(info, [scopes = scopes_argument(info)](KernelSide& kernel) { kernel.set_scopes(scopes); });
}

Napi::Value Session::keep_state(const Napi::CallbackInfo& info) {
  return change(info, [](KernelSide& kernel) { kernel.keep_state(); });
}

Napi::Value Session::protect_ancestors(const Napi::CallbackInfo& info) {
  return change(info, [](KernelSide& kernel) { kernel.protect_ancestors(); });
}

// (tracks)
Napi::Value Session::set_tracks_sockets(const Napi::CallbackInfo& info) {
  return change(info, [tracks = flag_argument(info, 0)](KernelSide& kernel) { kernel.set_tracks_sockets(tracks); });
}

// (descriptor of this process): { device, inode }, or undefined when it names no file
Napi::Value Session::inode_of(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto found = kernel_.inode_of(number_argument(info, 0));
  if (!found) return env.Undefined();
  Napi::Object result = Napi::Object::New(env);
  result.Set("device", Napi::Number::New(env, found->device));
  result.Set("inode", Napi::BigInt::New(env, static_cast<uint64_t>(found->inode)));
  return result;
}

// [hook, lost in the ring, lost at the entry, lost at the return, …]
Napi::Value Session::take_losses(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  for (const Losses& lost : kernel_.take_losses()) {
    for (const uint64_t value : {uint64_t{lost.hook}, lost.ring, lost.pending, lost.at_return}) {
      result.Set(result.Length(), to_number(info.Env(), value));
    }
  }
  return result;
}

// [hook, count, …]
Napi::Value Session::take_missed(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  for (const auto& [hook, count] : kernel_.take_missed()) {
    result.Set(result.Length(), to_number(info.Env(), hook));
    result.Set(result.Length(), to_number(info.Env(), count));
  }
  return result;
}

// (hook): [matched, suppressed, enforced, hits]
Napi::Value Session::hook_counts(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env(), 4);
  const HookCounts counts = kernel_.hook_counts(number_argument(info, 0));
  uint32_t i = 0;
  for (const uint64_t count : {counts.matched, counts.suppressed, counts.enforced, counts.hits}) {
    result.Set(i++, to_number(info.Env(), count));
  }
  return result;
}

// (hook): bytes
Napi::Value Session::hook_memory(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), kernel_.hook_memory(number_argument(info, 0)));
}

// (folder of a BPF file system, empty)
Napi::Value Session::pin_to(const Napi::CallbackInfo& info) {
  return change(info, [folder = text_argument(info, 0)](KernelSide& kernel) { kernel.pin_to(folder); });
}

// (hook, name)
Napi::Value Session::name_hook(const Napi::CallbackInfo& info) {
  kernel_.name_hook(number_argument(info, 0), text_argument(info, 1));
  return info.Env().Undefined();
}

Napi::Value Session::self_tgid(const Napi::CallbackInfo& info) { return to_number(info.Env(), kernel_.self_tgid()); }

// (keep)
Napi::Value Session::detach(const Napi::CallbackInfo& info) {
  return finish(info, [keep = flag_argument(info, 0)](KernelSide& kernel) { kernel.detach(keep); });
}

Napi::Value Session::close(const Napi::CallbackInfo& info) {
  ring_.close();
  return finish(info, [](KernelSide& kernel) {
    kernel.close();
    polytrace::close_all(kernel.take_silenced());
  });
}

}  // namespace polytrace

#include "binding/session.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <memory>
#include <utility>

#include "base/free_memory.h"
#include "base/parallel.h"
#include "binding/arguments.h"
#include "binding/cached_btf.h"
#include "binding/features.h"
#include "binding/hook_spec_reader.h"
#include "binding/pins.h"
#include "btf/btf_types.h"
#include "files/traced_files.h"

namespace polytrace {

namespace {

uint32_t number_argument(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Uint32Value();
}

std::string string_argument(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::String>().Utf8Value();
}

bool flag_argument(const Napi::CallbackInfo& info, size_t index) { return info[index].ToBoolean(); }

std::span<const uint8_t> bytes_argument(const Napi::CallbackInfo& info, size_t index) {
  const auto array = info[index].As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

template <typename Element>
Napi::Value copy_array(Napi::Env env, const std::vector<Element>& from) {
  auto array = Napi::TypedArrayOf<Element>::New(env, from.size());
  std::copy(from.begin(), from.end(), array.Data());
  return array;
}

Napi::Value to_object(Napi::Env env, const RunningProcesses& list) {
  const auto* records = reinterpret_cast<const char*>(list.all.data());
  auto result = Napi::Object::New(env);
  result.Set("records", Napi::Buffer<char>::Copy(env, records, list.all.size() * sizeof(running_process)));
  result.Set("texts", Napi::Buffer<char>::Copy(env, list.texts.data(), list.texts.size()));
  result.Set("ends", copy_array<uint32_t>(env, list.ends));
  result.Set("threads", copy_array<uint32_t>(env, list.threads));
  result.Set("missing", copy_array<uint8_t>(env, list.missing));
  return result;
}

process_sets sets_argument(const Napi::CallbackInfo& info, size_t index = 0) {
  const auto bytes = bytes_argument(info, index);
  process_sets sets = {};
  if (bytes.size() != sizeof(sets)) throw Failure{"MAP_ENTRY_SIZE", "sets of another size"};
  std::memcpy(&sets, bytes.data(), sizeof(sets));
  return sets;
}

// An array of structs as bytes.
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
  return {
      read_string(options, "object"),    read_number(options, "ringBytes"),  read_number(options, "processes"),
      read_flag(options, "includeSelf"), read_flag(options, "onDemand"),     read_flag(options, "exclusive"),
      read_flag(options, "environment"), read_number(options, "rateEvents"), read_number(options, "rateIntervalMs")};
}

Napi::Number to_number(Napi::Env env, uint64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

// The result of a job that resolves with undefined.
Worker::Result no_result() { return nullptr; }

}  // namespace

Napi::Function Session::define(Napi::Env env) {
  return DefineClass(env, "Session",
                     {
                         InstanceMethod<&Session::call<&Session::use_kernel_btf>>("useKernelBtf"),
                         InstanceMethod<&Session::call<&Session::probe_features>>("probeFeatures"),
                         InstanceMethod<&Session::call<&Session::load_kernel_btf>>("loadKernelBtf"),
                         InstanceMethod<&Session::call<&Session::release_kernel_btf>>("releaseKernelBtf"),
                         InstanceMethod<&Session::call<&Session::remove_pins>>("removePins"),
                         InstanceMethod<&Session::call<&Session::prepare_ring>>("prepareRing"),
                         InstanceMethod<&Session::call<&Session::open>>("open"),
                         InstanceMethod<&Session::call<&Session::start>>("start"),
                         InstanceMethod<&Session::call<&Session::arm>>("arm"),
                         InstanceMethod<&Session::call<&Session::set_active>>("setActive"),
                         InstanceMethod<&Session::call<&Session::drain>>("drain"),
                         InstanceMethod<&Session::call<&Session::unread_bytes>>("unreadBytes"),
                         InstanceMethod<&Session::call<&Session::track>>("track"),
                         InstanceMethod<&Session::call<&Session::take_tracked>>("takeTracked"),
                         InstanceMethod<&Session::call<&Session::add_hook>>("addHook"),
                         InstanceMethod<&Session::call<&Session::remove_hooks>>("removeHooks"),
                         InstanceMethod<&Session::call<&Session::sweep_pending>>("sweepPending"),
                         InstanceMethod<&Session::call<&Session::put_entries>>("putEntries"),
                         InstanceMethod<&Session::call<&Session::put_hook_entries>>("putHookEntries"),
                         InstanceMethod<&Session::call<&Session::delete_hook_entries>>("deleteHookEntries"),
                         InstanceMethod<&Session::call<&Session::wait_for_programs>>("waitForPrograms"),
                         InstanceMethod<&Session::call<&Session::enable_process_sets>>("enableProcessSets"),
                         InstanceMethod<&Session::call<&Session::set_process_set_kinds>>("setProcessSetKinds"),
                         InstanceMethod<&Session::call<&Session::clear_sets>>("clearSets"),
                         InstanceMethod<&Session::call<&Session::begin_scan>>("beginScan"),
                         InstanceMethod<&Session::call<&Session::track_arguments>>("trackArguments"),
                         InstanceMethod<&Session::call<&Session::put_arguments>>("putArguments"),
                         InstanceMethod<&Session::call<&Session::finish_scan>>("finishScan"),
                         InstanceMethod<&Session::call<&Session::enable_process_state>>("enableProcessState"),
                         InstanceMethod<&Session::call<&Session::enable_scopes>>("enableScopes"),
                         InstanceMethod<&Session::call<&Session::set_scopes>>("setScopes"),
                         InstanceMethod<&Session::call<&Session::read_inode>>("readInode"),
                         InstanceMethod<&Session::call<&Session::is_throttled>>("isThrottled"),
                         InstanceMethod<&Session::call<&Session::delete_entries>>("deleteEntries"),
                         InstanceMethod<&Session::call<&Session::take_losses>>("takeLosses"),
                         InstanceMethod<&Session::call<&Session::take_missed_runs>>("takeMissedRuns"),
                         InstanceMethod<&Session::call<&Session::hook_counts>>("hookCounts"),
                         InstanceMethod<&Session::call<&Session::hook_memory>>("hookMemory"),
                         InstanceMethod<&Session::call<&Session::pin_to>>("pinTo"),
                         InstanceMethod<&Session::call<&Session::save_processes>>("saveProcesses"),
                         InstanceMethod<&Session::call<&Session::name_hook>>("nameHook"),
                         InstanceMethod<&Session::call<&Session::set_enforcement>>("setEnforcement"),
                         InstanceMethod<&Session::call<&Session::set_move>>("setMove"),
                         InstanceMethod<&Session::call<&Session::load_marks>>("loadMarks"),
                         InstanceMethod<&Session::call<&Session::name_mark>>("nameMark"),
                         InstanceMethod<&Session::call<&Session::read_sums>>("readSums"),
                         InstanceMethod<&Session::call<&Session::list_processes>>("listProcesses"),
                         InstanceMethod<&Session::call<&Session::check_processes>>("checkProcesses"),
                         InstanceMethod<&Session::call<&Session::list_pids>>("listPids"),
                         InstanceMethod<&Session::call<&Session::protect_ancestors>>("protectAncestors"),
                         InstanceMethod<&Session::call<&Session::set_socket_tracking>>("setSocketTracking"),
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
  ended_ring_.reset();
  forget_ring_map();
  backend_.close();
  polytrace::close_all(backend_.take_detached_events());
  kernel_types_.reset();
}

void Session::forget_ring_map() noexcept {
  preparing_ = {};
  ring_map_ = Fd(-1);
}

Napi::Value Session::run_on_worker(const Napi::CallbackInfo& info, Worker::Work work) {
  return worker_.run(info.Env(), info.This().As<Napi::Object>(), std::move(work));
}

Napi::Value Session::run_change(const Napi::CallbackInfo& info, std::function<void(BpfBackend&)> change) {
  return run_on_worker(info, [this, change = std::move(change)] {
    change(backend_);
    return no_result();
  });
}

template <typename Change>
Napi::Value Session::run_final_change(const Napi::CallbackInfo& info, const Change& change) {
  try {
    return run_change(info, change);
  } catch (...) {
    worker_.stop();
    change(backend_);
    return info.Env().Undefined();
  }
}

// (path of a file with the types of the kernel, or an empty string for its own BTF)
Napi::Value Session::use_kernel_btf(const Napi::CallbackInfo& info) {
  return run_on_worker(info, [this, path = string_argument(info, 0)] {
    kernel_types_ = BtfTypes::choose_kernel_file(path);
    return no_result();
  });
}

Napi::Value Session::probe_features(const Napi::CallbackInfo& info) {
  return run_on_worker(info, [] {
    return [found = polytrace::try_features()](Napi::Env env) { return polytrace::to_object(env, found); };
  });
}

// Resolves with an object that keeps the running kernel's BTF in memory while it is referenced.
Napi::Value Session::load_kernel_btf(const Napi::CallbackInfo& info) {
  return run_on_worker(info, [] {
    auto types = BtfTypes::load_kernel();
    types->index();
    return [types](Napi::Env env) -> Napi::Value {
      auto cached = std::make_unique<CachedBtf>(env, types);
      const auto result =
          Napi::External<CachedBtf>::New(env, cached.get(), [](Napi::Env, CachedBtf* last) { delete last; });
      (void)cached.release();
      return result;
    };
  });
}

// (the object that loadKernelBtf() resolved with)
Napi::Value Session::release_kernel_btf(const Napi::CallbackInfo& info) {
  info[0].As<Napi::External<CachedBtf>>().Data()->release();
  return_free_memory();
  return info.Env().Undefined();
}

// (folder, [names of links]): resolves with [hook, time of the entry, …], see backend/pins.h
Napi::Value Session::remove_pins(const Napi::CallbackInfo& info) {
  std::vector<std::string> links;
  const auto names = info[1].As<Napi::Array>();
  links.reserve(names.Length());
  for (uint32_t i = 0; i < names.Length(); i++) links.push_back(names.Get(i).As<Napi::String>().Utf8Value());
  return run_on_worker(info, [folder = string_argument(info, 0), links = std::move(links)] {
    return [pending = polytrace::remove_pins(folder, links)](Napi::Env env) -> Napi::Value {
      Napi::Array result = Napi::Array::New(env);
      for (const auto& [hook, time] : pending) {
        result.Set(result.Length(), Napi::Number::New(env, hook));
        result.Set(result.Length(), Napi::BigInt::New(env, time));
      }
      return result;
    };
  });
}

// (bytes)
Napi::Value Session::prepare_ring(const Napi::CallbackInfo& info) {
  preparing_ = start_thread([this, bytes = number_argument(info, 0)] { return ring_.create(bytes); });
  return info.Env().Undefined();
}

// ({ object, ringBytes, processes, includeSelf, onDemand, exclusive, environment, rateEvents, rateIntervalMs })
Napi::Value Session::open(const Napi::CallbackInfo& info) {
  return run_on_worker(info, [this, spec = read_sensor_spec(info[0].As<Napi::Object>())] {
    MappedRing prepared = preparing_.valid() ? preparing_.get() : MappedRing{};
    // if the kernel has refused the ring, it says why when the backend asks for another one
    backend_.open(spec, prepared.map.value);
    if (prepared.ring) {
      ring_.open(prepared);
      ring_map_ = std::move(prepared.map);
      return no_result();
    }
    const int err = ring_.open(backend_.events_fd());
    if (err != 0) throw Failure{"MAP_SETUP", "cannot map the ring buffer", err};
    return no_result();
  });
}

// (onReadable)
Napi::Value Session::start(const Napi::CallbackInfo& info) {
  const int err = ring_.start(info.Env(), info[0].As<Napi::Function>());
  if (err != 0) throw Failure{"RING_START", "cannot start the reader", err};
  return info.Env().Undefined();
}

Napi::Value Session::arm(const Napi::CallbackInfo& info) {
  if (backend_.request_wakeup()) ring_.arm();
  return info.Env().Undefined();
}

// (active)
Napi::Value Session::set_active(const Napi::CallbackInfo& info) {
  ring_.set_active(info.Env(), info[0].ToBoolean());
  return info.Env().Undefined();
}

// (buffer, offset): returns the offset after the last record that was copied
Napi::Value Session::drain(const Napi::CallbackInfo& info) {
  auto buffer = info[0].As<Napi::Uint8Array>();
  return to_number(info.Env(), ring_.drain(buffer.Data(), buffer.ByteLength(), number_argument(info, 1)));
}

Napi::Value Session::unread_bytes(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), ring_.unread_bytes());
}

// (object), see gc_tracker.h
Napi::Value Session::track(const Napi::CallbackInfo& info) {
  return gc_tracker_.track(info.Env(), info[0].As<Napi::Object>());
}

Napi::Value Session::take_tracked(const Napi::CallbackInfo& info) { return gc_tracker_.take_all(info.Env()); }

std::future<Hook> Session::start_loading(const std::shared_ptr<const HookSpec>& spec) {
  const auto load = [this, spec] { return backend_.load_hook(*spec); };
  return uses_other_maps(*spec) ? std::async(std::launch::deferred, load) : start_thread(load);
}

// (spec): resolves with the indexes of the attach points that were skipped
Napi::Value Session::add_hook(const Napi::CallbackInfo& info) {
  auto spec = std::make_shared<const HookSpec>(read_hook_spec(info[0].As<Napi::Object>()));
  // a job that is dropped waits for its thread
  auto loading = std::make_shared<std::future<Hook>>(start_loading(spec));
  return run_on_worker(info, [this, spec, loading] {
    std::vector<uint32_t> skipped;
    try {
      skipped = backend_.add_hook(*spec, loading->get());
    } catch (...) {
      polytrace::close_all(backend_.take_detached_events());
      throw;
    }
    return [skipped](Napi::Env env) -> Napi::Value {
      Napi::Array result = Napi::Array::New(env);
      for (const uint32_t point : skipped) result.Set(result.Length(), point);
      return result;
    };
  });
}

// (hooks): removes all in one call, so that their probes are detached together
Napi::Value Session::remove_hooks(const Napi::CallbackInfo& info) {
  std::vector<uint32_t> ids;
  const auto all = info[0].As<Napi::Array>();
  ids.reserve(all.Length());
  for (uint32_t i = 0; i < all.Length(); i++) ids.push_back(all.Get(i).As<Napi::Number>().Uint32Value());
  return run_change(info, [ids](BpfBackend& backend) {
    backend.remove_hooks(ids);
    polytrace::close_all(backend.take_detached_events());
  });
}

// (hook)
Napi::Value Session::sweep_pending(const Napi::CallbackInfo& info) {
  return run_change(info, [id = number_argument(info, 0)](BpfBackend& backend) { backend.sweep_pending(id); });
}

// (hook, enforces)
Napi::Value Session::set_enforcement(const Napi::CallbackInfo& info) {
  backend_.set_enforcement(number_argument(info, 0), info[1].ToBoolean());
  return info.Env().Undefined();
}

// (hook, move)
Napi::Value Session::set_move(const Napi::CallbackInfo& info) {
  backend_.set_move(number_argument(info, 0), number_argument(info, 1));
  return info.Env().Undefined();
}

// (map, entries)
Napi::Value Session::put_entries(const Napi::CallbackInfo& info) {
  return run_change(info, [map = string_argument(info, 0), entries = copy_bytes(info[1])](BpfBackend& backend) {
    backend.put_entries(map, entries);
  });
}

// (map, keys)
Napi::Value Session::delete_entries(const Napi::CallbackInfo& info) {
  return run_change(info, [map = string_argument(info, 0), keys = copy_bytes(info[1])](BpfBackend& backend) {
    backend.delete_entries(map, keys);
  });
}

// (hook, map, entries)
Napi::Value Session::put_hook_entries(const Napi::CallbackInfo& info) {
  return run_change(
      info, [id = number_argument(info, 0), map = string_argument(info, 1),
             entries = copy_bytes(info[2])](BpfBackend& backend) { backend.put_hook_entries(id, map, entries); });
}

// (hook, map, keys)
Napi::Value Session::delete_hook_entries(const Napi::CallbackInfo& info) {
  return run_change(info, [id = number_argument(info, 0), map = string_argument(info, 1), keys = copy_bytes(info[2])](
                              BpfBackend& backend) { backend.delete_hook_entries(id, map, keys); });
}

Napi::Value Session::wait_for_programs(const Napi::CallbackInfo& info) {
  return run_change(info, [](BpfBackend& backend) { backend.wait_for_programs(); });
}

Napi::Value Session::enable_process_sets(const Napi::CallbackInfo& info) {
  return run_change(info, [](BpfBackend& backend) { backend.enable_process_sets(); });
}

// (sets, sets, sets, sets), see ProcessSetKinds
Napi::Value Session::set_process_set_kinds(const Napi::CallbackInfo& info) {
  backend_.set_process_set_kinds({.followed = sets_argument(info, 0),
                                  .trusted = sets_argument(info, 1),
                                  .prefixed = sets_argument(info, 2),
                                  .selecting = sets_argument(info, 3)});
  return info.Env().Undefined();
}

// (sets)
Napi::Value Session::clear_sets(const Napi::CallbackInfo& info) {
  return run_change(info, [sets = sets_argument(info)](BpfBackend& backend) { backend.clear_sets(sets); });
}

// (sets)
Napi::Value Session::begin_scan(const Napi::CallbackInfo& info) {
  return run_change(info, [sets = sets_argument(info)](BpfBackend& backend) { backend.begin_scan(sets); });
}

// (enum argument_tracking)
Napi::Value Session::track_arguments(const Napi::CallbackInfo& info) {
  const auto tracking = static_cast<argument_tracking>(number_argument(info, 0));
  return run_change(info, [tracking](BpfBackend& backend) { backend.track_arguments(tracking); });
}

// (pid, arguments, isCut)
Napi::Value Session::put_arguments(const Napi::CallbackInfo& info) {
  return run_change(
      info, [pid = number_argument(info, 0), arguments = copy_bytes(info[1]), is_cut = info[2].ToBoolean().Value()](
                BpfBackend& backend) { backend.put_arguments(pid, arguments, is_cut); });
}

// (sets)
Napi::Value Session::finish_scan(const Napi::CallbackInfo& info) {
  return run_change(info, [sets = sets_argument(info)](BpfBackend& backend) { backend.finish_scan(sets); });
}

// (mount)
Napi::Value Session::enable_scopes(const Napi::CallbackInfo& info) {
  return run_change(info, [mount = string_argument(info, 0)](BpfBackend& backend) { backend.enable_scopes(mount); });
}

// (defaults, named, gone): a struct scope_set of each enum cgroup_kind; an id and a struct scope_set of each named
// container; the ids of containers without a name now
Napi::Value Session::set_scopes(const Napi::CallbackInfo& info) {
  return run_change(info, [scopes = scopes_argument(info)](BpfBackend& backend) { backend.set_scopes(scopes); });
}

Napi::Value Session::enable_process_state(const Napi::CallbackInfo& info) {
  return run_change(info, [](BpfBackend& backend) { backend.enable_process_state(); });
}

// ({ object, owners, details, onDemand, earlier }): resolves with the bytes of all struct mark_name
Napi::Value Session::load_marks(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  MarksSpec spec = {read_string(options, "object"),
                    read_number(options, "owners"),
                    read_number(options, "details"),
                    read_flag(options, "onDemand"),
                    {}};
  const auto earlier = options.Get("earlier").As<Napi::Array>();
  for (uint32_t i = 0; i < earlier.Length(); i++) {
    spec.earlier.push_back(earlier.Get(i).As<Napi::String>().Utf8Value());
  }
  return run_on_worker(info, [this, spec = std::move(spec)] {
    return [names = backend_.load_marks(spec)](Napi::Env env) -> Napi::Value {
      return Napi::Buffer<uint8_t>::Copy(env, names.data(), names.size());
    };
  });
}

// (hook): resolves with the tables of a struct HookSums; null for a hook without Count actions.
Napi::Value Session::read_sums(const Napi::CallbackInfo& info) {
  return run_on_worker(info, [this, id = number_argument(info, 0)] {
    return [sums = backend_.read_sums(id)](Napi::Env env) -> Napi::Value {
      if (!sums) return env.Null();
      Napi::Object result = Napi::Object::New(env);
      result["keys"] = Napi::Buffer<uint8_t>::Copy(env, sums->keys.data(), sums->keys.size());
      result["totals"] = Napi::Buffer<uint8_t>::Copy(env, sums->totals.data(), sums->totals.size());
      result["texts"] = Napi::Buffer<uint8_t>::Copy(env, sums->texts.data(), sums->texts.size());
      result["keySize"] = Napi::Number::New(env, sums->key_size);
      result["sumSize"] = Napi::Number::New(env, sums->sum_size);
      return result;
    };
  });
}

// (slot, struct mark_name)
Napi::Value Session::name_mark(const Napi::CallbackInfo& info) {
  const auto names = structs_argument<mark_name>(info, 1);
  if (names.size() != 1) throw Failure{"MAP_ENTRY_SIZE", "the name of a mark has another size"};
  return run_change(info, [slot = number_argument(info, 0), name = names.front()](BpfBackend& backend) {
    backend.name_mark(slot, name);
  });
}

// Resolves with { records, texts, ends, threads, missing } of struct RunningProcesses; null if the kernel cannot list
// them.
Napi::Value Session::list_processes(const Napi::CallbackInfo& info) {
  return run_on_worker(info, [this]() -> Worker::Result {
    // where a look-up can wait for a file system, the paths are read from /proc on other threads
    auto listed = backend_.list_processes(has_cached_look_up());
    listed_ = listed ? std::make_shared<RunningProcesses>(std::move(*listed)) : nullptr;
    return [list = listed_](Napi::Env env) -> Napi::Value {
      if (list == nullptr) return env.Null();
      return to_object(env, *list);
    };
  });
}

// (this process has the host's mounts): resolves with enum listed_check of each process of the list
Napi::Value Session::check_processes(const Napi::CallbackInfo& info) {
  return run_on_worker(info, [this, is_host_view = flag_argument(info, 0)]() -> Worker::Result {
    const auto list = std::exchange(listed_, nullptr);
    if (list == nullptr) throw Failure{"SCAN", "there is no list of processes"};
    const HostRoots roots(is_host_view);
    auto checks = backend_.check_processes(*list, [&](const std::string& path) { return roots.open(path); });
    return [checks = std::move(checks)](Napi::Env env) -> Napi::Value { return copy_array<uint8_t>(env, checks); };
  });
}

// Resolves with the ids of all processes that /proc shows.
Napi::Value Session::list_pids(const Napi::CallbackInfo& info) {
  return run_on_worker(info, []() -> Worker::Result {
    return [pids = polytrace::list_pids()](Napi::Env env) -> Napi::Value { return copy_array<uint32_t>(env, pids); };
  });
}

Napi::Value Session::protect_ancestors(const Napi::CallbackInfo& info) {
  return run_change(info, [](BpfBackend& backend) { backend.protect_ancestors(); });
}

// (tracks)
Napi::Value Session::set_socket_tracking(const Napi::CallbackInfo& info) {
  return run_change(info,
                    [tracks = flag_argument(info, 0)](BpfBackend& backend) { backend.set_socket_tracking(tracks); });
}

// (descriptor of this process): returns { device, inode }, or undefined for a descriptor without a file
Napi::Value Session::read_inode(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto found = backend_.read_inode(number_argument(info, 0));
  if (!found) return env.Undefined();
  Napi::Object result = Napi::Object::New(env);
  result.Set("device", Napi::Number::New(env, found->device));
  result.Set("inode", Napi::BigInt::New(env, static_cast<uint64_t>(found->inode)));
  return result;
}

// (id of a cgroup)
Napi::Value Session::is_throttled(const Napi::CallbackInfo& info) {
  bool lossless = false;
  return Napi::Boolean::New(info.Env(), backend_.is_throttled(info[0].As<Napi::BigInt>().Uint64Value(&lossless)));
}

// Returns [hook, lost in the ring, lost at the entry, lost at the return, …].
Napi::Value Session::take_losses(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  for (const Losses& lost : backend_.take_losses()) {
    for (const uint64_t value : {uint64_t{lost.hook}, lost.ring, lost.pending, lost.at_return}) {
      result.Set(result.Length(), to_number(info.Env(), value));
    }
  }
  return result;
}

// (limit): returns [hook, count, …].
Napi::Value Session::take_missed_runs(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  for (const auto& [hook, count] : backend_.take_missed_runs(number_argument(info, 0))) {
    result.Set(result.Length(), to_number(info.Env(), hook));
    result.Set(result.Length(), to_number(info.Env(), count));
  }
  return result;
}

// (hook): returns [matched, suppressed, enforced, hits]
Napi::Value Session::hook_counts(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env(), 4);
  const HookCounts counts = backend_.hook_counts(number_argument(info, 0));
  uint32_t i = 0;
  for (const uint64_t count : {counts.matched, counts.suppressed, counts.enforced, counts.hits}) {
    result.Set(i++, to_number(info.Env(), count));
  }
  return result;
}

// (hook): returns bytes
Napi::Value Session::hook_memory(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), backend_.hook_memory(number_argument(info, 0)));
}

// (empty folder of a BPF file system)
Napi::Value Session::pin_to(const Napi::CallbackInfo& info) {
  return run_change(info, [folder = string_argument(info, 0)](BpfBackend& backend) { backend.pin_to(folder); });
}

// (records)
Napi::Value Session::save_processes(const Napi::CallbackInfo& info) {
  return run_change(info, [records = copy_bytes(info[0])](BpfBackend& backend) { backend.save_processes(records); });
}

// (hook, name)
Napi::Value Session::name_hook(const Napi::CallbackInfo& info) {
  backend_.name_hook(number_argument(info, 0), string_argument(info, 1));
  return info.Env().Undefined();
}

Napi::Value Session::self_tgid(const Napi::CallbackInfo& info) { return to_number(info.Env(), backend_.self_tgid()); }

// (keep)
Napi::Value Session::detach(const Napi::CallbackInfo& info) {
  return run_final_change(info, [keep = flag_argument(info, 0)](BpfBackend& backend) { backend.detach(keep); });
}

Napi::Value Session::close(const Napi::CallbackInfo& info) {
  // The worker unmaps the ring, because the job ends on this thread. Nothing here needs memory.
  if (auto ring = ring_.stop()) ended_ring_ = std::move(ring);
  const Napi::Value closed = run_final_change(info, [this](BpfBackend& backend) {
    ended_ring_.reset();
    forget_ring_map();
    backend.close();
    polytrace::close_all(backend.take_detached_events());
    kernel_types_.reset();
  });
  worker_.stop_when_idle();
  return closed;
}

}  // namespace polytrace

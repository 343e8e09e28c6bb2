#include "session.h"

#include <bpf/bpf.h>
#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "abi_types.h"
#include "attach.h"
#include "cel_patch.h"
#include "error.h"
#include "relocated.h"

namespace polytrace {

namespace {

constexpr const char* EVERY_PROGRAM = "";

size_t page_align(size_t size) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

uint32_t number(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().Uint32Value();
}

std::string text(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::String>().Utf8Value();
}

// libbpf keeps none of the bytes.
ObjectPtr open_object(Napi::Env env, const std::string& name, const std::vector<uint8_t>& bytes) {
  if (bytes.empty()) throw make_error(env, "NO_SUCH_OBJECT", "no BPF object is called " + name);
  LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name.c_str());
  LogScope log;
  ObjectPtr object(bpf_object__open_mem(bytes.data(), bytes.size(), &opts));
  if (!object) throw make_error(env, "OPEN_FAILED", "cannot open the BPF object " + name, errno, log.text());
  return object;
}

// `code`: [{ mark, instructions: Uint8Array }], in the place of the bodies with these marks.
void put_code(Napi::Env env, std::vector<uint8_t>& bytes, const Napi::Array& code) {
  for (uint32_t i = 0; i < code.Length(); i++) {
    const auto piece = code.Get(i).As<Napi::Object>();
    const auto instructions = piece.Get("instructions").As<Napi::Uint8Array>();
    if (!replace_body(bytes, number(piece, "mark"), {instructions.Data(), instructions.ByteLength()})) {
      throw make_error(env, "CODE_PLACE", "the program has no place for these instructions");
    }
  }
}

bpf_map* map_named(Napi::Env env, bpf_object* object, const char* name) {
  bpf_map* map = bpf_object__find_map_by_name(object, name);
  if (map == nullptr) throw make_error(env, "NO_SUCH_MAP", std::string("no map is called ") + name);
  return map;
}

bpf_program* program_named(Napi::Env env, bpf_object* object, const char* name) {
  bpf_program* program = bpf_object__find_program_by_name(object, name);
  if (program == nullptr) throw make_error(env, "NO_SUCH_PROGRAM", std::string("no program is called ") + name);
  return program;
}

// The object's only .rodata variable is its configuration.
void set_rodata(Napi::Env env, bpf_object* object, const Napi::Uint8Array& bytes) {
  bpf_map* map;
  bpf_object__for_each_map(map, object) {
    if (std::string(bpf_map__name(map)).find(".rodata") == std::string::npos) continue;
    if (bpf_map__set_initial_value(map, bytes.Data(), bytes.ByteLength()) != 0) {
      throw make_error(env, "CONFIG_SIZE", "the configuration has another size than the program's", errno);
    }
    return;
  }
  throw make_error(env, "CONFIG_SIZE", "the program has no configuration");
}

// `entries` are keys and values, one after the other.
void put_all(Napi::Env env, bpf_map* map, const Napi::Uint8Array& entries) {
  const size_t key = bpf_map__key_size(map);
  const size_t stride = key + bpf_map__value_size(map);
  if (entries.ByteLength() % stride != 0) throw make_error(env, "MAP_ENTRY_SIZE", "entries of another size");
  for (size_t at = 0; at < entries.ByteLength(); at += stride) {
    const uint8_t* entry = entries.Data() + at;
    const int err = bpf_map_update_elem(bpf_map__fd(map), entry, entry + key, BPF_ANY);
    if (err != 0) {
      throw make_error(env, "MAP_UPDATE", std::string("cannot fill the map ") + bpf_map__name(map), err);
    }
  }
}

void check(Napi::Env env, int err, const char* what) {
  if (err != 0) throw make_error(env, "MAP_SETUP", what, err);
}

// Values of process sets: as many as there is memory for where the kernel allocates entries when they are needed.
constexpr uint32_t SET_VALUES = 8192;
constexpr uint32_t SET_VALUES_ON_DEMAND = 1 << 20;

// Sockets whose owner is known at once, the same way.
constexpr uint32_t SOCKETS = 4096;
constexpr uint32_t SOCKETS_ON_DEMAND = 1 << 16;

void size_process_maps(Napi::Env env, bpf_object* object, uint32_t processes, bool on_demand) {
  for (const char* name : {"process_bits", "process_states"}) {
    check(env, bpf_map__set_max_entries(map_named(env, object, name), processes), "cannot size the table of processes");
  }
  for (const char* name : {"binary_equal", "binary_prefix", "binary_postfix", "pid_sets"}) {
    check(env, bpf_map__set_max_entries(map_named(env, object, name), on_demand ? SET_VALUES_ON_DEMAND : SET_VALUES),
          "cannot size the tables of process sets");
  }
  check(env, bpf_map__set_max_entries(map_named(env, object, "socket_owners"), on_demand ? SOCKETS_ON_DEMAND : SOCKETS),
        "cannot size the table of sockets");
  for (const char* name : {"process_states", "binary_equal", "pid_sets", "socket_owners"}) {
    if (!on_demand) break;
    check(env, bpf_map__set_map_flags(map_named(env, object, name), BPF_F_NO_PREALLOC), "cannot allocate on demand");
  }
}

}  // namespace

int MappedMap::open(int fd, size_t size) {
  size_ = page_align(size);
  void* data = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return -errno;
  data_ = data;
  return 0;
}

Napi::Function Session::define(Napi::Env env) {
  return DefineClass(env, "Session",
                     {
                         InstanceMethod<&Session::start>("start"),
                         InstanceMethod<&Session::arm>("arm"),
                         InstanceMethod<&Session::set_active>("setActive"),
                         InstanceMethod<&Session::drain>("drain"),
                         InstanceMethod<&Session::used>("used"),
                         InstanceMethod<&Session::add_hook>("addHook"),
                         InstanceMethod<&Session::remove_hook>("removeHook"),
                         InstanceMethod<&Session::put_entries>("putEntries"),
                         InstanceMethod<&Session::use_process_sets>("useProcessSets"),
                         InstanceMethod<&Session::set_kinds>("setKinds"),
                         InstanceMethod<&Session::clear_sets>("clearSets"),
                         InstanceMethod<&Session::begin_scan>("beginScan"),
                         InstanceMethod<&Session::finish_scan>("finishScan"),
                         InstanceMethod<&Session::keep_state>("keepState"),
                         InstanceMethod<&Session::inode_of>("inodeOf"),
                         InstanceMethod<&Session::delete_entries>("deleteEntries"),
                         InstanceMethod<&Session::take_losses>("takeLosses"),
                         InstanceMethod<&Session::take_missed>("takeMissed"),
                         InstanceMethod<&Session::hook_counts>("hookCounts"),
                         InstanceMethod<&Session::hook_memory>("hookMemory"),
                         InstanceMethod<&Session::pin_to>("pinTo"),
                         InstanceMethod<&Session::name_hook>("nameHook"),
                         InstanceMethod<&Session::set_enforces>("setEnforces"),
                         InstanceMethod<&Session::protect_ancestors>("protectAncestors"),
                         InstanceMethod<&Session::set_tracks_sockets>("setTracksSockets"),
                         InstanceMethod<&Session::self_tgid>("selfTgid"),
                         InstanceMethod<&Session::detach>("detach"),
                         InstanceMethod<&Session::close>("close"),
                     });
}

// options: { object, ringBytes, processes, includeSelf, onDemand }
Session::Session(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Session>(info), env_(info.Env()) {
  open_sensor(info.Env(), info[0].As<Napi::Object>());
  open_ = true;
  napi_add_env_cleanup_hook(env_, on_env_exit, this);
}

Session::~Session() {
  if (open_) napi_remove_env_cleanup_hook(env_, on_env_exit, this);
  close_all();
}

void Session::on_env_exit(void* self) { static_cast<Session*>(self)->close_all(); }

void Session::close_all() {
  ring_.close();
  // what is pinned goes on, unless close() has come before
  detach_all(true);
  hooks_.clear();
  prepare_link_.reset();
  control_.close();
  counters_.close();
  sensor_.reset();
  // libbpf took megabytes of the kernel's types for a moment: give them back
  malloc_trim(0);
}

void Session::open_sensor(Napi::Env env, const Napi::Object& options) {
  const std::string name = text(options, "object");
  sensor_ = open_object(env, name, object_bytes(name, EVERY_PROGRAM));
  bpf_object* object = sensor_.get();
  check(env, bpf_map__set_max_entries(map_named(env, object, "events"), number(options, "ringBytes")),
        "the size of the ring buffer is not possible");
  check(env, bpf_map__set_max_entries(map_named(env, object, "exec_scratch"), libbpf_num_possible_cpus()),
        "cannot size the scratch memory");
  check(env, bpf_map__set_max_entries(map_named(env, object, "sets_text"), libbpf_num_possible_cpus() + 1),
        "cannot size the scratch memory");
  size_process_maps(env, object, number(options, "processes"), options.Get("onDemand").ToBoolean());

  {
    LogScope log;
    const int err = bpf_object__load(object);
    if (err != 0) throw make_error(env, "SENSOR_LOAD", "the kernel refused the base sensor", err, log.text());
  }
  keep_relocated(name, EVERY_PROGRAM, object);
  check(env, control_.open(bpf_map__fd(map_named(env, object, "control")), sizeof(control)), "cannot map control");
  check(env, counters_.open(bpf_map__fd(map_named(env, object, "counters")), HOOKS_MAX * sizeof(hook_counters)),
        "cannot map counters");
  check(env, ring_.open(bpf_map__fd(map_named(env, object, "events"))), "cannot map the ring buffer");

  if (!options.Get("includeSelf").ToBoolean()) {
    LIBBPF_OPTS(bpf_test_run_opts, run);
    const int err = bpf_prog_test_run_opts(bpf_program__fd(program_named(env, object, "tell_tgid")), &run);
    check(env, err, "cannot tell this process's own number");
    control_.as<control>()->self_tgid = run.retval;
  }
  {
    LIBBPF_OPTS(bpf_test_run_opts, run);
    const int err = bpf_prog_test_run_opts(bpf_program__fd(program_named(env, object, "find_initial_process")), &run);
    check(env, err, "cannot find the initial process");
  }
  // fork and exit first: an exec without them would be a process that nothing ends
  attach_sensor(env, "handle_exit");
  attach_sensor(env, "handle_fork");
  attach_sensor(env, "handle_exec");
}

void Session::attach_sensor(Napi::Env env, const char* name) {
  LogScope log;
  LinkPtr link(bpf_program__attach(program_named(env, sensor_.get(), name)));
  if (!link) throw make_error(env, "SENSOR_ATTACH", std::string("cannot attach ") + name, errno, log.text());
  pin_link(env, bpf_link__fd(link.get()), sensor_pin(sensor_links_.size()));
  sensor_links_.push_back(std::move(link));
}

Napi::Value Session::start(const Napi::CallbackInfo& info) {
  const int err = ring_.start(info.Env(), info[0].As<Napi::Function>());
  if (err != 0) throw make_error(info.Env(), "RING_START", "cannot start the reader", err);
  return info.Env().Undefined();
}

Napi::Value Session::arm(const Napi::CallbackInfo& info) {
  if (sensor_) {
    std::atomic_ref<uint32_t>(control_.as<control>()->need_wakeup).store(1, std::memory_order_seq_cst);
    ring_.arm();
  }
  return info.Env().Undefined();
}

Napi::Value Session::set_active(const Napi::CallbackInfo& info) {
  ring_.set_active(info.Env(), info[0].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value Session::drain(const Napi::CallbackInfo& info) {
  auto slab = info[0].As<Napi::Uint8Array>();
  const size_t end = ring_.drain(slab.Data(), slab.ByteLength(), info[1].As<Napi::Number>().Uint32Value());
  return Napi::Number::New(info.Env(), static_cast<double>(end));
}

Napi::Value Session::used(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(ring_.used()));
}

/*
 * spec: { id, object, entry: boolean, return: boolean, overrides: boolean, config: Uint8Array, and the target (attach.h),
 *         code: [{ mark, instructions: Uint8Array }],
 *         maps: [{ name, create, sharedWith?: id, keySize, trim, maxEntries, flags, entries: Uint8Array }] }
 * `sharedWith`: it is the map of that name that the other hook has. Zeros leave what the program says; `trim` is cut from the end of each value. Attaches the return before the entry: no entry is without its return.
 * Returns the places that were left out.
 */
Napi::Value Session::add_hook(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!sensor_) throw make_error(env, "CLOSED", "the session is closed");
  const auto spec = info[0].As<Napi::Object>();
  const Target target = read_target(spec);
  const bool overrides = target.mechanism == "fentry" && spec.Get("overrides").ToBoolean();
  const bool wanted[2] = {spec.Get("return").ToBoolean(), spec.Get("entry").ToBoolean()};
  const char* const names[2] = {"hook_return", overrides ? "hook_override" : "hook_entry"};

  Hook hook;
  const std::string name = text(spec, "object");
  const std::string loaded = std::string(wanted[0] ? names[0] : "") + " " + (wanted[1] ? names[1] : "");
  std::vector<uint8_t> bytes = object_bytes(name, loaded);
  put_code(env, bytes, spec.Get("code").As<Napi::Array>());
  hook.object = open_object(env, name, bytes);
  bpf_object* object = hook.object.get();
  for (const char* shared : SHARED_MAPS) {
    // enforcers need none of sockets
    bpf_map* map = bpf_object__find_map_by_name(object, shared);
    if (map == nullptr) continue;
    check(env, bpf_map__reuse_fd(map, bpf_map__fd(map_named(env, sensor_.get(), shared))), "cannot share a map");
  }
  set_rodata(env, object, spec.Get("config").As<Napi::Uint8Array>());

  const auto maps = spec.Get("maps").As<Napi::Array>();
  for (uint32_t i = 0; i < maps.Length(); i++) {
    const auto wish = maps.Get(i).As<Napi::Object>();
    bpf_map* map = map_named(env, object, text(wish, "name").c_str());
    if (!wish.Get("create").ToBoolean()) {
      check(env, bpf_map__set_autocreate(map, false), "cannot leave a map out");
      continue;
    }
    if (wish.Get("sharedWith").IsNumber()) {
      share_map(env, map, number(wish, "sharedWith"));
      continue;
    }
    if (number(wish, "keySize") != 0) check(env, bpf_map__set_key_size(map, number(wish, "keySize")), "key size");
    if (number(wish, "trim") != 0) {
      check(env, bpf_map__set_value_size(map, bpf_map__value_size(map) - number(wish, "trim")), "value size");
    }
    if (number(wish, "maxEntries") != 0) {
      check(env, bpf_map__set_max_entries(map, number(wish, "maxEntries")), "map entries");
    }
    // two for each CPU
    if (text(wish, "name") == "scratch") {
      check(env, bpf_map__set_max_entries(map, 2 * libbpf_num_possible_cpus()), "cannot size the scratch memory");
    }
    if (number(wish, "flags") != 0) check(env, bpf_map__set_map_flags(map, number(wish, "flags")), "map flags");
  }

  bpf_program* each;
  bpf_object__for_each_program(each, object) bpf_program__set_autoload(each, false);
  for (int i = 0; i < 2; i++) {
    if (!wanted[i]) continue;
    bpf_program* program = program_named(env, object, names[i]);
    bpf_program__set_autoload(program, true);
    LogScope log;
    const int err = set_target(program, target);
    if (err != 0) {
      throw make_error(env, "NO_SUCH_FUNCTION", "the kernel's BTF has no function " + target.words(), err, log.text());
    }
  }
  {
    LogScope log;
    const int err = bpf_object__load(object);
    if (err != 0) throw make_error(env, "HOOK_LOAD", "the kernel refused the program for " + target.words(), err, log.text());
  }
  keep_relocated(name, loaded, object);
  for (uint32_t i = 0; i < maps.Length(); i++) {
    const auto wish = maps.Get(i).As<Napi::Object>();
    if (!wish.Get("create").ToBoolean()) continue;
    put_all(env, map_named(env, object, text(wish, "name").c_str()), wish.Get("entries").As<Napi::Uint8Array>());
  }

  std::array<bpf_program*, 2> programs = {};
  for (int i = 0; i < 2; i++) {
    if (!wanted[i]) continue;
    programs[i] = program_named(env, object, names[i]);
    hook.programs.push_back(bpf_program__fd(programs[i]));
  }
  Napi::Array left_out = Napi::Array::New(env);
  if (has_link_per_place(target)) {
    for (const uint32_t place : attach_places(env, hook, target, programs)) left_out.Set(left_out.Length(), place);
  } else {
    attach(env, hook, target, programs);
  }
  pin_hook(env, number(spec, "id"), hook);
  hooks_.emplace(number(spec, "id"), std::move(hook));
  return left_out;
}

// `programs`: that of the return and that of the entry, where there is one.
void Session::attach(Napi::Env env, Hook& hook, const Target& target, const std::array<bpf_program*, 2>& programs) {
  for (int i = 0; i < 2; i++) {
    if (programs[i] == nullptr) continue;
    LogScope log;
    LinkPtr link = attach_program(programs[i], target, i == 0);
    if (!link) throw make_error(env, "HOOK_ATTACH", "cannot attach to " + target.words(), errno, log.text());
    if (i == 1 || programs[1] == nullptr) hook.counted.push_back(bpf_link__fd(link.get()));
    hook.links.push_back(std::move(link));
  }
}

// Returns the places that were left out. An error has the `place` that it is about.
std::vector<uint32_t> Session::attach_places(Napi::Env env, Hook& hook, const Target& target,
                                             const std::array<bpf_program*, 2>& programs) {
  std::vector<uint32_t> left_out;
  for (uint32_t place = 0; place < target.places.size(); place++) {
    int err = 0;
    int attached = 0;
    for (int i = 0; i < 2 && err >= 0; i++) {
      if (programs[i] == nullptr) continue;
      err = hook.probes.add(bpf_program__fd(programs[i]), probe_at(target, place, i == 0), place);
      if (err < 0) break;
      attached++;
      if (i == 1 || programs[1] == nullptr) hook.counted.push_back(err);
    }
    if (err >= 0) continue;
    if (!target.optional_places || !is_no_place(err)) {
      hook.probes.close_later(env);
      Napi::Error error = make_error(env, "HOOK_ATTACH", "cannot attach to " + target.words(), err);
      error.Set("place", Napi::Number::New(env, place));
      throw error;
    }
    for (; attached > 0; attached--) hook.probes.drop_last();
    left_out.push_back(place);
  }
  return left_out;
}

void Session::share_map(Napi::Env env, bpf_map* map, uint32_t id) {
  const auto owner = hooks_.find(id);
  if (owner == hooks_.end()) throw make_error(env, "NO_SUCH_MAP", "there is no hook to share a map with");
  bpf_map* shared = map_named(env, owner->second.object.get(), bpf_map__name(map));
  check(env, bpf_map__reuse_fd(map, bpf_map__fd(shared)), "cannot share a map");
}

Napi::Value Session::remove_hook(const Napi::CallbackInfo& info) {
  const auto found = hooks_.find(info[0].As<Napi::Number>().Uint32Value());
  if (found == hooks_.end()) return info.Env().Undefined();
  unpin_hook(found->first, found->second);
  found->second.probes.close_later(info.Env());
  hooks_.erase(found);
  return info.Env().Undefined();
}

// (map, entries): of the base sensor's own maps
Napi::Value Session::put_entries(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!sensor_) throw make_error(env, "CLOSED", "the session is closed");
  put_all(env, map_named(env, sensor_.get(), info[0].As<Napi::String>().Utf8Value().c_str()),
          info[1].As<Napi::Uint8Array>());
  return env.Undefined();
}

// (map, keys): of the base sensor's own maps
Napi::Value Session::delete_entries(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!sensor_) throw make_error(env, "CLOSED", "the session is closed");
  bpf_map* map = map_named(env, sensor_.get(), info[0].As<Napi::String>().Utf8Value().c_str());
  auto keys = info[1].As<Napi::Uint8Array>();
  const size_t size = bpf_map__key_size(map);
  for (size_t at = 0; at + size <= keys.ByteLength(); at += size) {
    bpf_map_delete_elem(bpf_map__fd(map), keys.Data() + at);
  }
  return env.Undefined();
}

// (hook, whether what its selectors say is done, and not only told)
Napi::Value Session::set_enforces(const Napi::CallbackInfo& info) {
  auto* all = counters_.as<hook_counters>();
  const uint32_t id = info[0].As<Napi::Number>().Uint32Value();
  if (all == nullptr || id >= HOOKS_MAX) throw make_error(info.Env(), "CLOSED", "the session is closed");
  std::atomic_ref<uint64_t>(all[id].enforces).store(info[1].ToBoolean() ? 1 : 0, std::memory_order_seq_cst);
  return info.Env().Undefined();
}

Napi::Value Session::self_tgid(const Napi::CallbackInfo& info) {
  const uint32_t tgid = sensor_ ? control_.as<control>()->self_tgid : 0;
  return Napi::Number::New(info.Env(), tgid);
}

Napi::Value Session::close(const Napi::CallbackInfo& info) {
  for (auto& [id, hook] : hooks_) hook.probes.close_later(info.Env());
  close_all();
  return info.Env().Undefined();
}

}  // namespace polytrace

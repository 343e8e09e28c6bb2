#include "backend/bpf_backend.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <future>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "backend/unreturned.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "base/parallel.h"
#include "loading/features.h"
#include "loading/object_steps.h"
#include "loading/relocation_cache.h"

namespace polytrace {

namespace {

constexpr const char* SENSOR_REFUSED = "the kernel refused the base sensor";

// Keys of the relocation cache, by sensor_part; the second line is for programs that disable preemption.
constexpr const char* PART_KEYS[][2] = {{"exec", "rest"}, {"exclusive exec", "exclusive rest"}};
constexpr const char* SCAN_KEY = "scan";

constexpr std::string_view LIST_PROCESSES = "list_processes";
// The verifier needs as long for these programs as for most of the base sensor, so they are loaded at the first scan.
constexpr std::array SCAN_PROGRAMS = {std::string_view("handle_prepare"), std::string_view("scan_processes"),
                                      std::string_view("find_running_arguments")};

// The capacity for paths and ids of process sets. If the kernel allocates entries on demand, an unused entry costs the
// 16 bytes of its bucket. A policy file of the maximum size has about 100,000 values.
constexpr uint32_t SET_VALUES = 8192;
constexpr uint32_t SET_VALUES_ON_DEMAND = 1 << 16;
// The capacity for prefixes and postfixes, which are in tries. A trie needs memory only for its entries.
constexpr uint32_t SET_PARTS = 1 << 20;

// The capacity for cgroups. When the hash table is full, further cgroups are in a trie.
constexpr uint32_t CGROUPS = 4096;
constexpr uint32_t CGROUPS_ON_DEMAND = 1 << 14;

// The capacity for sockets with a known owner.
constexpr uint32_t SOCKETS = 4096;
constexpr uint32_t SOCKETS_ON_DEMAND = 1 << 16;

// Selects either the programs of a scan or all others.
// The events of processes that have two programs: handle_X, and exclusive_X, which disables preemption.
constexpr std::array PROCESS_EVENTS = {std::string_view("exec"), std::string_view("fork"), std::string_view("exit"),
                                       std::string_view("free")};

std::string process_program(std::string_view event, bool exclusive) {
  return std::string(exclusive ? "exclusive_" : "handle_").append(event);
}

bool is_scan_program(std::string_view name) { return std::ranges::find(SCAN_PROGRAMS, name) != SCAN_PROGRAMS.end(); }

// Loads only the programs for whose name `is_selected` returns true.
template <typename Test>
void select_programs(bpf_object* object, const Test& is_selected) {
  bpf_program* each;
  bpf_object__for_each_program(each, object) {
    bpf_program__set_autoload(each, is_selected(std::string_view(bpf_program__name(each))));
  }
}

// Leaves out the other part, the programs of scans, one program of each process event, and iterators if the kernel
// cannot have any.
void select_sensor_programs(bpf_object* object, sensor_part part, bool exclusive) {
  const bool has_iterators = kernel_has_own_btf();
  select_programs(object, [&](std::string_view name) {
    const sensor_part own = name == process_program("exec", exclusive) ? SENSOR_EXEC : SENSOR_REST;
    const bool is_other = std::ranges::any_of(
        PROCESS_EVENTS, [&](std::string_view event) { return name == process_program(event, !exclusive); });
    const bool is_possible = has_iterators || name != LIST_PROCESSES;
    return own == part && !is_other && is_possible && !is_scan_program(name);
  });
}

void configure_sensor(bpf_object* object, const SensorSpec& spec) {
  const sensor_config config = {.rate_events = spec.rate_events,
                                .rate_interval = spec.rate_interval_ms * 1'000'000,
                                .environment = spec.environment ? 1u : 0u,
                                .pad = 0};
  set_rodata(object, {reinterpret_cast<const uint8_t*>(&config), sizeof(config)});
  if (config.rate_events == 0) set_max_entries(object, "cgroup_rates", 1, "cannot size the table of rates");
}

void size_scratch(bpf_object* object, bool environment) {
  const auto cpus = static_cast<uint32_t>(libbpf_num_possible_cpus());
  set_max_entries(object, "exec_scratch", cpus + 1, "cannot size the scratch memory");
  set_max_entries(object, "path_buffers", cpus + 1, "cannot size the scratch memory");
  if (environment) return;
  // the last member of the scratch memory has room for the environment
  bpf_map* scratch = find_map(object, "exec_scratch");
  check_setup(bpf_map__set_value_size(scratch, bpf_map__value_size(scratch) - ENVIRONMENT_BYTES_MAX),
              "cannot size the scratch memory");
}

void size_process_maps(bpf_object* object, uint32_t processes, bool on_demand) {
  for (const char* name : {"process_bits", "process_states"}) {
    set_max_entries(object, name, processes, "cannot size the table of processes");
  }
  for (const char* name : {"binary_equal", "pid_sets"}) {
    const uint32_t values = on_demand ? SET_VALUES_ON_DEMAND : SET_VALUES;
    set_max_entries(object, name, values, "cannot size the tables of process sets");
  }
  for (const char* name : {"binary_prefix", "binary_postfix", "argument_prefix", "argument_postfix"}) {
    set_max_entries(object, name, SET_PARTS, "cannot size the tables of process sets");
  }
  set_max_entries(object, "cgroup_scopes", on_demand ? CGROUPS_ON_DEMAND : CGROUPS, "cannot size the table of cgroups");
  set_max_entries(object, "socket_owners", on_demand ? SOCKETS_ON_DEMAND : SOCKETS, "cannot size the table of sockets");
  if (!on_demand) return;
  for (const char* name :
       {"process_bits", "process_states", "binary_equal", "pid_sets", "cgroup_scopes", "socket_owners"}) {
    check_setup(bpf_map__set_map_flags(find_map(object, name), BPF_F_NO_PREALLOC), "cannot allocate on demand");
  }
}

}  // namespace

void BpfBackend::require_open() const {
  if (!sensor_) throw Failure{"CLOSED", "the session is closed"};
}

bpf_map* BpfBackend::sensor_map(const char* name) {
  require_open();
  return find_map(sensor_.get(), name);
}

bpf_program* BpfBackend::sensor_program(const char* name) {
  require_open();
  return find_program(sensor_.get(), name);
}

void BpfBackend::open(const SensorSpec& spec, int ring) {
  const ObjectPtr exec = load_sensor(spec, ring);
  map_sensor();
  if (!spec.include_self) find_own_tgid();
  find_initial_process();
  // The exec program is the last: a process whose fork or exit is missed would never end.
  for (const char* program : {"handle_cgroup_gone", "handle_cgroup"}) attach_sensor(program);
  for (const char* event : {"exit", "fork"}) attach_sensor(process_program(event, exclusive_).c_str());
  const std::string name = process_program("exec", exclusive_);
  bpf_program* const program = find_program(exec.get(), name.c_str());
  exec_program_ = duplicate(bpf_program__fd(program), "the base sensor needs more of them");
  attach_sensor_program(program, name.c_str());
}

namespace {

// Hands the object with the maps to the threads that load programs; null if the maps could not be created.
class MapsPromise {
 public:
  MapsPromise() = default;
  MapsPromise(const MapsPromise&) = delete;
  MapsPromise& operator=(const MapsPromise&) = delete;
  ~MapsPromise() {
    if (!is_kept_) owner_.set_value(nullptr);
  }
  std::shared_future<bpf_object*> future() { return owner_.get_future().share(); }
  void keep(bpf_object* owner) {
    is_kept_ = true;
    owner_.set_value(owner);
  }

 private:
  std::promise<bpf_object*> owner_;
  bool is_kept_ = false;
};

}  // namespace

ObjectPtr BpfBackend::load_sensor(const SensorSpec& spec, int ring) {
  sensor_name_ = spec.object;
  // Where global functions cannot be called then, the verifier would follow too many paths.
  exclusive_ = spec.exclusive && allows_global_calls_without_preemption();
  ObjectPtr owner;  // of the maps; destroyed after the threads have ended
  std::array<std::future<ObjectPtr>, SENSOR_PARTS> loading;
  MapsPromise maps;
  const std::shared_future<bpf_object*> created = maps.future();
  for (const sensor_part part : {SENSOR_EXEC, SENSOR_REST}) {
    loading[part] = start_thread([this, part, created] { return load_part(part, created); });
  }
  owner = open_object(spec.object, object_bytes_for_maps(spec.object));
  select_programs(owner.get(), [](std::string_view) { return false; });
  if (ring >= 0) check_setup(bpf_map__reuse_fd(find_map(owner.get(), "events"), ring), "cannot use the ring buffer");
  else set_max_entries(owner.get(), "events", spec.ring_bytes, "the size of the ring buffer is not possible");
  configure_sensor(owner.get(), spec);
  size_scratch(owner.get(), spec.environment);
  size_process_maps(owner.get(), spec.processes, spec.on_demand);
  load_object(owner, "SENSOR_LOAD", SENSOR_REFUSED);
  maps.keep(owner.get());
  ObjectPtr exec = loading[SENSOR_EXEC].get();
  sensor_ = loading[SENSOR_REST].get();
  // hooks are loaded next, some at the same time
  return_free_memory();
  return exec;
}

ObjectPtr BpfBackend::load_part(sensor_part part, const std::shared_future<bpf_object*>& maps) const {
  const char* const key = PART_KEYS[exclusive_ ? 1 : 0][part];
  ObjectPtr object = open_object(sensor_name_, object_bytes(sensor_name_, key));
  select_sensor_programs(object.get(), part, exclusive_);
  bpf_object* const owner = maps.get();
  if (owner == nullptr) return nullptr;
  share_maps(object.get(), owner);
  load_object(object, "SENSOR_LOAD", SENSOR_REFUSED);
  cache_relocated(sensor_name_, key, object.get(), program_instructions);
  return object;
}

void BpfBackend::load_scan() {
  require_open();
  if (scan_) return;
  if (!kernel_has_own_btf())
    throw Failure{"SCAN", "finding running processes needs the kernel's own BTF, which a file does not replace",
                  ENOENT};
  ObjectPtr object = open_object(sensor_name_, object_bytes(sensor_name_, SCAN_KEY));
  select_programs(object.get(), is_scan_program);
  share_maps(object.get(), sensor_.get());
  load_object(object, "SCAN", "the kernel refused the programs that find running processes");
  cache_relocated(sensor_name_, SCAN_KEY, object.get(), program_instructions);
  scan_ = std::move(object);
}

void BpfBackend::map_sensor() {
  check_setup(control_.open(bpf_map__fd(sensor_map("control")), sizeof(control)), "cannot map control");
  check_setup(counters_.open(bpf_map__fd(sensor_map("counters")), HOOKS_MAX * sizeof(hook_counters)),
              "cannot map counters");
}

void BpfBackend::find_own_tgid() {
  LIBBPF_OPTS(bpf_test_run_opts, run);
  const int err = bpf_prog_test_run_opts(bpf_program__fd(sensor_program("tell_tgid")), &run);
  check_setup(err, "cannot find this process's own number");
  control_.as<control>()->self_tgid = run.retval;
}

// Without the initial process, no executable is trusted.
void BpfBackend::find_initial_process() {
  LIBBPF_OPTS(bpf_test_run_opts, run);
  const int err = bpf_prog_test_run_opts(bpf_program__fd(sensor_program("find_initial_process")), &run);
  check_setup(err, "cannot find the initial process");
}

// The descriptor of the base sensor's program for exec, fork, exit or free.
int BpfBackend::event_program(std::string_view event) {
  if (event == "exec") return exec_program_.value;
  return bpf_program__fd(sensor_program(process_program(event, exclusive_).c_str()));
}

void BpfBackend::attach_sensor(const char* name) { attach_sensor_program(sensor_program(name), name); }

void BpfBackend::attach_sensor_program(bpf_program* program, const char* name) {
  LogScope log;
  sensor_links_.reserve(sensor_links_.size() + 1);  // a pinned link must not get lost
  // the section of a typed program does not tell libbpf how to attach it
  const bool is_typed = bpf_program__type(program) == BPF_PROG_TYPE_TRACING;
  LinkPtr link(is_typed ? bpf_program__attach_trace(program) : bpf_program__attach(program));
  if (!link) throw Failure{"SENSOR_ATTACH", std::string("cannot attach ") + name, errno, log.text()};
  pin_link(bpf_link__fd(link.get()), SENSOR_PIN + std::to_string(sensor_links_.size()));
  sensor_links_.push_back(std::move(link));
}

int BpfBackend::events_fd() { return bpf_map__fd(sensor_map("events")); }

bool BpfBackend::request_wakeup() {
  const std::scoped_lock lock(mutex_);
  auto* shared = control_.as<control>();
  if (shared == nullptr) return false;
  std::atomic_ref<uint32_t>(shared->need_wakeup).store(1, std::memory_order_seq_cst);
  return true;
}

uint32_t BpfBackend::self_tgid() const {
  const std::scoped_lock lock(mutex_);
  const auto* shared = control_.as<control>();
  return shared == nullptr ? 0 : shared->self_tgid;
}

Hook BpfBackend::load_hook(const HookSpec& spec) const {
  require_open();
  const FindMap find = [this](uint32_t id) {
    const auto found = hooks_.find(id);
    return found == hooks_.end() ? -1 : found->second.notifications.value;
  };
  return polytrace::load_hook(spec, {sensor_.get(), marks_.get()}, find);
}

std::vector<uint32_t> BpfBackend::add_hook(const HookSpec& spec, Hook hook) {
  require_open();
  {
    const std::scoped_lock lock(mutex_);
    find_counters(spec.id);
  }
  std::vector<uint32_t> skipped;
  try {
    // a table of calls ends with this process, so pinned hooks have links of their own
    if (pins_.is_active() || !call_tables_.add(spec, hook)) skipped = attach_hook(hook, spec);
    pin_hook(spec.id, hook);
    release_object(hook, spec);
    const std::scoped_lock lock(mutex_);
    hooks_.emplace(spec.id, std::move(hook));
  } catch (...) {
    call_tables_.remove(spec.id);
    unpin_hook(spec.id, hook);
    detach_probes(hook);
    throw;
  }
  return skipped;
}

void BpfBackend::remove_hooks(std::span<const uint32_t> ids) {
  std::map<uint32_t, Hook> removed;
  for (const uint32_t id : ids) {
    const std::scoped_lock lock(mutex_);
    removed.insert(hooks_.extract(id));
  }
  for (const uint32_t id : ids) call_tables_.remove(id);
  for (auto& [id, hook] : removed) unpin_hook(id, hook);
  for (auto& [id, hook] : removed) detach_probes(hook);
  destroy_hook_links(removed);
  keep_missed_runs(removed);
  count_unreturned_calls(removed);
}

void BpfBackend::detach_probes(Hook& hook) noexcept {
  const std::vector<int> events = hook.probes.detach();
  try {
    detached_events_.insert(detached_events_.end(), events.begin(), events.end());
  } catch (const std::bad_alloc&) {
    close_all(events);  // without memory, they are closed now
  }
}

void BpfBackend::destroy_hook_links(std::map<uint32_t, Hook>& hooks) noexcept {
  size_t count = 0;
  for (const auto& [id, hook] : hooks) count += hook.links.size();
  run_in_parallel(count, [&](size_t i) {
    for (auto& [id, hook] : hooks) {
      if (i < hook.links.size()) return hook.links[i].reset();
      i -= hook.links.size();
    }
  });
  for (auto& [id, hook] : hooks) hook.links.clear();
}

void BpfBackend::count_unreturned_calls(std::map<uint32_t, Hook>& hooks) noexcept {
  for (auto& [id, hook] : hooks) {
    if (std::exchange(hook.may_miss_returns, false)) remove_unreturned(hook.programs, counters_.as<hook_counters>());
  }
}

void BpfBackend::sweep_pending(uint32_t id) noexcept {
  const auto found = hooks_.find(id);
  if (found != hooks_.end() && found->second.may_miss_returns)
    remove_unreturned(found->second.programs, counters_.as<hook_counters>());
}

std::vector<int> BpfBackend::take_detached_events() noexcept { return std::exchange(detached_events_, {}); }

hook_counters& BpfBackend::find_counters(uint32_t id) {
  auto* all = counters_.as<hook_counters>();
  if (all == nullptr) throw Failure{"CLOSED", "the session is closed"};
  if (id >= HOOKS_MAX) throw Failure{"NO_SUCH_HOOK", "no hook has this number"};
  counted_end_ = std::max(counted_end_, id + 1);
  return all[id];
}

void BpfBackend::set_enforcement(uint32_t id, bool enforces) {
  const std::scoped_lock lock(mutex_);
  std::atomic_ref<uint64_t>(find_counters(id).enforces).store(enforces ? 1 : 0, std::memory_order_seq_cst);
}

void BpfBackend::set_move(uint32_t id, uint64_t move) {
  const std::scoped_lock lock(mutex_);
  std::atomic_ref<uint64_t>(find_counters(id).move).store(move, std::memory_order_seq_cst);
}

void BpfBackend::put_entries(const std::string& map, std::span<const uint8_t> entries) {
  polytrace::put_entries(sensor_map(map.c_str()), entries);
}

void BpfBackend::delete_entries(const std::string& name, std::span<const uint8_t> keys) {
  bpf_map* map = sensor_map(name.c_str());
  const size_t size = bpf_map__key_size(map);
  for (size_t at = 0; at + size <= keys.size(); at += size) bpf_map_delete_elem(bpf_map__fd(map), keys.data() + at);
}

void BpfBackend::close() noexcept {
  detach(true);
  prepare_link_.reset();
  std::map<uint32_t, Hook> hooks;
  {
    const std::scoped_lock lock(mutex_);
    hooks.swap(hooks_);
    control_.close();
    counters_.close();
    pins_.close();
    outer_map_ = Fd{-1};
    inner_map_ = Fd{-1};
  }
  hooks.clear();
  scan_.reset();
  marks_.reset();
  exec_program_ = Fd(-1);
  sensor_.reset();
  // returns the megabytes that libbpf needed for the kernel's BTF
  return_free_memory();
}

}  // namespace polytrace

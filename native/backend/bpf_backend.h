// The BPF backend of one tracer: the base sensor, its shared maps, and the hooks that use them. It owns every
// descriptor, so closing it, or the death of the process, detaches everything. It knows nothing of policies and of
// JavaScript: it gets bytes, and throws Failure. One thread makes changes; methods that other threads may call at the
// same time are marked. running_processes.cc lists the running processes, processes.cc gives them their sets, scopes.cc
// the scopes of cgroups, counters.cc the kernel's counters, sums.cc the tables of Count actions, link_pins.cc pinned
// links, group_tables.cc the tables of groups.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/pins.h"
#include "base/abi_types.h"
#include "base/handles.h"
#include "hooks/call_table.h"
#include "hooks/hook.h"
#include "hooks/hook_spec.h"

namespace polytrace {

// The verifier needs as long for the program of an exec as for all other programs of the base sensor. Each part is
// loaded on a thread of its own.
enum sensor_part : uint8_t { SENSOR_EXEC, SENSOR_REST, SENSOR_PARTS };

struct SensorSpec {
  std::string object;
  uint32_t ring_bytes = 0;
  uint32_t processes = 0;  // the capacity of the process tables
  bool include_self = false;
  bool on_demand = false;    // the kernel can allocate map entries on demand
  bool exclusive = false;    // the programs disable preemption
  bool environment = false;  // exec records have the environment
  uint64_t rate_events = 0;  // most exec and exit records of a cgroup in the interval; 0: no limit
  uint64_t rate_interval_ms = 0;
};

struct Losses {
  uint32_t hook = 0;
  uint64_t ring = 0;       // the ring buffer was full
  uint64_t pending = 0;    // the map of pending calls was full
  uint64_t at_return = 0;  // missed returns
};

struct HookCounts {
  uint64_t matched = 0;     // calls that a selector with actions matched
  uint64_t suppressed = 0;  // events that a rate limit dropped
  uint64_t enforced = 0;    // calls that an enforcing action changed
  uint64_t hits = 0;
};

struct ProcessSetKinds {
  process_sets followed = {};   // they also contain the descendants of their members
  process_sets trusted = {};    // they do not contain what a process may have forged
  process_sets prefixed = {};   // they have prefixes
  process_sets selecting = {};  // they also contain processes with an unknown executable
};

struct NamedCgroup {
  uint64_t id = 0;
  scope_set scopes = {};
};

struct ScopeChange {
  std::array<scope_set, CGROUP_KINDS> defaults = {};  // by enum cgroup_kind
  std::vector<NamedCgroup> named;
  std::vector<uint64_t> gone;
};

// Texts of /proc that the list of running processes does not have.
enum missing_text {
  TEXT_EXECUTABLE = 1,
  TEXT_CWD = 2,
  TEXT_THREAD_NAME = 4,  // instead of an executable
  TEXT_ROOT = 8,         // its executable was removed
};

// Parents are before their children if possible. The numbers of the paths count from 1.
struct RunningProcesses {
  std::vector<running_process> all;
  std::vector<uint32_t> threads;  // of each process: one that has not ended
  std::vector<uint8_t> missing;   // of each process: a sum of enum missing_text
  std::string texts;              // the different paths, as /proc shows them
  std::vector<uint32_t> ends;     // of the texts
};

// The result of a check of a listed process: bits, ORed.
enum listed_check { CHECK_FORGED = 1, CHECK_HOST_FILE = 2 };

// Returns descriptors (O_PATH) of the host's files with this path. Must not wait for a file system.
using OpenHostFiles = std::function<std::vector<Fd>(const std::string& path)>;

struct MarksSpec {
  std::string object;
  uint32_t owners = 0;   // processes and containers that can have marks
  uint32_t details = 0;  // marks of all of them
  bool on_demand = false;
  std::vector<std::string> earlier;  // folders of pins of dead tracers, whose marks go on; the last one counts
};

// Runs that the kernel skipped.
struct MissedRuns {
  uint32_t hook = 0;
  uint64_t count = 0;
};

// The tables of a hook's Count actions, with the sums of all CPUs: a key and a struct count_sum for each key, a struct
// count_sum for each count, a struct count_text_key and COUNT_TEXT_MAX bytes for each text. Sums can end before
// buckets.
struct HookSums {
  std::vector<uint8_t> keys, totals, texts;
  uint32_t key_size = 0, sum_size = 0;
};

class BpfBackend {
 public:
  BpfBackend() = default;
  ~BpfBackend() {
    close();
    close_all(take_detached_events());
  }
  BpfBackend(const BpfBackend&) = delete;
  BpfBackend& operator=(const BpfBackend&) = delete;

  // `ring`: a ring buffer of this size, which stays the caller's; -1: there is none yet.
  void open(const SensorSpec& spec, int ring);
  // Returns the ring buffer's descriptor, which this object owns.
  int events_fd();
  // Requests that the kernel wakes the reader at the next record. Returns false if the backend is closed. Any thread.
  bool request_wakeup();
  // Returns this process's id in the initial pid namespace; 0 if events of this process are included. Any thread.
  uint32_t self_tgid() const;

  // Loads the programs of a hook, which add_hook() attaches. Unless the hook uses maps of others, any thread may call
  // it until close(), also at the same time as others.
  Hook load_hook(const HookSpec& spec) const;
  // Returns the indexes of the attach points that were skipped.
  std::vector<uint32_t> add_hook(const HookSpec& spec, Hook hook);
  void remove_hooks(std::span<const uint32_t> ids);
  // Counts calls of the hook that cannot return any more as lost, and makes room for others.
  void sweep_pending(uint32_t id) noexcept;
  // Any thread.
  void set_enforcement(uint32_t id, bool enforces);
  // Any thread. `move`: enum group_move.
  void set_move(uint32_t id, uint64_t move);

  // Entries of a map of the base sensor.
  void put_entries(const std::string& map, std::span<const uint8_t> entries);
  void delete_entries(const std::string& name, std::span<const uint8_t> keys);

  // Entries of a map of a hook that is changeable.
  void put_hook_entries(uint32_t id, const std::string& name, std::span<const uint8_t> entries);
  void delete_hook_entries(uint32_t id, const std::string& name, std::span<const uint8_t> keys);
  // Returns when all programs have ended that were running at the call.
  void wait_for_programs();

  // From now on the sensor maintains the sets of every process at its fork, exec and exit.
  void enable_process_sets();
  // Any thread.
  void set_process_set_kinds(const ProcessSetKinds& kinds);
  // Removes every process from these sets. Before, their values must be removed from the tables, and they must not be
  // followed.
  void clear_sets(const process_sets& sets);
  // Call it before the values of these sets are put into the tables. From here on, no fork and no exec is missed.
  void begin_scan(const process_sets& sets);
  // With ARGUMENTS_COLLECT, put_arguments() must follow for each running process, and then finish_scan().
  void track_arguments(argument_tracking tracking);
  void put_arguments(uint32_t tgid, const std::vector<uint8_t>& arguments, bool is_cut);
  // Call it after the values are in the tables. When it returns, every process has its sets.
  void finish_scan(const process_sets& sets);
  // From now on the sensor keeps the state that each process has at its exec. For running processes, it keeps their
  // present state.
  void enable_process_state();
  // Loads and attaches the programs that follow marked processes; further calls do nothing. Returns the bytes of all
  // struct mark_name.
  std::vector<uint8_t> load_marks(const MarksSpec& spec);
  // Writes a struct mark_name.
  void name_mark(uint32_t slot, const mark_name& name);
  // Lists the processes that run; nothing if the kernel cannot list them. `with_paths`: as far as it knows their paths.
  std::optional<RunningProcesses> list_processes(bool with_paths);
  // Returns for each process of the list: enum listed_check. Both are known for the executables that the list has. A
  // process that has called exec since, or has replaced its executable, is forged.
  std::vector<uint8_t> check_processes(const RunningProcesses& list, const OpenHostFiles& open_host_files);
  // From now on no policy acts on this process and its ancestors, in any pid namespace.
  void protect_ancestors();
  // From now on the sensor maintains the scopes of every cgroup below `mount`, where the whole unified hierarchy is
  // mounted.
  void enable_scopes(const std::string& mount);
  // Changes the scopes of cgroups without a name, adds named containers, and removes the names of others. Cgroups below
  // a container inherit its scopes. When it returns, every cgroup has its scopes.
  void set_scopes(const ScopeChange& change);
  // Starts or stops the tracking of socket owners. While it is active, the entries of freed sockets are removed.
  void set_socket_tracking(bool tracks);
  // True while exec and exit records of this cgroup are not reported. Any thread.
  bool is_throttled(uint64_t cgroup) const;
  // Reads the kernel's device and inode number of the file behind one of this process's descriptors.
  std::optional<reported_inode> read_inode(uint32_t fd, inode_slot slot = INODE_OF_POLICY);

  // Any thread may call the next four.
  // New losses since the last call.
  std::vector<Losses> take_losses();
  // New runs that the kernel skipped because the program was already running on the CPU. Reads the base sensor and
  // `limit` hooks, which follow those of the last call.
  std::vector<MissedRuns> take_missed_runs(uint32_t limit);
  HookCounts hook_counts(uint32_t id) const;
  // Bytes of the hook's programs and of the maps that only it uses, when it was attached.
  uint64_t hook_memory(uint32_t id) const;

  // Nothing for a hook without Count actions.
  std::optional<HookSums> read_sums(uint32_t id);

  // From now on everything that is attached is pinned to this empty folder, and stays attached when this process dies.
  void pin_to(const std::string& folder);
  // Keeps records of processes beside the pins, for the next tracer.
  void save_processes(std::span<const uint8_t> records);
  // Stores the name of a hook beside its pins, for the next tracer. Any thread.
  void name_hook(uint32_t id, const std::string& name);

  // Detaches everything; with `keep`, everything that is not pinned. Records in the ring can still be read.
  void detach(bool keep) noexcept;
  // Idempotent. Pinned links stay attached unless detach(false) was called before.
  void close() noexcept;

  // Returns the perf events of detached hooks, which the caller must close. Closing them takes the kernel long.
  std::vector<int> take_detached_events() noexcept;

 private:
  void require_open() const;
  bpf_map* sensor_map(const char* name);
  bpf_program* sensor_program(const char* name);
  // Returns the object with the program of an exec. Once that is attached, the object is not needed.
  ObjectPtr load_sensor(const SensorSpec& spec, int ring);
  // Loads one part of its programs, as soon as the object with the maps exists.
  ObjectPtr load_part(sensor_part part, const std::shared_future<bpf_object*>& maps) const;
  // Does nothing if the scan is already loaded.
  void load_scan();
  void map_sensor();
  void find_own_tgid();
  void find_initial_process();
  void attach_sensor(const char* name);
  void attach_sensor_program(bpf_program* program, const char* name);
  void pin_marks(bpf_object* object);
  void attach_marks(bpf_object* object);
  int event_program(std::string_view event);
  void attach_free_handler();
  void request_scan(const scan_request& request);
  void clear_running_arguments();
  uint32_t scan_once();
  void scan_until_stable();
  void clear_unseen(const process_sets& sets);
  void forget_sockets();
  void invalidate_cached_scopes();
  size_t list_cgroups(const std::string& mount);
  size_t correct_scopes(const std::array<scope_set, CGROUP_KINDS>& defaults);
  // Functions that detach something must not need memory.
  void detach_probes(Hook& hook) noexcept;
  static void destroy_hook_links(std::map<uint32_t, Hook>& hooks) noexcept;
  void pin_link(int link, const std::string& name);
  void pin_hook(uint32_t id, const Hook& hook);
  void unpin_hook(uint32_t id, const Hook& hook) noexcept;
  void detach_links(bool keep) noexcept;
  // Call it when the hooks are detached. A second call does nothing.
  void count_unreturned_calls(std::map<uint32_t, Hook>& hooks) noexcept;
  // Keeps the missed runs of hooks that go on in a group for take_missed_runs().
  void keep_missed_runs(const std::map<uint32_t, Hook>& hooks) noexcept;

  // Finds the counters of a hook, and reads them for losses from now on. Throws Failure. Needs the mutex.
  hook_counters& find_counters(uint32_t id);

  // Finds a table of a group.
  const ReadableMap& group_map(uint32_t id, const std::string& name);

  std::string sensor_name_;
  bool exclusive_ = false;
  std::array<uint64_t, 3> sensor_missed_ = {};  // reported skips of the programs, by HOOK_EXEC, HOOK_EXIT, HOOK_FORK
  ObjectPtr sensor_;                            // the maps, and all programs but that of an exec
  Fd exec_program_{-1};                         // its object is closed when it is attached
  ObjectPtr scan_;                              // the programs of a scan, which share the maps of the sensor
  ObjectPtr marks_;                             // the programs that follow marked processes
  std::vector<LinkPtr> sensor_links_;
  bool frees_attached_ = false;
  LinkPtr prepare_link_;                           // only while processes are scanned
  std::unordered_map<uint64_t, scope_set> named_;  // the cgroups of named containers
  std::vector<LinkPtr> sockets_links_;             // one, while policies track socket owners
  // Guards the members that any thread may use: the mapped memory, the list of hooks, the pins' names. No slow call is
  // made under it.
  mutable std::mutex mutex_;
  MappedMap control_;
  MappedMap counters_;
  Pins pins_;
  std::map<uint32_t, Hook> hooks_;
  CallTables call_tables_;
  uint32_t counted_end_ = HOOK_FIRST_POLICY;  // all counters from here on are 0
  uint32_t next_counted_ = 0;                 // the hook whose missed runs are read next
  std::vector<MissedRuns> moved_missed_;
  std::vector<int> detached_events_;
  Fd inner_map_{-1}, outer_map_{-1};  // for wait_for_programs()
};

}  // namespace polytrace

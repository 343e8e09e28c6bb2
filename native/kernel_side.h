// One tracer's side in the kernel: the base sensor, its shared maps, and the hooks that use them. Owns every descriptor, so
// that closing it, or the death of the process, detaches everything. Knows nothing of policies and needs no environment of
// JavaScript: it is given bytes, and throws Failure. One thread makes changes. What another thread may call meanwhile is marked.
// kernel_side_processes.cc handles processes that already run, kernel_side_scopes.cc the scopes of cgroups, kernel_side_counts.cc the kernel's counters,
// kernel_side_pins.cc pinned links.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "abi_types.h"
#include "handles.h"
#include "hook.h"
#include "hook_spec.h"
#include "pins.h"

namespace polytrace {

struct SensorSpec {
  std::string object;
  uint32_t ring_bytes = 0;
  uint32_t processes = 0;  // size of the tables of processes
  bool include_self = false;
  bool on_demand = false;  // the kernel can allocate map entries when they are needed
};

struct Losses {
  uint32_t hook = 0;
  uint64_t ring = 0;     // no room in the ring buffer
  uint64_t pending = 0;  // no room to keep an entry until its return
  uint64_t at_return = 0;  // returns that were not seen
};

struct HookCounts {
  uint64_t matched = 0;     // calls that a selector with actions matched
  uint64_t suppressed = 0;  // events that a rate limit held back
  uint64_t enforced = 0;    // calls that were acted on
  uint64_t hits = 0;
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

struct Missed {
  uint32_t hook = 0;
  uint64_t count = 0;
};

class KernelSide {
 public:
  KernelSide() = default;
  ~KernelSide() {
    close();
    close_all(take_silenced());
  }
  KernelSide(const KernelSide&) = delete;
  KernelSide& operator=(const KernelSide&) = delete;

  void open(const SensorSpec& spec);
  // The ring buffer's descriptor. This object owns it.
  int events_fd();
  // From now on the kernel wakes the reader for the next record. Returns false when this is closed. Any thread.
  bool request_wakeup();
  // This process's id as the kernel numbers it; 0 when events of this process are wanted. Any thread.
  uint32_t self_tgid() const;

  // Returns the indexes of the places that were left out.
  std::vector<uint32_t> add_hook(const HookSpec& spec);
  void remove_hooks(std::span<const uint32_t> ids);
  // Any thread.
  void set_enforces(uint32_t id, bool enforces);

  // Entries of a map of the base sensor.
  void put_entries(const std::string& map, std::span<const uint8_t> entries);
  void delete_entries(const std::string& map, std::span<const uint8_t> keys);

  // From now on the sensor keeps the sets of every process that execs, forks or ends.
  void use_process_sets();
  // Sets that contain the descendants of their members, sets of trusted executables only, and sets with prefixes. Any thread.
  void set_kinds(const process_sets& followed, const process_sets& trusted, const process_sets& prefixed);
  // No process is in these sets when this returns. Their values are in no table any more, and they are not followed.
  void clear_sets(const process_sets& sets);
  // Call it before values of these sets are put into the tables. From here on no fork and no exec is missed.
  void begin_scan(const process_sets& sets);
  // Call it after that. When it returns, every process has its sets.
  void finish_scan(const process_sets& sets);
  // From now on the sensor keeps what each process is when it execs. Of running processes it keeps what they are now.
  void keep_state();
  // From now on no policy acts on this process and its ancestors, whichever pid namespace they are in.
  void protect_ancestors();
  // From now on the sensor keeps the scopes of every cgroup below `mount`, where the whole unified hierarchy is mounted.
  void use_scopes(const std::string& mount);
  // The scopes of cgroups that no source has named, of containers that are named, and containers that are named no longer. Cgroups
  // below a container have its scopes. When it returns, every cgroup has its scopes.
  void set_scopes(const ScopeChange& change);
  // While policies track socket owners, sockets that the kernel frees are forgotten.
  void set_tracks_sockets(bool tracks);
  // The file of one of this process's descriptors, as the kernel numbers it.
  std::optional<inode_key> inode_of(uint32_t fd);

  // Any thread may call these four.
  // New losses since the last call.
  std::vector<Losses> take_losses();
  // New runs since the last call that the kernel skipped because the program was already running on the CPU.
  std::vector<Missed> take_missed();
  HookCounts hook_counts(uint32_t id) const;
  // Bytes of the hook's programs and of the maps that only it uses.
  uint64_t hook_memory(uint32_t id) const;

  // From now on everything that is attached is pinned to this empty folder, and goes on when this process dies.
  void pin_to(const std::string& folder);
  // Notes what a hook is called, for whoever finds its pins. Any thread.
  void name_hook(uint32_t id, const std::string& name);

  // Nothing new is recorded from here on; records that are in the ring can still be read. With `keep`, what is pinned goes on.
  void detach(bool keep) noexcept;
  // Idempotent. What is pinned goes on unless detach(false) was called before.
  void close() noexcept;

  // Perf events of hooks that are detached: closing them takes the kernel long.
  std::vector<int> take_silenced() noexcept;

 private:
  void must_be_open() const;
  bpf_map* sensor_map(const char* name);
  bpf_program* sensor_program(const char* name);
  void load_sensor(const SensorSpec& spec);
  // Does nothing when that was done before.
  void load_scan();
  void map_sensor();
  void find_own_tgid();
  void find_initial_process();
  void attach_sensor(const char* program);
  void keep_until_freed();
  void request_scan(const scan_request& request);
  uint32_t scan_once();
  void scan_until_still();
  void clear_unseen(const process_sets& sets);
  void forget_sockets();
  void forget_answers();
  size_t list_cgroups(const std::string& mount);
  size_t correct_scopes(const std::array<scope_set, CGROUP_KINDS>& defaults);
  // What ends something needs no memory.
  void silence(Hook& hook) noexcept;
  static void destroy_links(std::map<uint32_t, Hook>& hooks) noexcept;
  void pin_link(int link, const std::string& name);
  void pin_hook(uint32_t id, const Hook& hook);
  void unpin_hook(uint32_t id, const Hook& hook) noexcept;
  void detach_links(bool keep) noexcept;

  std::string sensor_name_;
  ObjectPtr sensor_;
  ObjectPtr scan_;  // the programs of a scan, which share the maps of the sensor
  std::vector<LinkPtr> sensor_links_;
  bool frees_attached_ = false;
  LinkPtr prepare_link_;                // while processes are scanned
  std::unordered_map<uint64_t, scope_set> named_;  // cgroups of named containers
  std::vector<LinkPtr> sockets_links_;  // one, while policies track socket owners
  // Guards what any thread may use: the mapped memory, the list of hooks, the pins' names. No slow call is made under it.
  mutable std::mutex mutex_;
  MappedMap control_;
  MappedMap counters_;
  Pins pins_;
  std::map<uint32_t, Hook> hooks_;
  std::vector<int> silenced_;
};

}  // namespace polytrace

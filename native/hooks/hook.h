// One hook in the kernel: an instance of a generic program with its own configuration, maps and links.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "attach/probe_links.h"
#include "base/handles.h"
#include "hooks/hook_spec.h"

namespace polytrace {

// Maps of the base sensor that hooks use.
constexpr const char* SHARED_MAPS[] = {"events",         "control",
                                       "counters",       "protected_processes",
                                       "process_bits",   "process_bits_more",
                                       "process_states", "process_states_more",
                                       "cgroup_scopes",  "cgroup_scopes_more",
                                       "socket_owners",  "moved_calls",
                                       ".data.shared"};

// Maps of the programs that follow marked processes. Only hooks with marks have them.
constexpr const char* MARK_MAPS[] = {"owned_marks", "mark_details", "mark_names", "no_marks", ".data.marks"};

// A map that is read while the hook is attached.
struct ReadableMap {
  Fd fd{-1};  // -1 if the hook does not have it
  uint32_t key_size = 0, value_size = 0, max_entries = 0;
};

// The tables of a hook's Count actions (bpf/counts.bpf.h).
struct CountMaps {
  ReadableMap keys, totals, texts, direct;
};

struct Hook {
  ObjectPtr object;  // until release_object(); destroyed last
  std::vector<LinkPtr> links;
  ProbeLinks probes;
  std::vector<Fd> programs;  // set by release_object()
  Fd notifications{-1};      // the map that other hooks share; -1 if this hook does not own it
  CountMaps counts;          // set by release_object()
  // By name; the tables that change while the hook is attached. Set by release_object().
  std::map<std::string, ReadableMap> group_maps;
  bool may_miss_returns = false;      // it has a table of active calls, and the kernel can lose their returns
  uint64_t memory = 0;                // bytes of the programs, and of the maps that only this hook uses
  std::vector<int> counted;           // descriptors of the links whose missed runs count
  uint64_t missed_before_detach = 0;  // runs that links had missed when they were detached
  uint64_t missed = 0;                // missed runs that were already reported

  // Descriptors of all links.
  std::vector<int> list_links() const;
  // Runs that the kernel's links have missed.
  uint64_t count_missed_runs() const;
};

// Finds the map that another hook shares, by the hook's id. Returns its descriptor, or -1 if there is none.
using FindMap = std::function<int(uint32_t id)>;

// Makes the object use those of these maps that it has.
void share_maps_by_name(bpf_object* object, std::span<const char* const> names, bpf_object* owner);

// The objects whose maps a hook uses.
struct MapOwners {
  bpf_object* sensor = nullptr;
  bpf_object* marks = nullptr;  // null until a policy has marks
};

// True if loading the hook needs maps of other hooks or of marks, which must be loaded before.
bool uses_other_maps(const HookSpec& spec);

// Loads the hook's programs; nothing is attached yet. Throws Failure.
Hook load_hook(const HookSpec& spec, const MapOwners& owners, const FindMap& find);

// Attaches the return before the entry, so that no entry is without its return. Returns the indexes of the optional
// attach points that do not exist. Throws Failure.
std::vector<uint32_t> attach_hook(Hook& hook, const HookSpec& spec);

// Closes the object of an attached hook, and keeps the few descriptors that are read later. The links hold the
// programs, and these hold their maps. Throws Failure.
void release_object(Hook& hook, const HookSpec& spec);

}  // namespace polytrace

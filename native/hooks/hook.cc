#include "hooks/hook.h"

#include <bpf/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/abi_types.h"
#include "base/error.h"
#include "loading/cel_patch.h"
#include "loading/elf_error.h"
#include "loading/features.h"
#include "loading/object_steps.h"
#include "loading/relocation_cache.h"
#include "loading/specialization.h"

namespace polytrace {

namespace {

// Indexes of a hook's two programs, in the order in which they are attached.
constexpr int AT_RETURN = 0;
constexpr int AT_ENTRY = 1;
constexpr int BOTH = 2;

using Programs = std::array<bpf_program*, BOTH>;  // null for one that the hook does not have

// Names of the programs that the hook needs; null for the others.
std::array<const char*, BOTH> program_names(const HookSpec& spec) {
  const bool replaces_call = spec.target.mechanism == "fentry" && spec.overrides;
  const char* const entry = replaces_call ? "hook_override" : "hook_entry";
  return {spec.at_return ? "hook_return" : nullptr, spec.entry ? entry : nullptr};
}

// The key of these programs in the relocation cache.
std::string programs_key(const std::array<const char*, BOTH>& names) {
  const auto name_or_empty = [](const char* name) { return std::string(name == nullptr ? "" : name); };
  return name_or_empty(names[AT_RETURN]) + " " + name_or_empty(names[AT_ENTRY]);
}

void replace_code(std::vector<uint8_t>& bytes, const std::vector<CodeSpec>& code) {
  for (const CodeSpec& piece : code) {
    if (replace_body(bytes, piece.mark, piece.instructions)) continue;
    throw Failure{"CODE_PLACE", "the program has no place for these instructions"};
  }
}

// An enforcer has a smaller configuration; the rest is zero.
hook_config read_config(const std::vector<uint8_t>& config) {
  hook_config values = {};
  if (config.size() >= sizeof(values)) std::memcpy(&values, config.data(), sizeof(values));
  return values;
}

// Hooks without marks do without their maps.
void share_mark_maps(bpf_object* object, const hook_config& config, bpf_object* marks) {
  if (config.mark_tests != 0 || config.mark_actions != 0) {
    if (marks == nullptr) throw Failure{"NO_SUCH_MAP", "the programs of marks are not loaded"};
    return share_maps_by_name(object, MARK_MAPS, marks);
  }
  for (const char* name : MARK_MAPS) {
    bpf_map* map = bpf_object__find_map_by_name(object, name);
    if (map != nullptr) check_setup(bpf_map__set_autocreate(map, false), "cannot leave a map out");
  }
}

void share_hook_map(bpf_map* map, int shared) {
  if (shared < 0) throw Failure{"NO_SUCH_MAP", "there is no hook to share a map with"};
  check_setup(bpf_map__reuse_fd(map, shared), "cannot share a map");
}

void size_map(bpf_map* map, const MapSpec& spec, uint8_t guard) {
  if (spec.key_size != 0) check_setup(bpf_map__set_key_size(map, spec.key_size), "key size");
  if (spec.trim != 0) check_setup(bpf_map__set_value_size(map, bpf_map__value_size(map) - spec.trim), "value size");
  if (spec.max_entries != 0) check_setup(bpf_map__set_max_entries(map, spec.max_entries), "map entries");
  if (spec.name == "scratch") {
    const uint32_t two_each_cpu = 2 * static_cast<uint32_t>(libbpf_num_possible_cpus());
    const uint32_t levels = guard == GUARD_LEVELS ? SCRATCH_LEVELS : 1;
    check_setup(bpf_map__set_max_entries(map, two_each_cpu * levels), "cannot size the scratch memory");
  }
  if (spec.flags != 0) check_setup(bpf_map__set_map_flags(map, spec.flags), "map flags");
}

// Sizes the negative cache of paths (bpf/negative_cache.bpf.h) in programs that have one.
void size_negative_cache(bpf_object* object, const std::vector<uint8_t>& config) {
  const hook_config values = read_config(config);
  bpf_map* map = bpf_object__find_map_by_name(object, ".data.negative_cache");
  if (map == nullptr) return;
  if (values.cache_entries == 0) {
    check_setup(bpf_map__set_autocreate(map, false), "cannot leave a map out");
  } else {
    const uint32_t size = values.cache_entries * static_cast<uint32_t>(sizeof(negative_entry));
    check_setup(bpf_map__set_value_size(map, size), "cannot size the negative cache");
  }
}

// Sizes the places of active calls (bpf/active_calls.bpf.h) in programs that have them.
void size_active_calls(bpf_object* object, const hook_config& config) {
  bpf_map* map = bpf_object__find_map_by_name(object, ".data.active_calls");
  if (map == nullptr) return;
  if (config.active_calls == 0) {
    check_setup(bpf_map__set_autocreate(map, false), "cannot leave a map out");
  } else {
    check_setup(bpf_map__set_value_size(map, ACTIVE_CALLS * ACTIVE_CALL_BYTES), "cannot size the active calls");
  }
}

// Sizes the known kernel stacks (bpf/stack_cache.bpf.h) in programs that have them.
void size_stack_caches(bpf_object* object, const hook_config& config) {
  bpf_map* map = bpf_object__find_map_by_name(object, ".data.stack_cache");
  if (map == nullptr) return;
  if (config.stack_caches == 0) {
    check_setup(bpf_map__set_autocreate(map, false), "cannot leave a map out");
  } else {
    const uint32_t size = config.stack_caches * static_cast<uint32_t>(sizeof(stack_cache));
    check_setup(bpf_map__set_value_size(map, size), "cannot size the known stacks");
  }
}

// Sizes the places of keys (bpf/direct_keys.bpf.h) in programs that have them.
void size_direct_keys(bpf_object* object, const hook_config& config) {
  bpf_map* map = bpf_object__find_map_by_name(object, ".data.direct_keys");
  if (map == nullptr) return;
  if (config.direct_keys == 0) {
    check_setup(bpf_map__set_autocreate(map, false), "cannot leave a map out");
  } else {
    const uint32_t size = config.direct_keys * static_cast<uint32_t>(sizeof(direct_key));
    check_setup(bpf_map__set_value_size(map, size), "cannot size the places of keys");
  }
}

void prepare_maps(bpf_object* object, const HookSpec& spec, const FindMap& find) {
  const uint8_t guard = read_config(spec.config).guard;
  for (const MapSpec& each : spec.maps) {
    bpf_map* map = find_map(object, each.name.c_str());
    if (!each.create) {
      check_setup(bpf_map__set_autocreate(map, false), "cannot leave a map out");
    } else if (each.shared_with) {
      share_hook_map(map, find(*each.shared_with));
    } else {
      size_map(map, each, guard);
    }
  }
}

void select_programs(bpf_object* object, const HookSpec& spec, TypedTargets& typed) {
  bpf_program* each;
  bpf_object__for_each_program(each, object) bpf_program__set_autoload(each, false);
  for (const char* name : program_names(spec)) {
    if (name == nullptr) continue;
    bpf_program* program = find_program(object, name);
    bpf_program__set_autoload(program, true);
    LogScope log;
    const int err = set_target(program, spec.target, typed);
    if (err == 0) continue;
    throw Failure{"NO_SUCH_FUNCTION", "the kernel's BTF has no function " + spec.target.describe(), err, log.text()};
  }
}

void fill_maps(bpf_object* object, const HookSpec& spec) {
  for (const MapSpec& each : spec.maps) {
    if (each.create) put_entries(find_map(object, each.name.c_str()), each.entries);
  }
}

Programs find_programs(const Hook& hook, const HookSpec& spec) {
  const auto names = program_names(spec);
  Programs programs = {};
  for (int i = 0; i < BOTH; i++) {
    if (names[i] != nullptr) programs[i] = find_program(hook.object.get(), names[i]);
  }
  return programs;
}

// Missed runs are counted at the entry where there is one.
bool is_counted(int which, const Programs& programs) { return which == AT_ENTRY || programs[AT_ENTRY] == nullptr; }

// Returns the link's descriptor, or -1 for another mechanism or if the kernel has no links of perf events
// (before 5.15).
int attach_kprobe(Hook& hook, const Target& target, bpf_program* program, bool at_return) {
  if (target.mechanism != "kprobe") return -1;
  return hook.probes.add_single(bpf_program__fd(program), {false, target.name, 0, 0, at_return});
}

void attach_single(Hook& hook, const Target& target, const Programs& programs) {
  for (int i = 0; i < BOTH; i++) {
    if (programs[i] == nullptr) continue;
    const int kprobe = attach_kprobe(hook, target, programs[i], i == AT_RETURN);
    if (kprobe >= 0) {
      if (is_counted(i, programs)) hook.counted.push_back(kprobe);
      continue;
    }
    // libbpf's links need a second descriptor for a perf event
    LogScope log;
    const ElfErrorScope elf;
    LinkPtr link = attach_program(programs[i], target, i == AT_RETURN);
    if (!link)
      throw Failure{"HOOK_ATTACH", "cannot attach to " + target.describe(), elf.resolve_error(errno), log.text()};
    if (is_counted(i, programs)) hook.counted.push_back(bpf_link__fd(link.get()));
    hook.links.push_back(std::move(link));
  }
}

// Attaches all of the hook's programs or none. Returns 0 or a negative errno.
int attach_point(Hook& hook, const Target& target, const Programs& programs, uint32_t point) {
  std::vector<int> counted;
  int attached = 0;
  for (int i = 0; i < BOTH; i++) {
    if (programs[i] == nullptr) continue;
    const int link =
        hook.probes.add(bpf_program__fd(programs[i]), describe_probe(target, point, i == AT_RETURN), point);
    if (link < 0) {
      for (; attached > 0; attached--) hook.probes.drop_last();
      return link;
    }
    attached++;
    if (is_counted(i, programs)) counted.push_back(link);
  }
  hook.counted.insert(hook.counted.end(), counted.begin(), counted.end());
  return 0;
}

std::vector<uint32_t> attach_points(Hook& hook, const Target& target, const Programs& programs) {
  std::vector<uint32_t> skipped;
  for (uint32_t point = 0; point < target.points.size(); point++) {
    const int err = attach_point(hook, target, programs, point);
    if (err == 0) continue;
    if (!target.optional_points || !is_unattachable(err)) {
      throw Failure{"HOOK_ATTACH", "cannot attach to " + target.describe(), err, {}, point};
    }
    skipped.push_back(point);
  }
  return skipped;
}

// For a pipe, libbpf would wait for a writer.
void check_regular_file(const Target& target) {
  struct stat status = {};
  if (target.path.empty() || stat(target.path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return;
  throw Failure{"HOOK_ATTACH", "cannot attach to " + target.describe() + ": it is not a regular file", EINVAL};
}

// The runs that a kprobe skipped; 0 if the kernel does not count them. Missed returns are counted by the programs.
uint64_t read_missed_runs(int fd) {
  bpf_link_info details = {};
  uint32_t size = sizeof(details);
  if (bpf_obj_get_info_by_fd(fd, &details, &size) != 0) return 0;
  if (details.type == BPF_LINK_TYPE_KPROBE_MULTI) return details.kprobe_multi.missed;
  const bool is_kprobe = details.type == BPF_LINK_TYPE_PERF_EVENT && details.perf_event.type == BPF_PERF_EVENT_KPROBE;
  return is_kprobe ? details.perf_event.kprobe.missed : 0;
}

}  // namespace

std::vector<int> Hook::list_links() const {
  std::vector<int> result = probes.links();
  for (const LinkPtr& link : links) result.push_back(bpf_link__fd(link.get()));
  return result;
}

uint64_t Hook::count_missed_runs() const {
  uint64_t all = missed_before_detach;
  for (const int fd : counted) all += read_missed_runs(fd);
  return all;
}

void share_maps_by_name(bpf_object* object, std::span<const char* const> names, bpf_object* owner) {
  for (const char* name : names) {
    // enforcers have no sockets map
    bpf_map* map = bpf_object__find_map_by_name(object, name);
    if (map == nullptr) continue;
    check_setup(bpf_map__reuse_fd(map, bpf_map__fd(find_map(owner, name))), "cannot share a map");
  }
}

bool uses_other_maps(const HookSpec& spec) {
  const hook_config config = read_config(spec.config);
  return config.mark_tests != 0 || config.mark_actions != 0 ||
         std::ranges::any_of(spec.maps, [](const MapSpec& map) { return map.shared_with.has_value(); });
}

Hook load_hook(const HookSpec& spec, const MapOwners& owners, const FindMap& find) {
  const std::string programs = programs_key(program_names(spec));
  ObjectBytes bytes = object_bytes(spec.object, programs);
  replace_code(bytes.bytes, spec.code);
  if (read_config(spec.config).guard == GUARD_PREEMPT && !allows_global_calls_without_preemption()) {
    hide_functions(bytes.bytes);
  }
  Hook hook;
  hook.object = open_object(spec.object, bytes);
  bpf_object* object = hook.object.get();
  share_maps_by_name(object, SHARED_MAPS, owners.sensor);
  share_mark_maps(object, read_config(spec.config), owners.marks);
  set_rodata(object, spec.config);
  prepare_maps(object, spec, find);
  size_negative_cache(object, spec.config);
  size_active_calls(object, read_config(spec.config));
  size_direct_keys(object, read_config(spec.config));
  size_stack_caches(object, read_config(spec.config));
  TypedTargets typed;
  select_programs(object, spec, typed);
  const Specialization specialization(object, spec.config, spec.optimize);
  load_object(hook.object, "HOOK_LOAD", "the kernel refused the program for " + spec.target.describe());
  cache_relocated(spec.object, programs, object,
                  [&](const bpf_program* program) { return specialization.original_instructions(program); });
  fill_maps(object, spec);
  return hook;
}

std::vector<uint32_t> attach_hook(Hook& hook, const HookSpec& spec) {
  check_regular_file(spec.target);
  const Programs programs = find_programs(hook, spec);
  if (has_link_per_point(spec.target)) return attach_points(hook, spec.target, programs);
  attach_single(hook, spec.target, programs);
  return {};
}

}  // namespace polytrace

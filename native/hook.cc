#include "hook.h"

#include <bpf/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "abi_types.h"
#include "cel_patch.h"
#include "elf_scope.h"
#include "error.h"
#include "object_steps.h"
#include "relocated.h"
#include "specialize/specialize.h"

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

// The name under which relocations of these programs are kept.
std::string key_of(const std::array<const char*, BOTH>& names) {
  const auto word = [](const char* name) { return std::string(name == nullptr ? "" : name); };
  return word(names[AT_RETURN]) + " " + word(names[AT_ENTRY]);
}

void put_code(std::vector<uint8_t>& bytes, const std::vector<CodeSpec>& code) {
  for (const CodeSpec& piece : code) {
    if (replace_body(bytes, piece.mark, piece.instructions)) continue;
    throw Failure{"CODE_PLACE", "the program has no place for these instructions"};
  }
}

void share_sensor_maps(bpf_object* object, bpf_object* sensor) {
  for (const char* name : SHARED_MAPS) {
    // enforcers have no sockets map
    bpf_map* map = bpf_object__find_map_by_name(object, name);
    if (map == nullptr) continue;
    check_setup(bpf_map__reuse_fd(map, bpf_map__fd(map_named(sensor, name))), "cannot share a map");
  }
}

void share_hook_map(bpf_map* map, bpf_object* owner) {
  if (owner == nullptr) throw Failure{"NO_SUCH_MAP", "there is no hook to share a map with"};
  const bpf_map* shared = map_named(owner, bpf_map__name(map));
  check_setup(bpf_map__reuse_fd(map, bpf_map__fd(shared)), "cannot share a map");
}

void size_map(bpf_map* map, const MapSpec& spec) {
  if (spec.key_size != 0) check_setup(bpf_map__set_key_size(map, spec.key_size), "key size");
  if (spec.trim != 0) check_setup(bpf_map__set_value_size(map, bpf_map__value_size(map) - spec.trim), "value size");
  if (spec.max_entries != 0) check_setup(bpf_map__set_max_entries(map, spec.max_entries), "map entries");
  if (spec.name == "scratch") {
    const uint32_t two_each_cpu = 2 * static_cast<uint32_t>(libbpf_num_possible_cpus());
    check_setup(bpf_map__set_max_entries(map, two_each_cpu), "cannot size the scratch memory");
  }
  if (spec.flags != 0) check_setup(bpf_map__set_map_flags(map, spec.flags), "map flags");
}

// The entries of bpf/verdicts.bpf.h, in programs that can remember verdicts.
void size_verdicts(bpf_object* object, const std::vector<uint8_t>& config) {
  hook_config values = {};
  std::memcpy(&values, config.data(), std::min(config.size(), sizeof(values)));
  bpf_map* map = bpf_object__find_map_by_name(object, ".data.verdicts");
  if (map == nullptr) return;
  if (values.verdict_entries == 0) {
    check_setup(bpf_map__set_autocreate(map, false), "cannot leave a map out");
  } else {
    const uint32_t size = values.verdict_entries * static_cast<uint32_t>(sizeof(known_verdict));
    check_setup(bpf_map__set_value_size(map, size), "cannot size the memory of verdicts");
  }
}

void prepare_maps(bpf_object* object, const HookSpec& spec, const FindHook& find) {
  for (const MapSpec& each : spec.maps) {
    bpf_map* map = map_named(object, each.name.c_str());
    if (!each.create) {
      check_setup(bpf_map__set_autocreate(map, false), "cannot leave a map out");
    } else if (each.shared_with) {
      share_hook_map(map, find(*each.shared_with));
    } else {
      size_map(map, each);
    }
  }
}

void choose_programs(bpf_object* object, const HookSpec& spec, TypedTargets& typed) {
  bpf_program* each;
  bpf_object__for_each_program(each, object) bpf_program__set_autoload(each, false);
  for (const char* name : program_names(spec)) {
    if (name == nullptr) continue;
    bpf_program* program = program_named(object, name);
    bpf_program__set_autoload(program, true);
    LogScope log;
    const int err = set_target(program, spec.target, typed);
    if (err == 0) continue;
    throw Failure{"NO_SUCH_FUNCTION", "the kernel's BTF has no function " + spec.target.words(), err, log.text()};
  }
}

void fill_maps(bpf_object* object, const HookSpec& spec) {
  for (const MapSpec& each : spec.maps) {
    if (each.create) put_entries(map_named(object, each.name.c_str()), each.entries);
  }
}

Programs programs_of(const Hook& hook, const HookSpec& spec) {
  const auto names = program_names(spec);
  Programs programs = {};
  for (int i = 0; i < BOTH; i++) {
    if (names[i] != nullptr) programs[i] = program_named(hook.object.get(), names[i]);
  }
  return programs;
}

// Missed runs are counted at the entry where there is one.
bool is_counted(int which, const Programs& programs) { return which == AT_ENTRY || programs[AT_ENTRY] == nullptr; }

void attach_at_once(Hook& hook, const Target& target, const Programs& programs) {
  for (int i = 0; i < BOTH; i++) {
    if (programs[i] == nullptr) continue;
    LogScope log;
    const ElfScope elf;
    LinkPtr link = attach_program(programs[i], target, i == AT_RETURN);
    if (!link) throw Failure{"HOOK_ATTACH", "cannot attach to " + target.words(), elf.error_of(errno), log.text()};
    if (is_counted(i, programs)) hook.counted.push_back(bpf_link__fd(link.get()));
    hook.links.push_back(std::move(link));
  }
}

// All of the hook's programs or none. Returns 0 or a negative errno.
int attach_place(Hook& hook, const Target& target, const Programs& programs, uint32_t place) {
  std::vector<int> counted;
  int attached = 0;
  for (int i = 0; i < BOTH; i++) {
    if (programs[i] == nullptr) continue;
    const int link = hook.probes.add(bpf_program__fd(programs[i]), probe_at(target, place, i == AT_RETURN), place);
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

std::vector<uint32_t> attach_each(Hook& hook, const Target& target, const Programs& programs) {
  std::vector<uint32_t> left_out;
  for (uint32_t place = 0; place < target.places.size(); place++) {
    const int err = attach_place(hook, target, programs, place);
    if (err == 0) continue;
    if (!target.optional_places || !is_no_place(err)) {
      throw Failure{"HOOK_ATTACH", "cannot attach to " + target.words(), err, {}, place};
    }
    left_out.push_back(place);
  }
  return left_out;
}

// libbpf would wait for somebody who writes to a pipe.
void check_file(const Target& target) {
  struct stat status = {};
  if (target.path.empty() || stat(target.path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return;
  throw Failure{"HOOK_ATTACH", "cannot attach to " + target.words() + ": it is not a regular file", EINVAL};
}

// Runs that a kprobe did not pass on to its program; 0 where the kernel does not count them. The programs themselves count
// returns that were missed.
uint64_t missed_by_link(int fd) {
  bpf_link_info details = {};
  uint32_t size = sizeof(details);
  if (bpf_obj_get_info_by_fd(fd, &details, &size) != 0) return 0;
  if (details.type == BPF_LINK_TYPE_KPROBE_MULTI) return details.kprobe_multi.missed;
  const bool is_kprobe = details.type == BPF_LINK_TYPE_PERF_EVENT && details.perf_event.type == BPF_PERF_EVENT_KPROBE;
  return is_kprobe ? details.perf_event.kprobe.missed : 0;
}

}  // namespace

std::vector<int> Hook::all_links() const {
  std::vector<int> result = probes.links();
  for (const LinkPtr& link : links) result.push_back(bpf_link__fd(link.get()));
  return result;
}

uint64_t Hook::missed_by_links() const {
  uint64_t all = missed_before_detach;
  for (const int fd : counted) all += missed_by_link(fd);
  return all;
}

Hook load_hook(const HookSpec& spec, bpf_object* sensor, const FindHook& find) {
  const std::string programs = key_of(program_names(spec));
  std::vector<uint8_t> bytes = object_bytes(spec.object, programs);
  put_code(bytes, spec.code);
  Hook hook;
  hook.object = open_object(spec.object, bytes);
  bpf_object* object = hook.object.get();
  share_sensor_maps(object, sensor);
  set_rodata(object, spec.config);
  prepare_maps(object, spec, find);
  size_verdicts(object, spec.config);
  TypedTargets typed;
  choose_programs(object, spec, typed);
  const Specialization specialized(object, spec.config);
  load_object(object, "HOOK_LOAD", "the kernel refused the program for " + spec.target.words());
  keep_relocated(spec.object, programs, object,
                 [&](const bpf_program* program) { return specialized.original(program); });
  fill_maps(object, spec);
  for (bpf_program* program : programs_of(hook, spec)) {
    if (program != nullptr) hook.programs.push_back(bpf_program__fd(program));
  }
  return hook;
}

std::vector<uint32_t> attach_hook(Hook& hook, const HookSpec& spec) {
  check_file(spec.target);
  const Programs programs = programs_of(hook, spec);
  if (has_link_per_place(spec.target)) return attach_each(hook, spec.target, programs);
  attach_at_once(hook, spec.target, programs);
  return {};
}

}  // namespace polytrace

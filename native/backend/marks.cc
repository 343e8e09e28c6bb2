// The marks of processes and containers: loads the programs that follow them, and takes over the marks of earlier
// tracers.
#include <bpf/bpf.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "backend/bpf_backend.h"
#include "base/error.h"
#include "loading/object_steps.h"
#include "loading/relocation_cache.h"

namespace polytrace {

namespace {

// Keys of the relocation cache.
constexpr const char* MARKS_KEY = "";
constexpr const char* EXCLUSIVE_KEY = "exclusive";

// The programs that have a second one, which disables preemption. No fork may be missed, so the frees come first.
constexpr std::array PROGRAMS = {std::string_view("mark_free"), std::string_view("mark_fork")};
constexpr const char* CGROUP_PROGRAM = "handle_mark_cgroup_gone";

std::string program_name(std::string_view event, bool exclusive) {
  return std::string(exclusive ? "exclusive_" : "handle_").append(event);
}

void select_programs(bpf_object* object, bool exclusive) {
  for (const std::string_view event : PROGRAMS) {
    bpf_program* other = bpf_object__find_program_by_name(object, program_name(event, !exclusive).c_str());
    if (other != nullptr) bpf_program__set_autoload(other, false);
  }
}

void size_map(bpf_object* object, const char* name, uint32_t entries, bool on_demand) {
  bpf_map* map = find_map(object, name);
  check_setup(bpf_map__set_max_entries(map, entries), "cannot size the tables of marks");
  if (on_demand) check_setup(bpf_map__set_map_flags(map, BPF_F_NO_PREALLOC), "cannot size the tables of marks");
}

// The maps of the last tracer that has left any.
std::vector<Fd> find_earlier_maps(const std::vector<std::string>& folders) {
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    std::vector<Fd> maps = open_pinned_marks(*folder);
    if (!maps.empty()) return maps;
  }
  return {};
}

}  // namespace

void BpfBackend::pin_marks(bpf_object* object) {
  if (!pins_.is_active()) return;
  for (size_t i = 0; i < std::size(MARK_MAPS); i++) {
    const int err = pins_.pin(bpf_map__fd(find_map(object, MARK_MAPS[i])), MARK_PINS[i]);
    if (err != 0) throw Failure{"PERSIST", "the kernel cannot pin the marks", err};
  }
}

void BpfBackend::attach_marks(bpf_object* object) {
  attach_sensor_program(find_program(object, CGROUP_PROGRAM), CGROUP_PROGRAM);
  for (const std::string_view event : PROGRAMS) {
    const std::string name = program_name(event, exclusive_);
    attach_sensor_program(find_program(object, name.c_str()), name.c_str());
  }
}

std::vector<uint8_t> BpfBackend::load_marks(const MarksSpec& spec) {
  require_open();
  if (!marks_) {
    const char* key = exclusive_ ? EXCLUSIVE_KEY : MARKS_KEY;
    ObjectPtr object = open_object(spec.object, object_bytes(spec.object, key));
    select_programs(object.get(), exclusive_);
    share_maps_by_name(object.get(), SHARED_MAPS, sensor_.get());
    size_map(object.get(), MARK_MAPS[0], spec.owners, spec.on_demand);
    size_map(object.get(), MARK_MAPS[1], spec.details, spec.on_demand);
    const std::vector<Fd> earlier = find_earlier_maps(spec.earlier);
    for (size_t i = 0; i < earlier.size(); i++) {
      check_setup(bpf_map__reuse_fd(find_map(object.get(), MARK_MAPS[i]), earlier[i].value),
                  "cannot take over the marks of an earlier tracer");
    }
    load_object(object, "MARKS_LOAD", "the kernel refused the programs that follow marked processes");
    cache_relocated(spec.object, key, object.get(), program_instructions);
    const size_t links = sensor_links_.size();
    try {
      pin_marks(object.get());
      attach_marks(object.get());
    } catch (...) {
      for (; sensor_links_.size() > links; sensor_links_.pop_back()) {
        pins_.unpin(SENSOR_PIN + std::to_string(sensor_links_.size() - 1));
      }
      for (const char* pin : MARK_PINS) pins_.unpin(pin);
      throw;
    }
    marks_ = std::move(object);
  }
  const int names = bpf_map__fd(find_map(marks_.get(), "mark_names"));
  std::vector<uint8_t> result(MARKS_MAX * sizeof(mark_name));
  for (uint32_t slot = 0; slot < MARKS_MAX; slot++) {
    const int err = bpf_map_lookup_elem(names, &slot, result.data() + slot * sizeof(mark_name));
    if (err != 0) throw Failure{"MARKS_LOAD", "cannot read the names of marks", err};
  }
  return result;
}

void BpfBackend::name_mark(uint32_t slot, const mark_name& name) {
  require_open();
  if (!marks_) throw Failure{"NO_SUCH_MAP", "the programs of marks are not loaded"};
  const int err = bpf_map_update_elem(bpf_map__fd(find_map(marks_.get(), "mark_names")), &slot, &name, BPF_ANY);
  if (err != 0) throw Failure{"MAP_UPDATE", "cannot name a mark", err};
}

}  // namespace polytrace

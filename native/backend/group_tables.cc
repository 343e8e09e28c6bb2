// Changes the tables of hooks that are attached, and waits for the programs that may still read the earlier entries.
#include <bpf/bpf.h>

#include <cerrno>

#include "backend/bpf_backend.h"
#include "base/error.h"
#include "loading/object_steps.h"

namespace polytrace {

namespace {

int create_map(bpf_map_type type, int inner) {
  LIBBPF_OPTS(bpf_map_create_opts, opts);
  if (inner >= 0) opts.inner_map_fd = static_cast<uint32_t>(inner);
  const int fd = bpf_map_create(type, nullptr, sizeof(uint32_t), sizeof(uint32_t), 1, &opts);
  if (fd < 0) throw Failure{"MAP_SETUP", "cannot create a map to wait for programs", errno};
  return fd;
}

}  // namespace

bpf_map* BpfBackend::hook_map(uint32_t id, const std::string& name) {
  require_open();
  const auto found = hooks_.find(id);
  if (found == hooks_.end() || !found->second.object)
    throw Failure{"NO_SUCH_HOOK", "no changeable hook has this number"};
  return find_map(found->second.object.get(), name.c_str());
}

void BpfBackend::put_hook_entries(uint32_t id, const std::string& map, std::span<const uint8_t> entries) {
  polytrace::put_entries(hook_map(id, map), entries);
}

void BpfBackend::delete_hook_entries(uint32_t id, const std::string& name, std::span<const uint8_t> keys) {
  bpf_map* map = hook_map(id, name);
  const size_t size = bpf_map__key_size(map);
  for (size_t at = 0; at + size <= keys.size(); at += size) {
    const int err = bpf_map_delete_elem(bpf_map__fd(map), keys.data() + at);
    if (err != 0 && err != -ENOENT) throw Failure{"MAP_UPDATE", "cannot delete from the map " + name, err};
  }
}

// The kernel waits after each change of a map of maps (maybe_wait_bpf_programs), so that a program that still sees the
// earlier map has ended. membarrier() would not wait with one CPU or with nohz_full.
void BpfBackend::wait_for_programs() {
  if (inner_map_.value < 0) inner_map_ = Fd(create_map(BPF_MAP_TYPE_ARRAY, -1));
  if (outer_map_.value < 0) outer_map_ = Fd(create_map(BPF_MAP_TYPE_ARRAY_OF_MAPS, inner_map_.value));
  const uint32_t zero = 0;
  const int inner = inner_map_.value;
  const int err = bpf_map_update_elem(outer_map_.value, &zero, &inner, BPF_ANY);
  if (err != 0) throw Failure{"MAP_UPDATE", "cannot wait for programs", err};
}

}  // namespace polytrace

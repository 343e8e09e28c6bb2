// Changes the tables of hooks that are attached, and waits for the programs that may still read the earlier entries.
#include <bpf/bpf.h>

#include <cerrno>

#include "backend/bpf_backend.h"
#include "base/error.h"

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

const ReadableMap& BpfBackend::group_map(uint32_t id, const std::string& name) {
  require_open();
  const auto found = hooks_.find(id);
  if (found == hooks_.end()) throw Failure{"NO_SUCH_HOOK", "no hook has this number"};
  const auto map = found->second.group_maps.find(name);
  if (map == found->second.group_maps.end()) throw Failure{"NO_SUCH_MAP", "the hook has no map " + name};
  return map->second;
}

void BpfBackend::put_hook_entries(uint32_t id, const std::string& name, std::span<const uint8_t> entries) {
  const ReadableMap& map = group_map(id, name);
  const size_t size = map.key_size + map.value_size;
  if (entries.size() % size != 0) throw Failure{"MAP_ENTRY_SIZE", "entries of another size"};
  for (size_t at = 0; at + size <= entries.size(); at += size) {
    const uint8_t* const key = entries.data() + at;
    const int err = bpf_map_update_elem(map.fd.value, key, key + map.key_size, BPF_ANY);
    if (err != 0) throw Failure{"MAP_UPDATE", "cannot fill the map " + name, err};
  }
}

void BpfBackend::delete_hook_entries(uint32_t id, const std::string& name, std::span<const uint8_t> keys) {
  const ReadableMap& map = group_map(id, name);
  for (size_t at = 0; at + map.key_size <= keys.size(); at += map.key_size) {
    const int err = bpf_map_delete_elem(map.fd.value, keys.data() + at);
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

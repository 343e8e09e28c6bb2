#include "loading/object_steps.h"

#include <bpf/bpf.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/signals.h"
#include "btf/btf_types.h"
#include "btf/reduced_types.h"
#include "loading/elf_error.h"

namespace polytrace {

namespace {

// Writes the types of this kernel that libbpf needs to relocate an object into a file in memory.
Fd write_types(const std::set<std::string>& names) {
  const auto check = [](ssize_t result) {
    if (result < 0) throw Failure{"OPEN_FAILED", "cannot keep the types of this kernel in memory", errno};
    return static_cast<size_t>(result);
  };
  const std::vector<uint8_t> types = reduce_types(*BtfTypes::load_kernel(), names);
  Fd file(memfd_create("polytrace_types", MFD_CLOEXEC));
  check(file.value);
  for (size_t written = 0; written < types.size();) {
    written += check(write(file.value, types.data() + written, types.size() - written));
  }
  return file;
}

}  // namespace

ObjectPtr open_object(const std::string& name, const ObjectBytes& unopened) {
  if (unopened.bytes.empty()) throw Failure{"NO_SUCH_OBJECT", "no BPF object is called " + name};
  LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name.c_str());
  Fd types = unopened.types.empty() ? Fd(-1) : write_types(unopened.types);
  const std::string path = "/proc/self/fd/" + std::to_string(types.value);
  if (types.value >= 0) opts.btf_custom_path = path.c_str();
  LogScope log;
  const ElfErrorScope elf;
  ObjectPtr object(bpf_object__open_mem(unopened.bytes.data(), unopened.bytes.size(), &opts));
  if (!object) throw Failure{"OPEN_FAILED", "cannot open the BPF object " + name, elf.resolve_error(errno), log.text()};
  object.get_deleter().types = std::move(types);
  return object;
}

void require_descriptors(size_t count) {
  // objects are loaded on several threads at the same time: one does not count what another has opened to count
  static std::mutex mutex;
  const std::scoped_lock lock(mutex);
  std::vector<int> opened;
  opened.reserve(count);
  int error = 0;
  while (error == 0 && opened.size() < count) {
    const int fd = eventfd(0, EFD_CLOEXEC);
    if (fd >= 0) opened.push_back(fd);
    else error = errno;
  }
  for (const int fd : opened) close(fd);
  if (error != 0) throw Failure{"DESCRIPTORS", "loading programs needs more of them", error};
}

namespace {

size_t count_descriptors(bpf_object* object) {
  size_t count = 0;
  bpf_map* map;
  // a map of another object has its descriptor
  bpf_object__for_each_map(map, object) count += bpf_map__fd(map) < 0;
  bpf_program* program;
  bpf_object__for_each_program(program, object) count += bpf_program__autoload(program);
  return count;
}

// libbpf continues if the kernel has no memory for the object's BTF. The kernel then refuses the programs for another
// reason: without BTF, the verifier checks each function again at each call.
bool has_no_btf(const bpf_object* object, const LogScope& log) {
  return bpf_object__btf_fd(object) < 0 && log.text().find("END PROG LOAD LOG") != std::string::npos;
}

}  // namespace

void load_object(ObjectPtr& object, const char* code, const std::string& what) {
  LogScope log;
  const BlockedSignals blocked;
  require_descriptors(count_descriptors(object.get()) + LIBBPF_DESCRIPTORS + SPARE_DESCRIPTORS);
  const int err = bpf_object__load(object.get());
  object.get_deleter().types = Fd(-1);
  if (err != 0) throw Failure{code, what, has_no_btf(object.get(), log) ? -ENOMEM : err, log.text()};
}

bpf_map* find_map(bpf_object* object, const char* name) {
  bpf_map* map = bpf_object__find_map_by_name(object, name);
  if (map == nullptr) throw Failure{"NO_SUCH_MAP", std::string("no map is called ") + name};
  return map;
}

bpf_program* find_program(bpf_object* object, const char* name) {
  bpf_program* program = bpf_object__find_program_by_name(object, name);
  if (program == nullptr) throw Failure{"NO_SUCH_PROGRAM", std::string("no program is called ") + name};
  return program;
}

void set_rodata(bpf_object* object, std::span<const uint8_t> bytes) {
  bpf_map* map;
  bpf_object__for_each_map(map, object) {
    if (std::string(bpf_map__name(map)).find(".rodata") == std::string::npos) continue;
    if (bpf_map__set_initial_value(map, bytes.data(), bytes.size()) != 0) {
      throw Failure{"CONFIG_SIZE", "the configuration has another size than the program's", errno};
    }
    return;
  }
  throw Failure{"CONFIG_SIZE", "the program has no configuration"};
}

void put_entries(bpf_map* map, std::span<const uint8_t> entries) {
  const size_t key = bpf_map__key_size(map);
  const size_t entry_size = key + bpf_map__value_size(map);
  if (entries.size() % entry_size != 0) throw Failure{"MAP_ENTRY_SIZE", "entries of another size"};
  for (size_t at = 0; at < entries.size(); at += entry_size) {
    const uint8_t* entry = entries.data() + at;
    const int err = bpf_map_update_elem(bpf_map__fd(map), entry, entry + key, BPF_ANY);
    if (err != 0) throw Failure{"MAP_UPDATE", std::string("cannot fill the map ") + bpf_map__name(map), err};
  }
}

void check_setup(int err, const char* what) {
  if (err != 0) throw Failure{"MAP_SETUP", what, err};
}

void share_maps(bpf_object* object, bpf_object* owner) {
  const bpf_map* shared = nullptr;
  bpf_map* map;
  bpf_object__for_each_map(map, object) {
    shared = bpf_object__next_map(owner, shared);
    check_setup(bpf_map__reuse_fd(map, bpf_map__fd(shared)), "cannot share a map");
  }
}

void set_max_entries(bpf_object* object, const char* map, uint32_t count, const char* what) {
  check_setup(bpf_map__set_max_entries(find_map(object, map), count), what);
}

}  // namespace polytrace

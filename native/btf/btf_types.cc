#include "btf/btf_types.h"

#include <bpf/btf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/handles.h"
#include "btf/type_depth.h"

namespace polytrace {

namespace {

// Kernels have less than 20 MB.
constexpr off_t FILE_BYTES_MAX = off_t{256} * 1024 * 1024;

std::mutex mutex;
std::weak_ptr<BtfTypes> shared_own_types;
std::weak_ptr<BtfTypes> shared_file_types;
std::weak_ptr<const KernelTypesFile> chosen_file;
uint64_t file_version = 0;
bool was_file = false;

Failure make_unreadable_failure(const std::string& what, const std::string& why, int error = 0,
                                const std::string& log = {}) {
  return {"BTF_UNREADABLE", "cannot read BTF of " + what + (why.empty() ? "" : ": " + why), error, log};
}

// Devices and pipes have no end. Opening a pipe must not wait for a writer.
void check_regular_file(const Fd& file, const std::string& path) {
  struct stat status = {};
  if (file.value < 0 || fstat(file.value, &status) != 0) throw make_unreadable_failure(path, "", errno);
  if (!S_ISREG(status.st_mode)) throw make_unreadable_failure(path, "it is not a regular file");
  if (status.st_size > FILE_BYTES_MAX) throw make_unreadable_failure(path, "it has more than 256 MiB");
}

std::string descriptor_path(const Fd& file) { return "/proc/self/fd/" + std::to_string(file.value); }

bool has_member(const btf* types, uint32_t id, std::string_view name) {
  const btf_type* type = btf__type_by_id(types, id);
  const btf_member* members = btf_members(type);
  for (uint32_t i = 0; i < btf_vlen(type); i++) {
    const char* own = btf__name_by_offset(types, members[i].name_off);
    if (own != nullptr && name == own) return true;
  }
  return false;
}

// Reads the kernel's own BTF from a mapping. Returns null on kernels before Linux 6.16, which cannot map it: they give
// 4 KiB for each read, which takes three times as long.
btf* parse_mapped_types() {
  const Fd file(open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC));
  struct stat status = {};
  if (file.value < 0 || fstat(file.value, &status) != 0 || status.st_size <= 0) return nullptr;
  const auto bytes = static_cast<size_t>(status.st_size);
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (data == MAP_FAILED) return nullptr;
  btf* types = btf__new(data, static_cast<uint32_t>(bytes));
  munmap(data, bytes);
  return types;
}

// The member of struct pt_regs that no other architecture has.
#ifdef __x86_64__
constexpr std::string_view OWN_REGISTER = "orig_ax";
#else
constexpr std::string_view OWN_REGISTER = "pstate";
#endif

// With the types of another kernel, programs would read wrong memory, and report nothing of it.
void check_describes_kernel(BtfTypes& types, const std::string& path) {
  const uint32_t task = types.find("task_struct", BTF_KIND_STRUCT);
  const uint32_t registers = types.find("pt_regs", BTF_KIND_STRUCT);
  if (task == 0 || registers == 0) throw make_unreadable_failure(path, "it does not have the types of a kernel");
  if (!has_member(types.get(), registers, OWN_REGISTER))
    throw make_unreadable_failure(path, "it has the types of a kernel for another architecture");
  if (!BtfTypes::has_own()) return;
  const auto own = BtfTypes::load_own();
  const uint32_t size = btf__type_by_id(types.get(), task)->size;
  const uint32_t own_size = btf__type_by_id(own->get(), own->find("task_struct", BTF_KIND_STRUCT))->size;
  if (size != own_size) {
    throw make_unreadable_failure(path, "it has the types of another kernel: task_struct has " + std::to_string(size) +
                                            " bytes, but " + std::to_string(own_size) + " in this kernel");
  }
}

}  // namespace

KernelTypesFile::KernelTypesFile(const std::string& name)
    : path(name), file(name.empty() ? -1 : open(name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {}

std::shared_ptr<BtfTypes> BtfTypes::take_ownership(btf* types, std::shared_ptr<BtfTypes> base, const std::string& what,
                                                   const LogScope& log) {
  BtfPtr owned(types);
  if (!owned) throw make_unreadable_failure(what, "", errno, log.text());
  return std::shared_ptr<BtfTypes>(new BtfTypes(std::move(owned), std::move(base)));
}

std::shared_ptr<BtfTypes> BtfTypes::load_own() {
  const std::scoped_lock lock(mutex);
  if (auto shared = shared_own_types.lock()) return shared;
  LogScope log;
  btf* mapped = parse_mapped_types();
  auto types = take_ownership(mapped != nullptr ? mapped : btf__load_vmlinux_btf(), nullptr, "this kernel", log);
  shared_own_types = types;
  return types;
}

bool BtfTypes::has_own() {
  try {
    load_own();
    return true;
  } catch (const Failure&) {
    return false;
  }
}

std::shared_ptr<const KernelTypesFile> BtfTypes::choose_kernel_file(const std::string& path) {
  auto choice = std::make_shared<const KernelTypesFile>(path);
  std::shared_ptr<BtfTypes> types;
  if (!path.empty()) {
    types = load_open_file(choice->file, path);
    check_describes_kernel(*types, path);
  }
  const std::scoped_lock lock(mutex);
  if (auto other = chosen_file.lock()) {
    if (other->path == path) return other;
    const std::string used = other->path.empty() ? "the kernel's own types" : "the types in " + other->path;
    throw Failure{"BAD_OPTION", "a tracer of this process uses " + used};
  }
  if (was_file || !path.empty()) file_version++;
  was_file = !path.empty();
  shared_file_types = types;
  chosen_file = choice;
  return choice;
}

uint64_t BtfTypes::kernel_file_version() {
  const std::scoped_lock lock(mutex);
  return file_version;
}

std::shared_ptr<BtfTypes> BtfTypes::load_kernel() {
  std::shared_ptr<const KernelTypesFile> choice;
  {
    const std::scoped_lock lock(mutex);
    choice = chosen_file.lock();
    if (choice && !choice->path.empty()) {
      if (auto shared = shared_file_types.lock()) return shared;
    }
  }
  if (!choice || choice->path.empty()) return load_own();
  auto types = load_open_file(choice->file, choice->path);
  const std::scoped_lock lock(mutex);
  shared_file_types = types;
  return types;
}

std::shared_ptr<BtfTypes> BtfTypes::load_module(const std::string& name) {
  auto base = load_own();
  LogScope log;
  btf* types = btf__load_module_btf(name.c_str(), base->types_.get());
  return take_ownership(types, std::move(base), "the module " + name, log);
}

std::shared_ptr<BtfTypes> BtfTypes::load_file(const std::string& path) {
  return load_open_file(Fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)), path);
}

std::shared_ptr<BtfTypes> BtfTypes::load_open_file(const Fd& file, const std::string& path) {
  check_regular_file(file, path);
  LogScope log;
  auto types = take_ownership(btf__parse(descriptor_path(file).c_str(), nullptr), nullptr, path, log);
  if (!has_bounded_depth(types->get()))
    throw make_unreadable_failure(path, "types contain themselves, or are nested too deep");
  return types;
}

size_t BtfTypes::bytes() const {
  uint32_t size = 0;
  btf__raw_data(types_.get(), &size);
  return size + (btf__type_cnt(types_.get()) + first_.size() + next_.size()) * sizeof(uint32_t);
}

void BtfTypes::index() {
  std::call_once(indexed_, [this] {
    const uint32_t end = btf__type_cnt(types_.get());
    next_.resize(end);
    first_.resize(std::bit_ceil(end));
    // a chain begins with its lowest id
    for (uint32_t id = end - 1; id > 0; id--) next_[id] = std::exchange(chain_head(type_name(id)), id);
  });
}

uint32_t& BtfTypes::chain_head(std::string_view name) {
  return first_[std::hash<std::string_view>()(name) & (first_.size() - 1)];
}

uint32_t BtfTypes::find(std::string_view name, uint32_t kind) {
  index();
  for (uint32_t id = chain_head(name); id != 0; id = next_[id]) {
    if (btf_kind(btf__type_by_id(types_.get(), id)) == kind && type_name(id) == name) return id;
  }
  return 0;
}

std::vector<uint32_t> BtfTypes::find_all(std::string_view name) {
  index();
  std::vector<uint32_t> ids;
  for (uint32_t id = chain_head(name); id != 0; id = next_[id]) {
    if (type_name(id) == name) ids.push_back(id);
  }
  return ids;
}

std::string_view BtfTypes::type_name(uint32_t id) const {
  const btf_type* type = btf__type_by_id(types_.get(), id);
  const char* name = type == nullptr ? nullptr : btf__name_by_offset(types_.get(), type->name_off);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

}  // namespace polytrace

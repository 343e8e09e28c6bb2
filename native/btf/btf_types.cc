#include "btf/btf_types.h"

#include <bpf/btf.h>
#include <fcntl.h>
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
std::weak_ptr<BtfTypes> shared_kernel_types;

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

}  // namespace

void BtfTypes::Deleter::operator()(btf* types) const { btf__free(types); }

std::shared_ptr<BtfTypes> BtfTypes::take_ownership(btf* types, std::shared_ptr<BtfTypes> base, const std::string& what,
                                                   const LogScope& log) {
  BtfPtr owned(types);
  if (!owned) throw make_unreadable_failure(what, "", errno, log.text());
  return std::shared_ptr<BtfTypes>(new BtfTypes(std::move(owned), std::move(base)));
}

std::shared_ptr<BtfTypes> BtfTypes::load_kernel() {
  const std::scoped_lock lock(mutex);
  if (auto shared = shared_kernel_types.lock()) return shared;
  LogScope log;
  auto types = take_ownership(btf__load_vmlinux_btf(), nullptr, "this kernel", log);
  shared_kernel_types = types;
  return types;
}

std::shared_ptr<BtfTypes> BtfTypes::load_module(const std::string& name) {
  auto base = load_kernel();
  LogScope log;
  btf* types = btf__load_module_btf(name.c_str(), base->types_.get());
  return take_ownership(types, std::move(base), "the module " + name, log);
}

std::shared_ptr<BtfTypes> BtfTypes::load_file(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  check_regular_file(file, path);
  LogScope log;
  const std::string own = "/proc/self/fd/" + std::to_string(file.value);
  auto types = take_ownership(btf__parse(own.c_str(), nullptr), nullptr, path, log);
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

std::string_view BtfTypes::type_name(uint32_t id) const {
  const btf_type* type = btf__type_by_id(types_.get(), id);
  const char* name = type == nullptr ? nullptr : btf__name_by_offset(types_.get(), type->name_off);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

}  // namespace polytrace

// Maintains the scopes of cgroups. The base sensor gives a new cgroup the scopes of its parent. This file sets the
// scopes of cgroups that already exist, and changes them when a container gets a name or a policy adds a scope.
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/bpf_backend.h"
#include "base/abi_types.h"
#include "base/error.h"
#include "loading/object_steps.h"

#define u8 uint8_t
#define u32 uint32_t
#include "../bpf/container_name.h"
#undef u8
#undef u32

namespace polytrace {

namespace {

// Further passes are for cgroups that were created in between.
constexpr uint32_t PASSES_MAX = 4096;
constexpr size_t BATCH_ENTRIES = 1024;

bool is_same(const scope_set& a, const scope_set& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

cgroup_key_more overflow_key(uint64_t id) {
  return {.bits = 64, .id = {static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32)}};
}

uint64_t cgroup_id(const cgroup_key_more& key) { return key.id[0] | static_cast<uint64_t>(key.id[1]) << 32; }

// The entries of both tables.
class ScopeTable {
 public:
  ScopeTable(int hash, int overflow) : hash_(hash), overflow_(overflow) {}

  std::unordered_map<uint64_t, cgroup_scopes> read_all() const {
    std::unordered_map<uint64_t, cgroup_scopes> all;
    all.reserve(BATCH_ENTRIES);
    read_hash(all);
    read_overflow(all);
    return all;
  }

  // Changes an existing entry only: the kernel may have freed the cgroup in the meantime.
  void update_entry(uint64_t id, const cgroup_scopes& scopes) const {
    int err = bpf_map_update_elem(hash_, &id, &scopes, BPF_EXIST);
    if (err == -ENOENT) err = has_overflow(id) ? store_overflow(id, scopes) : 0;
    if (err != 0) throw Failure{"SCOPES", "cannot change the scopes of a cgroup", err};
  }

  bool has(uint64_t id) const {
    cgroup_scopes ignored = {};
    return bpf_map_lookup_elem(hash_, &id, &ignored) == 0 || has_overflow(id);
  }

  // Returns false if the table is full.
  bool add(uint64_t id, const cgroup_scopes& scopes) const {
    const int err = bpf_map_update_elem(hash_, &id, &scopes, BPF_NOEXIST);
    if (err == -E2BIG || err == -ENOMEM) return false;
    if (err != 0 && err != -EEXIST) throw Failure{"SCOPES", "cannot keep the scopes of a cgroup", err};
    return true;
  }

  void add_overflow(uint64_t id, const cgroup_scopes& scopes) const {
    const int err = store_overflow(id, scopes);
    if (err != 0) throw Failure{"SCOPES", "cannot keep the scopes of a cgroup", err};
  }

 private:
  // A call for each entry would take thirty times as long, and each new container reads all entries.
  void read_hash(std::unordered_map<uint64_t, cgroup_scopes>& all) const {
    std::vector<uint64_t> keys(BATCH_ENTRIES);
    std::vector<cgroup_scopes> values(BATCH_ENTRIES);
    uint32_t position = 0;
    bool first = true;
    for (;;) {
      auto count = static_cast<uint32_t>(keys.size());
      const int err = bpf_map_lookup_batch(hash_, first ? nullptr : &position, &position, keys.data(), values.data(),
                                           &count, nullptr);
      if (err == -ENOSPC) {  // not even one bucket fits
        keys.resize(2 * keys.size());
        values.resize(keys.size());
        continue;
      }
      if (err != 0 && err != -ENOENT) throw Failure{"SCOPES", "cannot read the scopes of the cgroups", err};
      for (uint32_t i = 0; i < count; i++) all.emplace(keys[i], values[i]);
      if (err == -ENOENT) return;
      first = false;
    }
  }

  // Not all kernels read several entries of this table at once. It is rarely used.
  void read_overflow(std::unordered_map<uint64_t, cgroup_scopes>& all) const {
    cgroup_key_more key = {};
    bool first = true;
    while (bpf_map_get_next_key(overflow_, first ? nullptr : &key, &key) == 0) {
      first = false;
      cgroup_scopes found = {};
      if (bpf_map_lookup_elem(overflow_, &key, &found) == 0) all.emplace(cgroup_id(key), found);
    }
  }

  bool has_overflow(uint64_t id) const {
    cgroup_scopes ignored = {};
    const cgroup_key_more key = overflow_key(id);
    return bpf_map_lookup_elem(overflow_, &key, &ignored) == 0;
  }

  int store_overflow(uint64_t id, const cgroup_scopes& scopes) const {
    const cgroup_key_more key = overflow_key(id);
    return bpf_map_update_elem(overflow_, &key, &scopes, BPF_ANY);
  }

  int hash_;
  int overflow_;
};

uint32_t classify_cgroup(const char* name, uid_t owner) {
  uint8_t bytes[CGROUP_NAME_SIZE] = {};
  const size_t length = strnlen(name, CGROUP_NAME_SIZE);
  if (length >= CGROUP_NAME_SIZE - 1) return CGROUP_UNPROVEN;  // as in the base sensor
  std::memcpy(bytes, name, length);
  if (!is_container_name(bytes, static_cast<uint32_t>(length))) return CGROUP_HOST;
  return owner == 0 ? CGROUP_UNNAMED : CGROUP_UNPROVEN;
}

struct Folder {
  std::string path;
  uint64_t id;
};

// Visits the child cgroups of a folder. A cgroup that cannot be read gets no entry, so it counts as unknown.
template <typename Visit>
void visit_children(const Folder& folder, const Visit& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.path.c_str()), closedir);
  if (!dir) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
      throw Failure{"SCOPES", "cannot list the cgroups", errno};
    return;
  }
  while (const dirent* entry = readdir(dir.get())) {
    struct stat status = {};
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    if (fstatat(dirfd(dir.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) visit(entry->d_name, status);
  }
}

// Resolves the scopes of a cgroup from its position in the hierarchy.
class Resolver {
 public:
  Resolver(const std::unordered_map<uint64_t, cgroup_scopes>& all, const std::unordered_map<uint64_t, scope_set>& named,
           const std::array<scope_set, CGROUP_KINDS>& defaults)
      : all_(all), named_(named), defaults_(defaults) {}

  // The nearest named container determines the scopes. Without one, it is the outermost cgroup that looks like a
  // container.
  cgroup_scopes resolve(uint64_t id, const cgroup_scopes& now) const {
    cgroup_scopes result = now;
    result.kind = CGROUP_HOST;
    uint64_t at = id;
    // a hierarchy has no cycles; the bound is for damaged entries
    for (uint32_t depth = 0; depth < DEPTH_MAX; depth++) {
      if (const auto found = named_.find(at); found != named_.end()) {
        result.kind = CGROUP_NAMED;
        result.scopes = found->second;
        return result;
      }
      const auto entry = all_.find(at);
      if (entry == all_.end()) break;
      const uint32_t kind = entry->second.kind;
      // a container that has lost its name is still a container
      if (kind != CGROUP_HOST) result.kind = kind == CGROUP_NAMED ? static_cast<uint32_t>(CGROUP_UNNAMED) : kind;
      if (entry->second.parent == 0) break;
      at = entry->second.parent;
    }
    result.scopes = defaults_[result.kind];
    return result;
  }

 private:
  static constexpr uint32_t DEPTH_MAX = 1 << 16;
  const std::unordered_map<uint64_t, cgroup_scopes>& all_;
  const std::unordered_map<uint64_t, scope_set>& named_;
  const std::array<scope_set, CGROUP_KINDS>& defaults_;
};

}  // namespace

// Adds an entry for each cgroup that has none. Returns how many it has added.
size_t BpfBackend::list_cgroups(const std::string& mount) {
  const ScopeTable table(bpf_map__fd(sensor_map("cgroup_scopes")), bpf_map__fd(sensor_map("cgroup_scopes_more")));
  size_t added = 0;
  const auto add = [&](uint64_t id, const cgroup_scopes& scopes) {
    if (table.has(id)) return;
    added++;
    if (table.add(id, scopes)) return;
    // set before the entry is added, so that hooks look for it
    std::atomic_ref<uint32_t>(control_.as<control>()->scopes_overflowed).store(1, std::memory_order_seq_cst);
    table.add_overflow(id, scopes);
  };
  struct stat root = {};
  if (stat(mount.c_str(), &root) != 0) throw Failure{"SCOPES", "cannot list the cgroups", errno};
  add(root.st_ino, {});
  std::vector<Folder> pending = {{mount, root.st_ino}};
  while (!pending.empty()) {
    const Folder folder = std::move(pending.back());
    pending.pop_back();
    visit_children(folder, [&](const char* name, const struct stat& status) {
      add(status.st_ino, {.parent = folder.id, .kind = classify_cgroup(name, status.st_uid), .pad = 0, .scopes = {}});
      pending.push_back({folder.path + "/" + name, status.st_ino});
    });
  }
  return added;
}

// A new cgroup whose creation began before the sensor kept scopes can appear during a pass.
void BpfBackend::enable_scopes(const std::string& mount) {
  require_open();
  uint32_t& keeps = control_.as<control>()->keeps_scopes;
  if (keeps == SCOPES_COMPLETE) return;
  std::atomic_ref<uint32_t>(keeps).store(SCOPES_LISTING, std::memory_order_seq_cst);
  for (uint32_t i = 0; i < PASSES_MAX; i++) {
    if (list_cgroups(mount) == 0) break;
  }
  std::atomic_ref<uint32_t>(keeps).store(SCOPES_COMPLETE, std::memory_order_seq_cst);
}

// Corrects all entries once. Returns the number of changed entries.
size_t BpfBackend::correct_scopes(const std::array<scope_set, CGROUP_KINDS>& defaults) {
  const ScopeTable table(bpf_map__fd(sensor_map("cgroup_scopes")), bpf_map__fd(sensor_map("cgroup_scopes_more")));
  const auto all = table.read_all();
  const Resolver resolver(all, named_, defaults);
  size_t changed = 0;
  for (const auto& [id, now] : all) {
    const cgroup_scopes correct = resolver.resolve(id, now);
    if (correct.kind == now.kind && is_same(correct.scopes, now.scopes)) continue;
    table.update_entry(id, correct);
    changed++;
  }
  return changed;
}

// Invalidates the results that hooks have cached. 0 is the epoch of cache entries that were never written.
void BpfBackend::invalidate_cached_scopes() {
  uint64_t& epoch = control_.as<control>()->scope_epoch;
  const uint64_t next = epoch + (uint64_t{1} << SCOPE_EPOCH_SHIFT);
  std::atomic_ref<uint64_t>(epoch).store(next == 0 ? uint64_t{1} << SCOPE_EPOCH_SHIFT : next,
                                         std::memory_order_seq_cst);
}

// A cgroup that was created during a pass may have inherited from an uncorrected one. A pass without changes proves
// that all are correct.
void BpfBackend::set_scopes(const ScopeChange& change) {
  require_open();
  for (const uint64_t id : change.gone) named_.erase(id);
  for (const NamedCgroup& each : change.named) named_[each.id] = each.scopes;
  const int defaults = bpf_map__fd(sensor_map("scope_defaults"));
  for (uint32_t kind = 0; kind < CGROUP_KINDS; kind++) {
    const int err = bpf_map_update_elem(defaults, &kind, &change.defaults[kind], BPF_ANY);
    if (err != 0) throw Failure{"SCOPES", "cannot keep the scopes of new cgroups", err};
  }
  try {
    for (uint32_t i = 0; i < PASSES_MAX; i++) {
      if (correct_scopes(change.defaults) == 0) return invalidate_cached_scopes();
    }
  } catch (...) {
    invalidate_cached_scopes();
    throw;
  }
  invalidate_cached_scopes();
  throw Failure{"SCOPES", "cgroups come and go faster than they can be looked at"};
}

}  // namespace polytrace

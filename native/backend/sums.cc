// Reads the tables of Count actions, and adds the sums of all CPUs.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "backend/bpf_backend.h"
#include "base/abi_types.h"
#include "base/error.h"

namespace polytrace {

namespace {

struct MapShape {
  uint32_t key_size = 0, value_size = 0, max_entries = 0;
};

MapShape read_shape(int fd) {
  bpf_map_info details = {};
  uint32_t size = sizeof(details);
  const int err = bpf_obj_get_info_by_fd(fd, &details, &size);
  if (err != 0) throw Failure{"MAP_READ", "cannot read the sums of a hook", err};
  return {details.key_size, details.value_size, details.max_entries};
}

void append_bytes(std::vector<uint8_t>& to, const uint8_t* from, size_t size) { to.insert(to.end(), from, from + size); }

// Reads the entry of one key. Returns false if it has none.
class SumReader {
 public:
  SumReader(int fd, uint32_t value_size)
      : fd_(fd),
        stride_((value_size + 7) / 8 * 8),
        words_(value_size / 8),
        all_(static_cast<size_t>(libbpf_num_possible_cpus()) * stride_) {}

  // Appends the sum of all CPUs.
  bool append(const void* key, std::vector<uint8_t>& to) {
    if (bpf_map_lookup_elem(fd_, key, all_.data()) != 0) return false;
    std::vector<uint64_t> sum(words_, 0);
    for (size_t at = 0; at < all_.size(); at += stride_) {
      for (size_t i = 0; i < words_; i++) {
        uint64_t word = 0;
        std::memcpy(&word, &all_[at + i * sizeof(word)], sizeof(word));
        sum[i] += word;
      }
    }
    append_bytes(to, reinterpret_cast<const uint8_t*>(sum.data()), words_ * sizeof(uint64_t));
    return true;
  }

 private:
  int fd_;
  size_t stride_, words_;
  std::vector<uint8_t> all_;
};

// Calls visit(key) for each key. No key is ever deleted, so each key that existed before is visited.
template <typename Visit>
void visit_keys(int fd, const MapShape& shape, Visit visit) {
  std::vector<uint8_t> key(shape.key_size), next(shape.key_size);
  const void* after = nullptr;
  for (uint32_t i = 0; i < shape.max_entries && bpf_map_get_next_key(fd, after, next.data()) == 0; i++) {
    key.swap(next);
    after = key.data();
    visit(key);
  }
}

}  // namespace

std::optional<HookSums> BpfBackend::read_sums(uint32_t id) {
  const CountMaps* maps = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = hooks_.find(id);
    // only this thread removes hooks, so the maps outlive the lock
    if (found != hooks_.end()) maps = &found->second.counts;
  }
  if (maps == nullptr || maps->totals.value < 0) return std::nullopt;
  HookSums result;
  const MapShape totals = read_shape(maps->totals.value);
  result.sum_size = totals.value_size;
  SumReader total_reader(maps->totals.value, totals.value_size);
  for (uint32_t i = 0; i < COUNTS_MAX; i++) total_reader.append(&i, result.totals);
  if (maps->keys.value < 0) return result;
  const MapShape keys = read_shape(maps->keys.value);
  result.key_size = keys.key_size;
  SumReader reader(maps->keys.value, keys.value_size);
  visit_keys(maps->keys.value, keys, [&](const std::vector<uint8_t>& key) {
    const size_t before = result.keys.size();
    append_bytes(result.keys, key.data(), key.size());
    if (!reader.append(key.data(), result.keys)) result.keys.resize(before);
  });
  if (maps->texts.value < 0) return result;
  std::vector<uint8_t> text(COUNT_TEXT_MAX);
  visit_keys(maps->texts.value, read_shape(maps->texts.value), [&](const std::vector<uint8_t>& key) {
    if (bpf_map_lookup_elem(maps->texts.value, key.data(), text.data()) != 0) return;
    append_bytes(result.texts, key.data(), key.size());
    append_bytes(result.texts, text.data(), text.size());
  });
  return result;
}

}  // namespace polytrace

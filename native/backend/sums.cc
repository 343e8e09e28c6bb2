// Reads the tables of Count actions, and adds the sums of all CPUs.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstddef>
#include <cstring>

#include "backend/bpf_backend.h"
#include "base/abi_types.h"

namespace polytrace {

namespace {

void append_bytes(std::vector<uint8_t>& to, const uint8_t* from, size_t size) {
  to.insert(to.end(), from, from + size);
}

// Adds up the entry of one key on all CPUs.
class SumReader {
 public:
  explicit SumReader(const ReadableMap& map)
      : fd_(map.fd.value),
        stride_(static_cast<size_t>((map.value_size + 7) / 8) * 8),
        words_(map.value_size / 8),
        all_(static_cast<size_t>(libbpf_num_possible_cpus()) * stride_) {}

  // Appends the sum. Returns false if the key has no entry.
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
void visit_keys(const ReadableMap& map, Visit visit) {
  std::vector<uint8_t> key(map.key_size), next(map.key_size);
  const void* after = nullptr;
  for (uint32_t i = 0; i < map.max_entries && bpf_map_get_next_key(map.fd.value, after, next.data()) == 0; i++) {
    key.swap(next);
    after = key.data();
    visit(key);
  }
}

// Appends the sums of keys that have a place of their own (bpf/direct_keys.bpf.h), in the format of the other keys. A
// key can be in the result several times: its sums are added up.
void append_direct_keys(const ReadableMap& map, HookSums& result) {
  if (map.fd.value < 0 || result.key_size > COUNT_KEY_WORDS * sizeof(uint64_t)) return;
  std::vector<uint8_t> all(map.value_size);
  const uint32_t first = 0;
  if (bpf_map_lookup_elem(map.fd.value, &first, all.data()) != 0) return;
  for (size_t at = 0; at + sizeof(direct_key) <= all.size(); at += sizeof(direct_key)) {
    direct_key place = {};
    std::memcpy(&place, &all[at], sizeof(place));
    if (place.state != KEY_READY) continue;
    std::vector<uint8_t> sum(result.sum_size, 0);
    std::memcpy(sum.data() + offsetof(count_sum, calls), &place.calls, sizeof(place.calls));
    std::memcpy(sum.data() + offsetof(count_sum, sum), &place.sum, sizeof(place.sum));
    append_bytes(result.keys, reinterpret_cast<const uint8_t*>(place.words), result.key_size);
    append_bytes(result.keys, sum.data(), sum.size());
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
  if (maps == nullptr || maps->totals.fd.value < 0) return std::nullopt;
  const auto& [keys, totals, texts, direct] = *maps;
  HookSums result;
  result.sum_size = totals.value_size;
  SumReader total_reader(totals);
  for (uint32_t i = 0; i < COUNTS_MAX; i++) total_reader.append(&i, result.totals);
  if (keys.fd.value < 0) return result;
  result.key_size = keys.key_size;
  SumReader reader(keys);
  visit_keys(keys, [&](const std::vector<uint8_t>& key) {
    const size_t before = result.keys.size();
    append_bytes(result.keys, key.data(), key.size());
    if (!reader.append(key.data(), result.keys)) result.keys.resize(before);
  });
  append_direct_keys(direct, result);
  if (texts.fd.value < 0) return result;
  std::vector<uint8_t> text(texts.value_size);
  visit_keys(texts, [&](const std::vector<uint8_t>& key) {
    if (bpf_map_lookup_elem(texts.fd.value, key.data(), text.data()) != 0) return;
    append_bytes(result.texts, key.data(), key.size());
    append_bytes(result.texts, text.data(), text.size());
  });
  return result;
}

}  // namespace polytrace

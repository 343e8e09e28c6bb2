// lines SEED ROUNDS writes lines of random patterns, processes and records, each in memory of exactly its size, so that
// AddressSanitizer sees each access outside. Half of the batches are valid in most parts. Prints how many lines were
// written and how many were left as gaps.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "base/abi_types.h"
#include "lines/line_writer.h"

using namespace polytrace;

namespace {

constexpr size_t VALUES = 3, TEXT = 40, RECORD = sizeof(event_hook) + VALUES * sizeof(value) + TEXT;

std::mt19937_64 random_bits;

uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_bits() % limit); }

// An offset or a length that is often near the limit or far above.
uint32_t wild(size_t limit) {
  switch (below(8)) {
    case 0: return UINT32_MAX;
    case 1: return 1U << 31;
    case 2: return static_cast<uint32_t>(random_bits());
    default: return below(static_cast<uint32_t>(limit) + 8);
  }
}

template <typename T>
class ExactArray {
 public:
  explicit ExactArray(const std::vector<T>& from) : size_(from.size()), data_(new T[size_]) {
    std::copy(from.begin(), from.end(), data_.get());
  }
  std::span<T> span() { return {data_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<T[]> data_;
};

template <typename T>
void append(std::vector<uint8_t>& bytes, const T& number) {
  const auto* from = reinterpret_cast<const uint8_t*>(&number);
  bytes.insert(bytes.end(), from, from + sizeof(T));
}

// A pattern and a process. `process` is the offset of the process.
std::vector<uint8_t> make_arena(bool is_valid, uint32_t& process) {
  std::vector<uint8_t> arena;
  const uint32_t parts = below(10);
  append(arena, is_valid ? parts : wild(12));
  for (uint32_t i = 0; i < parts; i++) {
    append(arena, below(static_cast<uint32_t>(Op::permission) + 3));
    append(arena, is_valid ? below(VALUES) : wild(200));
    append(arena, is_valid ? below(160) : wild(200));
  }
  process = static_cast<uint32_t>(arena.size());
  for (int i = 0; i < PROCESS_TEXTS; i++) append(arena, is_valid ? below(60) : wild(300));
  for (uint32_t count = below(400); count > 0; count--) arena.push_back(static_cast<uint8_t>(random_bits()));
  return arena;
}

std::vector<uint8_t> make_record(bool is_valid) {
  std::vector<uint8_t> record(RECORD);
  event_hook hook = {};
  hook.header.size = is_valid ? RECORD : wild(RECORD);
  hook.header.time = random_bits() >> below(64);
  hook.key.tid = below(1U << 22);
  hook.values_count = static_cast<uint16_t>(is_valid ? VALUES : wild(VALUES));
  std::memcpy(record.data(), &hook, sizeof(hook));
  for (size_t i = 0; i < VALUES; i++) {
    value each = {};
    each.value = random_bits() >> below(64);
    each.string.offset = is_valid ? RECORD - TEXT : wild(RECORD);
    each.string.length = static_cast<uint16_t>(below(is_valid ? TEXT : UINT16_MAX));
    each.mode = below(2) == 0 ? below(UINT16_MAX) : wild(UINT16_MAX);
    std::memcpy(record.data() + sizeof(hook) + i * sizeof(each), &each, sizeof(each));
  }
  for (size_t i = RECORD - TEXT; i < RECORD; i++)
    record[i] = static_cast<uint8_t>(below(30) == 0 ? random_bits() : 'a' + below(26));
  if (!is_valid) record.resize(below(RECORD));
  return record;
}

std::vector<uint8_t> make_texts(bool is_valid) {
  std::vector<uint8_t> texts;
  for (int i = 0; i < 4; i++) {
    const uint32_t length = below(20);
    append(texts, is_valid ? length : wild(20));
    texts.insert(texts.end(), length, 't');
  }
  return texts;
}

// Writes one batch, and returns its progress.
LineProgress write_batch(bool is_valid) {
  uint32_t process;
  ExactArray<uint8_t> arena(make_arena(is_valid, process)), records(make_record(is_valid)), texts(make_texts(is_valid));
  std::vector<Line> list;
  for (uint32_t count = below(6); count > 0; count--)
    list.push_back(is_valid ? Line{0, 0, process, 0} : Line{wild(RECORD), wild(200), wild(200), wild(60)});
  ExactArray<Line> lines(list);
  ExactArray<uint8_t> output(std::vector<uint8_t>(below(600)));
  const auto count = static_cast<uint32_t>(is_valid ? list.size() : wild(list.size()));
  LineProgress progress = {0, count, is_valid ? 0 : wild(600), 0};
  const uint32_t before = progress.output;
  const ClockOffset clock = {static_cast<int64_t>(random_bits() >> below(64)) >> 24, below(1'000'000'000)};
  write_lines({arena.span(), records.span(), texts.span(), clock}, lines.span(), output.span(), progress);
  if (progress.output > output.span().size() && progress.output != before) std::abort();
  if (progress.next > list.size() || progress.gaps > progress.next) std::abort();
  return progress;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  random_bits.seed(std::strtoul(argv[1], nullptr, 10));
  size_t written = 0, gaps = 0;
  for (unsigned long round = std::strtoul(argv[2], nullptr, 10); round > 0; round--) {
    const LineProgress progress = write_batch(round % 2 == 0);
    written += progress.next - progress.gaps;
    gaps += progress.gaps;
  }
  std::printf("%zu %zu\n", written, gaps);
  return 0;
}

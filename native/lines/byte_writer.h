// Appends bytes to a line, or puts them before a message.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace polytrace {

// The result of writing a line, or a part of it. `elsewhere`: JavaScript formats the line.
enum class Written { yes, elsewhere, no_space };

// Bytes that are written unchanged. json: printable ASCII without quotes and backslashes, which needs no escapes in
// JSON. word: printable ASCII without spaces and quotes, which needs no quotes in a compact line. ascii: ASCII, which
// is UTF-8.
enum class PlainBytes { json, word, ascii };

// Some bytes at once. A call of memcpy with this size can become a slow instruction that repeats.
constexpr size_t SHORT_COPY = 64;
inline void copy_short(uint8_t* to, const uint8_t* from) {
  constexpr size_t STEP = 16;
  for (size_t i = 0; i < SHORT_COPY; i += STEP) std::memcpy(to + i, from + i, STEP);
}

class PlainCopy {
 public:
  // Returns false if a byte is not plain.
  template <PlainBytes plain>
  static bool copy(uint8_t* to, std::span<const uint8_t> bytes) {
    const size_t size = bytes.size();
    uint64_t bad = 0;
    if (size >= WORD) {
      for (size_t i = 0; i + WORD < size; i += WORD) bad |= copy_word<plain>(to, bytes.data(), i);
      bad |= copy_word<plain>(to, bytes.data(), size - WORD);
    } else {
      for (size_t i = 0; i < size; i++) {
        to[i] = bytes[i];
        bad |= find_others<plain>(ONES * bytes[i]);
      }
    }
    return (bad & HIGH) == 0;
  }

 private:
  static constexpr uint64_t ONES = 0x0101010101010101, HIGH = 0x8080808080808080;
  static constexpr size_t WORD = sizeof(uint64_t);

  template <PlainBytes plain>
  static uint64_t copy_word(uint8_t* to, const uint8_t* from, size_t offset) {
    uint64_t word;
    std::memcpy(&word, from + offset, WORD);
    std::memcpy(to + offset, &word, WORD);
    return find_others<plain>(word);
  }

  // The result has the highest bit of a byte if one of the bytes is not plain. A subtraction can borrow from the next
  // byte, but only where the byte itself is not plain.
  template <PlainBytes plain>
  static uint64_t find_others(uint64_t word) {
    if (plain == PlainBytes::ascii) return word;
    const auto has_zero = [](uint64_t bytes) { return (bytes - ONES) & ~bytes; };
    const uint64_t first = plain == PlainBytes::word ? 0x21 : 0x20;
    const uint64_t others = word | (word - ONES * first) | (word + ONES) | has_zero(word ^ ONES * '"');
    return plain == PlainBytes::word ? others : others | has_zero(word ^ ONES * '\\');
  }
};

class ByteWriter {
 public:
  explicit ByteWriter(std::span<uint8_t> output, size_t used)
      : start_(output.data()), at_(output.data() + used), end_(output.data() + output.size()) {}

  size_t used() const { return static_cast<size_t>(at_ - start_); }

  // Makes space for bytes; null if there is none.
  uint8_t* extend(size_t count) {
    if (space() < count) return nullptr;
    uint8_t* at = at_;
    at_ += count;
    return at;
  }

  // Copies bytes that begin at an offset of a larger range, which was checked. A short copy also copies some bytes
  // behind them, where both ranges have so many: this needs no call and no loop.
  Written copy_from(std::span<const uint8_t> whole, size_t offset, size_t length) {
    if (length > SHORT_COPY || space() < SHORT_COPY || whole.size() - offset < SHORT_COPY)
      return copy(whole.subspan(offset, length));
    copy_short(at_, whole.data() + offset);
    at_ += length;
    return Written::yes;
  }

  Written copy(std::span<const uint8_t> bytes) {
    uint8_t* at = extend(bytes.size());
    if (at == nullptr) return Written::no_space;
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return Written::yes;
  }

  template <PlainBytes plain>
  Written copy_plain(std::span<const uint8_t> bytes) {
    uint8_t* at = extend(bytes.size());
    if (at == nullptr) return Written::no_space;
    return PlainCopy::copy<plain>(at, bytes) ? Written::yes : Written::elsewhere;
  }

  Written unsigned_integer(uint64_t number) {
    std::array<uint8_t, 20> digits = {};
    size_t first = digits.size();
    do {
      digits[--first] = static_cast<uint8_t>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    uint8_t* at = extend(digits.size() - first);
    if (at == nullptr) return Written::no_space;
    while (first < digits.size()) *at++ = digits[first++];
    return Written::yes;
  }

  Written integer(int64_t number) {
    if (number >= 0) return unsigned_integer(static_cast<uint64_t>(number));
    uint8_t* at = extend(1);
    if (at == nullptr) return Written::no_space;
    *at = '-';
    return unsigned_integer(~static_cast<uint64_t>(number) + 1);
  }

 private:
  size_t space() const { return static_cast<size_t>(end_ - at_); }

  uint8_t* start_;
  uint8_t* at_;
  uint8_t* end_;
};

// Writes from the end of a range to its beginning, the last byte first: a message of protobuf is written before its
// length.
class BackWriter {
 public:
  explicit BackWriter(std::span<uint8_t> space)
      : start_(space.data()), at_(space.data() + space.size()), end_(space.data() + space.size()) {}

  size_t used() const { return static_cast<size_t>(end_ - at_); }

  std::span<const uint8_t> written() const { return {at_, used()}; }

  uint8_t* extend(size_t count) {
    if (space() < count) return nullptr;
    return at_ -= count;
  }

  // See ByteWriter. A short copy also copies some bytes before the range.
  Written copy_from(std::span<const uint8_t> whole, size_t offset, size_t length) {
    if (length > SHORT_COPY || space() < SHORT_COPY || offset + length < SHORT_COPY)
      return copy(whole.subspan(offset, length));
    copy_short(at_ - SHORT_COPY, whole.data() + offset + length - SHORT_COPY);
    at_ -= length;
    return Written::yes;
  }

  template <PlainBytes plain>
  Written copy_plain(std::span<const uint8_t> bytes) {
    uint8_t* at = extend(bytes.size());
    if (at == nullptr) return Written::no_space;
    return PlainCopy::copy<plain>(at, bytes) ? Written::yes : Written::elsewhere;
  }

  // Seven bits in each byte, the lowest ones first.
  Written varint(uint64_t number) {
    const auto bits = static_cast<size_t>(std::bit_width(number | 1));
    uint8_t* at = extend((bits + 6) / 7);
    if (at == nullptr) return Written::no_space;
    for (; number > 0x7f; number >>= 7) *at++ = static_cast<uint8_t>(number | 0x80);
    *at = static_cast<uint8_t>(number);
    return Written::yes;
  }

 private:
  Written copy(std::span<const uint8_t> bytes) {
    uint8_t* at = extend(bytes.size());
    if (at == nullptr) return Written::no_space;
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return Written::yes;
  }

  size_t space() const { return static_cast<size_t>(at_ - start_); }

  uint8_t* start_;
  uint8_t* at_;
  uint8_t* end_;
};

}  // namespace polytrace

// One record of a buffer. Every read checks its range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/abi_types.h"

namespace polytrace {

template <typename T>
bool read_at(std::span<const uint8_t> bytes, size_t offset, T& value) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return true;
}

// The bytes of a range; empty and false if a part of it is outside.
inline bool find_range(std::span<const uint8_t> bytes, size_t offset, size_t length, std::span<const uint8_t>& range) {
  if (offset > bytes.size() || bytes.size() - offset < length) return false;
  range = bytes.subspan(offset, length);
  return true;
}

class RecordView {
 public:
  // Returns false if the record is not completely in the buffer.
  bool open(std::span<const uint8_t> records, size_t offset) {
    event_header header = {};
    if (!read_at(records, offset, header)) return false;
    return header.size >= sizeof(event_header) + sizeof(process_key) &&
           find_range(records, offset, header.size, bytes_);
  }

  uint64_t time() const { return get<uint64_t>(offsetof(event_header, time)); }

  // In every record, the key of the process follows the header.
  uint32_t tid() const { return get<uint32_t>(sizeof(event_header) + offsetof(process_key, tid)); }

  // True for the record of a hook with at least so many values, and without a stack trace, a hash, a socket owner,
  // marks, or a number of suppressed events.
  bool is_plain(uint32_t values) const {
    if (bytes_.size() < sizeof(event_hook)) return false;
    const auto count = get<uint16_t>(offsetof(event_hook, values_count));
    return count >= values && bytes_.size() - sizeof(event_hook) >= count * sizeof(value) &&
           (get<uint16_t>(offsetof(event_header, flags)) & RARE_FLAGS) == 0 &&
           get<uint32_t>(offsetof(event_hook, suppressed)) == 0 &&
           get<uint16_t>(offsetof(event_hook, kernel_stack) + offsetof(string_ref, length)) == 0 &&
           get<uint16_t>(offsetof(event_hook, user_stack) + offsetof(string_ref, length)) == 0;
  }

  bool read_value(uint32_t slot, value& result) const {
    return read_at(bytes_, sizeof(event_hook) + slot * sizeof(value), result);
  }

  bool find_string(const string_ref& ref, std::span<const uint8_t>& text) const {
    return find_range(bytes_, ref.offset, ref.length, text);
  }

 private:
  static constexpr uint16_t RARE_FLAGS = EVENT_SOCKET_OWNER | EVENT_IMA_HASH | EVENT_MARKED;

  // The caller has checked the range.
  template <typename T>
  T get(size_t offset) const {
    T result;
    std::memcpy(&result, bytes_.data() + offset, sizeof(T));
    return result;
  }

  std::span<const uint8_t> bytes_;
};

}  // namespace polytrace

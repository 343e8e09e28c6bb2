#include "lines/line_writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include "lines/byte_writer.h"
#include "lines/record_view.h"

namespace polytrace {

namespace {

constexpr int64_t NS_PER_SECOND = 1'000'000'000;
// The first second of the year 10000, which has five digits.
constexpr int64_t SECONDS_MAX = 253'402'300'800;
constexpr size_t SECOND_BYTES = 20;
constexpr size_t TIME_BYTES = SECOND_BYTES + 10;
// The header of a message in gRPC: a flag and the length, the highest byte first.
constexpr size_t FRAME_HEADER = 5;

// Formats times as RFC 3339 in UTC with nanoseconds.
class TimeFormat {
 public:
  explicit TimeFormat(ClockOffset clock) : clock_(clock) {}

  Written write(ByteWriter& out, uint64_t boot_ns) {
    const auto [second, rest] = to_epoch(boot_ns);
    if (second < 0 || second >= SECONDS_MAX) return Written::elsewhere;
    if (second != second_) set_second(second);
    uint8_t* at = out.extend(TIME_BYTES);
    if (at == nullptr) return Written::no_space;
    std::memcpy(at, text_, SECOND_BYTES);
    at += SECOND_BYTES;
    three_digits(at, rest / 1'000'000);
    three_digits(at + 3, rest / 1000 % 1000);
    three_digits(at + 6, rest % 1000);
    at[9] = 'Z';
    return Written::yes;
  }

  // A google.protobuf.Timestamp, and its length before it. A number that is zero is left out.
  Written write_message(BackWriter& out, uint64_t boot_ns) const {
    const auto [second, rest] = to_epoch(boot_ns);
    if (second < 0) return Written::elsewhere;
    const size_t end = out.used();
    const bool has_space = write_field(out, 2, rest) && write_field(out, 1, static_cast<uint64_t>(second));
    return has_space ? out.varint(out.used() - end) : Written::no_space;
  }

 private:
  struct Epoch {
    int64_t second;
    uint32_t nanoseconds;
  };

  Epoch to_epoch(uint64_t boot_ns) const {
    const int64_t ns = static_cast<int64_t>(boot_ns % NS_PER_SECOND) + clock_.nanoseconds;
    const int64_t second = static_cast<int64_t>(boot_ns / NS_PER_SECOND) + clock_.seconds + ns / NS_PER_SECOND;
    return {second, static_cast<uint32_t>(ns % NS_PER_SECOND)};
  }

  static bool write_field(BackWriter& out, uint8_t number, uint64_t value) {
    if (value == 0) return true;
    return out.varint(value) == Written::yes && out.varint(uint64_t{number} << 3) == Written::yes;
  }

  static void three_digits(uint8_t* at, uint32_t number) {
    at[0] = static_cast<uint8_t>('0' + number / 100);
    at[1] = static_cast<uint8_t>('0' + number / 10 % 10);
    at[2] = static_cast<uint8_t>('0' + number % 10);
  }

  void set_second(int64_t second) {
    const auto seconds = static_cast<time_t>(second);
    struct tm parts = {};
    gmtime_r(&seconds, &parts);
    strftime(text_, sizeof(text_), "%Y-%m-%dT%H:%M:%S.", &parts);
    second_ = second;
  }

  ClockOffset clock_;
  int64_t second_ = -1;
  char text_[32] = {};
};

class LineWriter {
 public:
  explicit LineWriter(const LineSources& sources) : sources_(sources), time_(sources.clock) {}

  Written write(const Line& line, ByteWriter& out) {
    uint32_t count;
    std::span<const uint8_t> parts;
    if (!read_at(sources_.arena, line.pattern, count) ||
        !find_range(sources_.arena, size_t{line.pattern} + sizeof(count), count * sizeof(Part), parts) ||
        !record_.open(sources_.records, line.record))
      return Written::elsewhere;
    pattern_ = line.pattern;
    process_ = line.process;
    text_ = line.text;
    if (!parts.empty() && read_part(parts, 0).op == Op::message) return write_message(parts, out);
    for (size_t i = 0; i < parts.size(); i += sizeof(Part)) {
      const Written result = write_part(read_part(parts, i), out);
      if (result != Written::yes) return result;
    }
    return Written::yes;
  }

 private:
  // A longer message is formatted elsewhere.
  static constexpr size_t MESSAGE_MAX = size_t{32} * 1024;
  static constexpr size_t DEPTH_MAX = 8;

  static Part read_part(std::span<const uint8_t> parts, size_t offset) {
    Part part = {};
    std::memcpy(&part, parts.data() + offset, sizeof(part));
    return part;
  }

  // The message is written elsewhere first, because its length is not known.
  Written write_message(std::span<const uint8_t> parts, ByteWriter& out) {
    BackWriter message(message_);
    depth_ = 0;
    for (size_t i = sizeof(Part); i < parts.size(); i += sizeof(Part))
      if (write_message_part(read_part(parts, i), message) != Written::yes) return Written::elsewhere;
    const std::span<const uint8_t> bytes = message.written();
    uint8_t* at = out.extend(FRAME_HEADER + bytes.size());
    if (at == nullptr) return Written::no_space;
    at[0] = 0;
    for (size_t i = 1; i < FRAME_HEADER; i++)
      at[i] = static_cast<uint8_t>(bytes.size() >> (8 * (FRAME_HEADER - 1 - i)));
    if (!bytes.empty()) std::memcpy(at + FRAME_HEADER, bytes.data(), bytes.size());
    return Written::yes;
  }

  Written write_message_part(const Part& part, BackWriter& out) {
    switch (part.op) {
      case Op::end:
        if (depth_ == DEPTH_MAX) return Written::elsewhere;
        ends_[depth_++] = out.used();
        return copy_before(part, Written::yes, out);
      case Op::length:
        if (depth_ == 0) return Written::elsewhere;
        return copy_before(part, out.varint(out.used() - ends_[--depth_]), out);
      case Op::thread: return copy_before(part, write_thread(out), out);
      case Op::timestamp: return copy_before(part, time_.write_message(out, record_.time()), out);
      case Op::varint: return write_varint(part, out);
      case Op::ascii: return write_ascii(part, out);
      case Op::permission: {
        value slot = {};
        return record_.read_value(part.a, slot) ? write_permission(slot.mode, pattern_ + part.b, out)
                                                : Written::elsewhere;
      }
      default: return write_shared_part(part, out);
    }
  }

  Written copy_before(const Part& part, Written result, BackWriter& out) const {
    if (part.b == 0 || result != Written::yes) return result;
    return copy_range(sources_.arena, pattern_ + part.a, part.b, out);
  }

  Written write_thread(BackWriter& out) const {
    const size_t end = out.used();
    const uint32_t tid = record_.tid();
    if (tid != 0 && (out.varint(tid) != Written::yes || out.varint(1 << 3) != Written::yes)) return Written::no_space;
    return out.varint(out.used() - end);
  }

  // A negative number has all 64 bits.
  Written write_varint(const Part& part, BackWriter& out) const {
    value slot = {};
    if (!record_.read_value(part.a, slot)) return Written::elsewhere;
    const auto extend = [](int64_t number) { return static_cast<uint64_t>(number); };
    switch (static_cast<Op>(part.b)) {
      case Op::i8: return out.varint(extend(static_cast<int8_t>(slot.value)));
      case Op::u8: return out.varint(static_cast<uint8_t>(slot.value));
      case Op::i16: return out.varint(extend(static_cast<int16_t>(slot.value)));
      case Op::u16: return out.varint(static_cast<uint16_t>(slot.value));
      case Op::i32: return out.varint(extend(static_cast<int32_t>(slot.value)));
      case Op::u32: return out.varint(static_cast<uint32_t>(slot.value));
      case Op::i64:
      case Op::u64: return out.varint(slot.value);
      default: return Written::elsewhere;
    }
  }

  Written write_ascii(const Part& part, BackWriter& out) const {
    value slot = {};
    std::span<const uint8_t> text;
    if (!record_.read_value(part.a, slot) || slot.string.flags != 0 || (part.b == 1 && slot.string.length == 0) ||
        !record_.find_string(slot.string, text))
      return Written::elsewhere;
    const Written result = out.copy_plain<PlainBytes::ascii>(text);
    return result == Written::yes ? out.varint(text.size()) : result;
  }

  template <typename Writer>
  static Written copy_range(std::span<const uint8_t> bytes, size_t offset, size_t length, Writer& out) {
    const bool is_inside = offset <= bytes.size() && bytes.size() - offset >= length;
    return is_inside ? out.copy_from(bytes, offset, length) : Written::elsewhere;
  }

  // A text begins with its length.
  template <typename Writer>
  Written write_text(Writer& out) {
    uint32_t length;
    if (!read_at(sources_.texts, text_, length)) return Written::elsewhere;
    const size_t start = text_ + sizeof(length);
    text_ = start + length;
    return copy_range(sources_.texts, start, length, out);
  }

  template <typename Writer>
  Written write_process(uint32_t text, Writer& out) const {
    ProcessEntry process = {};
    if (text >= PROCESS_TEXTS || !read_at(sources_.arena, process_, process)) return Written::elsewhere;
    size_t start = process_ + sizeof(process);
    for (uint32_t i = 0; i < text; i++) start += process.lengths[i];
    return copy_range(sources_.arena, start, process.lengths[text], out);
  }

  // The parts of both lines and messages.
  template <typename Writer>
  Written write_shared_part(const Part& part, Writer& out) {
    switch (part.op) {
      case Op::text: return write_text(out);
      case Op::fixed: return copy_range(sources_.arena, pattern_ + part.a, part.b, out);
      case Op::process: return write_process(part.a, out);
      case Op::plain: return record_.is_plain(part.a) ? Written::yes : Written::elsewhere;
      default: return Written::elsewhere;
    }
  }

  Written write_part(const Part& part, ByteWriter& out) {
    switch (part.op) {
      case Op::text:
      case Op::fixed:
      case Op::process:
      case Op::plain: return write_shared_part(part, out);
      case Op::tid: return out.unsigned_integer(record_.tid());
      case Op::time: return time_.write(out, record_.time());
      default: return write_value(part, out);
    }
  }

  Written write_value(const Part& part, ByteWriter& out) const {
    value slot = {};
    if (!record_.read_value(part.a, slot)) return Written::elsewhere;
    switch (part.op) {
      case Op::i8: return out.integer(static_cast<int8_t>(slot.value));
      case Op::u8: return out.unsigned_integer(static_cast<uint8_t>(slot.value));
      case Op::i16: return out.integer(static_cast<int16_t>(slot.value));
      case Op::u16: return out.unsigned_integer(static_cast<uint16_t>(slot.value));
      case Op::i32: return out.integer(static_cast<int32_t>(slot.value));
      case Op::u32: return out.unsigned_integer(static_cast<uint32_t>(slot.value));
      case Op::i64: return out.integer(static_cast<int64_t>(slot.value));
      case Op::u64: return out.unsigned_integer(slot.value);
      case Op::string:
      case Op::path:
      case Op::word: return write_string(slot.string, part.op, out);
      case Op::permission: return write_permission(slot.mode, pattern_ + part.b, out);
      default: return Written::elsewhere;
    }
  }

  Written write_string(const string_ref& ref, Op op, ByteWriter& out) const {
    std::span<const uint8_t> text;
    if (ref.flags != 0 || (op != Op::string && ref.length == 0) || !record_.find_string(ref, text))
      return Written::elsewhere;
    return op == Op::word ? out.copy_plain<PlainBytes::word>(text) : out.copy_plain<PlainBytes::json>(text);
  }

  template <typename Writer>
  Written write_permission(uint32_t mode, size_t table_at, Writer& out) const {
    std::span<const uint8_t> bytes;
    if (mode == 0 || mode > UINT16_MAX || !find_range(sources_.arena, table_at, sizeof(PermissionTable), bytes))
      return Written::elsewhere;
    // a struct of bytes
    const auto& table = *reinterpret_cast<const PermissionTable*>(bytes.data());
    uint8_t* at = out.extend(10);
    if (at == nullptr) return Written::no_space;
    *at++ = table.types[mode >> 12];
    for (uint32_t i = 0; i < 3; i++, at += 3) {
      // the special bits and the three times three bits begin with those of the owner
      const uint32_t special = mode >> (11 - i) & 1, bits = mode >> (6 - 3 * i) & 7;
      std::memcpy(at, table.classes[i][special << 3 | bits], 3);
    }
    return Written::yes;
  }

  const LineSources& sources_;
  TimeFormat time_;
  RecordView record_;
  // offsets of the current line
  size_t pattern_ = 0, process_ = 0, text_ = 0;
  // the current message, and the ends of those around the current part
  size_t depth_ = 0;
  std::array<size_t, DEPTH_MAX> ends_ = {};
  std::array<uint8_t, MESSAGE_MAX> message_ = {};
};

}  // namespace

void write_lines(const LineSources& sources, std::span<Line> lines, std::span<uint8_t> output, LineProgress& progress) {
  LineWriter writer(sources);
  const size_t count = std::min<size_t>(progress.count, lines.size());
  if (progress.output > output.size()) return;
  for (; progress.next < count; progress.next++) {
    ByteWriter out(output, progress.output);
    const Written result = writer.write(lines[progress.next], out);
    if (result == Written::no_space) return;
    if (result == Written::yes) {
      progress.output = static_cast<uint32_t>(out.used());
    } else {
      const Gap gap = {progress.next, progress.output, {}};
      std::memcpy(&lines[progress.gaps++], &gap, sizeof(gap));
    }
  }
}

}  // namespace polytrace

// The format in which JavaScript describes lines: see lib/lines/line-arena.ts, which writes it.
#pragma once

#include <cstdint>

namespace polytrace {

// A line of a batch.
struct Line {
  uint32_t record;   // offset of its record
  uint32_t pattern;  // offset of its pattern in the arena
  uint32_t process;  // offset of its process in the arena
  uint32_t text;     // offset of its first text
};

// A line that could not be written. It takes the place of an entry of the batch that was read before.
struct Gap {
  uint32_t line;    // index in the batch
  uint32_t output;  // offset in the output where the line is missing
  uint32_t unused[2];
};
static_assert(sizeof(Gap) == sizeof(Line));

enum class Op : uint32_t {
  text = 0,     // the next text of the line
  fixed = 1,    // `b` bytes at the offset `a` of the pattern
  process = 2,  // text `a` of the process
  tid = 3,      // the id of the thread, in decimal
  time = 4,     // the time of the record as RFC 3339
  plain = 5,    // nothing: the record must have at least `a` values and no rare members
  i8 = 6,       // the value `a` in decimal
  u8 = 7,
  i16 = 8,
  u16 = 9,
  i32 = 10,
  u32 = 11,
  i64 = 12,
  u64 = 13,
  string = 14,      // the string of the value `a`
  path = 15,        // the same, and it must not be empty
  permission = 16,  // the mode of the value `a` by the table at the offset `b` of the pattern
  word = 17,        // like path, and it must need no quotes in a compact line
  // The line is a message of protobuf with the header of gRPC, and this is its first part. The parts are written from
  // the end of the message to its beginning. The following ones are only in messages.
  // `end` to `timestamp` also have `b` bytes at the offset `a` of the pattern, which stand before what they write.
  message = 18,
  end = 19,        // nothing: a nested message ends here
  length = 20,     // the number of bytes up to the last `end`
  thread = 21,     // the id of the thread as a UInt32Value, with its length
  timestamp = 22,  // the time of the record as a Timestamp, with its length
  varint = 23,     // the value `a`, a number of the operation `b`
  ascii = 24,      // the string of the value `a` with its length; if `b` is 1, it must not be empty
};

// A part of a pattern. In the arena, a pattern is the number of its parts, the parts, and further bytes.
struct Part {
  Op op;
  uint32_t a, b;
};

// The characters of a mode: one of 16 types, and three times the three characters of its bits with a special bit.
struct PermissionTable {
  uint8_t types[16];
  uint8_t classes[3][16][3];
};

// A process in the arena: the lengths of its texts, and the texts.
enum { PROCESS_TEXTS = 2 };
struct ProcessEntry {
  uint32_t lengths[PROCESS_TEXTS];
};

}  // namespace polytrace

// Writes lines of events from their records. JavaScript formats everything that is the same in many lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lines/line_format.h"

namespace polytrace {

// The offset from CLOCK_BOOTTIME to the time of day: seconds, and nanoseconds from 0 up to a second.
struct ClockOffset {
  int64_t seconds;
  int64_t nanoseconds;
};

// All offsets are checked: a record is not trusted.
struct LineSources {
  std::span<const uint8_t> arena;
  std::span<const uint8_t> records;
  std::span<const uint8_t> texts;
  ClockOffset clock;
};

// The progress of a batch.
struct LineProgress {
  uint32_t next;    // the next line
  uint32_t count;   // number of lines
  uint32_t output;  // number of bytes of the output
  uint32_t gaps;    // number of lines that could not be written
};

// Writes lines until the end of the batch, or until the output has no space for the next line. A line that has to be
// formatted in another way, such as one with a string that needs escapes, leaves a gap.
void write_lines(const LineSources& sources, std::span<Line> lines, std::span<uint8_t> output, LineProgress& progress);

}  // namespace polytrace

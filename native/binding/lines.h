// The exported function that writes lines.
#pragma once

#include <napi.h>

namespace polytrace {

// writeLines(progress, lines, arena, records, texts, output, seconds, nanoseconds): see native/lines/line_writer.h.
Napi::Value write_lines_binding(const Napi::CallbackInfo& info);

}  // namespace polytrace

// Deliberate defects that the sanitizers must report. They are only in the build with sanitizers.
#pragma once

#include <napi.h>

namespace polytrace {

// triggerSanitizer('read after free' | 'read beyond the end' | 'overflow') runs into the defect. The sanitizer ends the
// process.
Napi::Value trigger_sanitizer(const Napi::CallbackInfo& info);

}  // namespace polytrace

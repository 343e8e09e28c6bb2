// Mistakes on purpose, in the build for the sanitizers only: they show that a mistake is reported.
#pragma once

#include <napi.h>

namespace polytrace {

// misuse('read after free' | 'read beyond the end' | 'overflow') makes the mistake. The process does not survive it.
Napi::Value misuse(const Napi::CallbackInfo& info);

}  // namespace polytrace

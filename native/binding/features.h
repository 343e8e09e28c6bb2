// The addon's functions that report what the running kernel supports.
#pragma once

#include <napi.h>

#include "loading/features.h"

namespace polytrace {

// Returns { feature: '' } for a feature of the kernel, and { feature: name of the errno } for one that it lacks.
Napi::Value to_object(Napi::Env env, const Features& features);

// () -> to_object(try_features())
Napi::Value probe_features(const Napi::CallbackInfo& info);

// (name) -> whether the kernel's BTF has the struct. Throws BTF_UNREADABLE.
Napi::Value kernel_has_struct(const Napi::CallbackInfo& info);

// () -> nanoseconds between CLOCK_BOOTTIME, the clock of records, and the time of day
Napi::Value boot_offset(const Napi::CallbackInfo& info);

}  // namespace polytrace

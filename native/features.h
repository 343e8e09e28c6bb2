// Tries which features the running kernel allows.
#pragma once

#include <napi.h>

#include <string>
#include <utility>
#include <vector>

namespace polytrace {

// Names of features, each with 0 or the negative errno of the try: btf, ringBuffer, tpBtf, directRead, pointerParams, fentry, kprobe, kprobeMulti, attachCookie,
// lsm, fmodRet, fmodRetListed, uprobe, uprobeMulti, uprobeRegisters, tracepoint. Throws Failure.
using Features = std::vector<std::pair<const char*, int>>;
Features try_features();

// { feature: '' when the kernel has it, else the name of the errno }
Napi::Value to_object(Napi::Env env, const Features& features);

// () -> to_object(try_features())
Napi::Value probe_features(const Napi::CallbackInfo& info);

// (name) -> whether the kernel's BTF has the struct. Throws BTF_UNREADABLE.
Napi::Value kernel_has_struct(const Napi::CallbackInfo& info);

// () -> nanoseconds between CLOCK_BOOTTIME, the clock of records, and the time of day
Napi::Value boot_offset(const Napi::CallbackInfo& info);

}  // namespace polytrace

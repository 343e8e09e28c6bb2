// What the running kernel allows, found out by trying.
#pragma once

#include <napi.h>

namespace polytrace {

// { btf, ringBuffer, tpBtf, directRead, fentry, kprobe, kprobeMulti, lsm, fmodRet, uprobe, uprobeMulti, uprobeRegisters,
//   tracepoint: errno name or '' }
Napi::Value probe_features(const Napi::CallbackInfo& info);

// Whether BTF has the struct.
Napi::Value kernel_has_struct(const Napi::CallbackInfo& info);

// Nanoseconds between CLOCK_BOOTTIME, which records carry, and the time of day.
Napi::Value boot_offset(const Napi::CallbackInfo& info);

}  // namespace polytrace

// Tries which features the running kernel allows.
#pragma once

#include <napi.h>

namespace polytrace {

// () -> { btf, ringBuffer, tpBtf, directRead, fentry, kprobe, kprobeMulti, lsm, fmodRet, uprobe, uprobeMulti,
//         uprobeRegisters, tracepoint }: each is '' when the kernel has the feature, else the name of an errno
Napi::Value probe_features(const Napi::CallbackInfo& info);

// (name) -> whether the kernel's BTF has the struct
Napi::Value kernel_has_struct(const Napi::CallbackInfo& info);

// () -> nanoseconds between CLOCK_BOOTTIME, the clock of records, and the time of day
Napi::Value boot_offset(const Napi::CallbackInfo& info);

}  // namespace polytrace

// The address of a kernel symbol, and the value of a variable of the kernel.
#pragma once

#include <napi.h>

namespace polytrace {

// kernelSymbol(name): bigint; 0 where the kernel does not know it, or does not show addresses. A name has at most 31
// bytes.
Napi::Value kernel_symbol(const Napi::CallbackInfo& info);
// kernelInt(name): number | null; null where the variable cannot be read.
Napi::Value kernel_int(const Napi::CallbackInfo& info);

// kernelJumps(from, to): boolean
Napi::Value kernel_jump(const Napi::CallbackInfo& info);

}  // namespace polytrace

// The address of a kernel symbol.
#pragma once

#include <napi.h>

namespace polytrace {

// kernelSymbol(name): bigint; 0 where the kernel does not know it, or does not show addresses. A name has at most 15
// bytes.
Napi::Value kernel_symbol(const Napi::CallbackInfo& info);

}  // namespace polytrace

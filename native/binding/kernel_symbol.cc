#include "binding/kernel_symbol.h"

#include <string>

#include "loading/kernel_symbol.h"

namespace polytrace {

Napi::Value kernel_symbol(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  return Napi::BigInt::New(info.Env(), find_kernel_symbol(name));
}

}  // namespace polytrace

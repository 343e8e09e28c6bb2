#include "binding/kernel_symbol.h"

#include <optional>
#include <string>

#include "loading/kernel_symbol.h"

namespace polytrace {

Napi::Value kernel_symbol(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  return Napi::BigInt::New(info.Env(), find_kernel_symbol(name));
}

Napi::Value kernel_int(const Napi::CallbackInfo& info) {
  const std::optional<int32_t> value = read_kernel_int(info[0].As<Napi::String>().Utf8Value());
  return value ? Napi::Number::New(info.Env(), *value) : info.Env().Null();
}

Napi::Value kernel_jump(const Napi::CallbackInfo& info) {
  const std::string from = info[0].As<Napi::String>().Utf8Value();
  const std::string to = info[1].As<Napi::String>().Utf8Value();
  return Napi::Boolean::New(info.Env(), kernel_jumps(from, to));
}

}  // namespace polytrace

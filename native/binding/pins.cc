#include "binding/pins.h"

#include <sys/file.h>
#include <sys/mount.h>

#include <string>

namespace polytrace {

Napi::Object pin_names(Napi::Env env) {
  const auto list = [&](const auto& names) {
    Napi::Array result = Napi::Array::New(env);
    for (const char* name : names) result.Set(result.Length(), Napi::String::New(env, name));
    return result;
  };
  Napi::Object all = Napi::Object::New(env);
  all.Set("maps", list(MAP_PINS));
  all.Set("links", list(LINK_PINS));
  return all;
}

Napi::Value lock_folder(const Napi::CallbackInfo& info) {
  const bool locked = flock(info[0].As<Napi::Number>().Int32Value(), LOCK_EX | LOCK_NB) == 0;
  return Napi::Boolean::New(info.Env(), locked);
}

Napi::Value mount_bpf(const Napi::CallbackInfo& info) {
  const std::string folder = info[0].As<Napi::String>().Utf8Value();
  const bool mounted = mount("bpf", folder.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") == 0;
  return Napi::Boolean::New(info.Env(), mounted);
}

Napi::Value pinned_layout(const Napi::CallbackInfo& info) {
  const auto layout = read_pinned_layout(info[0].As<Napi::String>().Utf8Value());
  return layout ? Napi::String::New(info.Env(), *layout) : info.Env().Null();
}

Napi::Value to_array(Napi::Env env, const std::optional<std::vector<UnreadRecords>>& unread) {
  if (!unread) return env.Null();
  Napi::Array result = Napi::Array::New(env);
  for (const auto& [hook, count, name] : *unread) {
    result.Set(result.Length(), Napi::Number::New(env, hook));
    result.Set(result.Length(), Napi::Number::New(env, static_cast<double>(count)));
    result.Set(result.Length(), Napi::String::New(env, name));
  }
  return result;
}

}  // namespace polytrace

#include "binding/pins.h"

#include <sys/file.h>
#include <sys/mount.h>
#include <time.h>

#include <string>
#include <vector>

#include "base/error.h"

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

Napi::Value boot_time(const Napi::CallbackInfo& info) {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return Napi::BigInt::New(info.Env(),
                           static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec));
}

Napi::Function EarlierRing::define(Napi::Env env) {
  return DefineClass(env, "EarlierRing",
                     {
                         InstanceMethod<&EarlierRing::call<&EarlierRing::is_readable>>("isReadable"),
                         InstanceMethod<&EarlierRing::call<&EarlierRing::drain>>("drain"),
                         InstanceMethod<&EarlierRing::call<&EarlierRing::unread_bytes>>("unreadBytes"),
                         InstanceMethod<&EarlierRing::call<&EarlierRing::names>>("names"),
                         InstanceMethod<&EarlierRing::call<&EarlierRing::losses>>("losses"),
                         InstanceMethod<&EarlierRing::call<&EarlierRing::processes>>("processes"),
                         InstanceMethod<&EarlierRing::call<&EarlierRing::close>>("close"),
                     });
}

EarlierRing::EarlierRing(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EarlierRing>(info) {
  run_guarded(info.Env(), [&] {
    pins_ = PinnedRing::open(info[0].As<Napi::String>().Utf8Value());
    const int err = pins_ ? ring_.open(pins_->events_fd()) : 0;
    if (err != 0) throw Failure{"PERSIST", "cannot map the ring buffer of the tracer before", err};
    return info.Env().Undefined();
  });
}

Napi::Value EarlierRing::is_readable(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), pins_ != nullptr);
}

Napi::Value EarlierRing::drain(const Napi::CallbackInfo& info) {
  auto buffer = info[0].As<Napi::Uint8Array>();
  const size_t offset = info[1].As<Napi::Number>().Uint32Value();
  return Napi::Number::New(info.Env(), static_cast<double>(ring_.drain(buffer.Data(), buffer.ByteLength(), offset)));
}

Napi::Value EarlierRing::unread_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(ring_.unread_bytes()));
}

Napi::Value EarlierRing::names(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  if (!pins_) return result;
  for (const auto& [hook, text] : pins_->read_names()) {
    result.Set(result.Length(), Napi::Number::New(info.Env(), hook));
    result.Set(result.Length(), Napi::String::New(info.Env(), text));
  }
  return result;
}

Napi::Value EarlierRing::losses(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  if (!pins_) return result;
  for (const auto& [hook, count] : pins_->read_losses()) {
    result.Set(result.Length(), Napi::Number::New(info.Env(), hook));
    result.Set(result.Length(), Napi::Number::New(info.Env(), static_cast<double>(count)));
  }
  return result;
}

Napi::Value EarlierRing::processes(const Napi::CallbackInfo& info) {
  const std::vector<uint8_t> bytes = pins_ ? pins_->read_processes() : std::vector<uint8_t>();
  if (bytes.empty()) return info.Env().Null();
  return Napi::Buffer<uint8_t>::Copy(info.Env(), bytes.data(), bytes.size());
}

Napi::Value EarlierRing::close(const Napi::CallbackInfo& info) {
  ring_.close();
  pins_.reset();
  return info.Env().Undefined();
}

}  // namespace polytrace

#include "synthetic.h"

#include <cstring>

#include "abi_types.h"
#include "error.h"

namespace polytrace {

Napi::Function SyntheticSource::define(Napi::Env env) {
  return DefineClass(env, "SyntheticSource",
                     {InstanceMethod<&SyntheticSource::drain>("drain"), InstanceMethod<&SyntheticSource::left>("left")});
}

SyntheticSource::SyntheticSource(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SyntheticSource>(info), left_(info[1].As<Napi::Number>().Int64Value()) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  records_.assign(bytes.Data(), bytes.Data() + bytes.ByteLength());
  size_t at = 0;
  while (at + sizeof(event_header) <= records_.size()) {
    const uint32_t size = reinterpret_cast<event_header*>(records_.data() + at)->size;
    if (size < sizeof(event_header)) break;
    at += (size + 7) & ~size_t{7};
  }
  if (records_.empty() || at != records_.size()) throw to_error(info.Env(), {"BAD_RECORDS", "these are not records"});
}

Napi::Value SyntheticSource::drain(const Napi::CallbackInfo& info) {
  auto slab = info[0].As<Napi::Uint8Array>();
  size_t offset = (info[1].As<Napi::Number>().Uint32Value() + 7) & ~size_t{7};
  while (left_ > 0) {
    const uint32_t size = (reinterpret_cast<event_header*>(records_.data() + at_)->size + 7) & ~uint32_t{7};
    if (offset + size > slab.ByteLength()) break;
    std::memcpy(slab.Data() + offset, records_.data() + at_, size);
    offset += size;
    at_ = (at_ + size) % records_.size();
    left_--;
  }
  return Napi::Number::New(info.Env(), static_cast<double>(offset));
}

Napi::Value SyntheticSource::left(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(left_));
}

}  // namespace polytrace

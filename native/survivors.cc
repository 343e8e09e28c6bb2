#include "survivors.h"

namespace polytrace {

Napi::Array Survivors::add(Napi::Env env, const Napi::Object& object) {
  const bool is_collected = canary_.IsEmpty() || canary_.Value().IsEmpty();
  Napi::Array left = take(env, is_collected ? older_ : 0);
  if (is_collected) {
    older_ = watched_.size();
    canary_ = Napi::Weak(Napi::Object::New(env));
  }
  watched_.push_back(Napi::Weak(object));
  return left;
}

Napi::Array Survivors::rest(Napi::Env env) {
  older_ = 0;
  return take(env, watched_.size());
}

Napi::Array Survivors::take(Napi::Env env, size_t count) {
  Napi::Array left = Napi::Array::New(env);
  uint32_t length = 0;
  for (size_t i = 0; i < count; i++) {
    const Napi::Object object = watched_.front().Value();
    if (!object.IsEmpty()) left.Set(length++, object);
    watched_.pop_front();
  }
  return left;
}

}  // namespace polytrace

#include "binding/gc_tracker.h"

namespace polytrace {

Napi::Array GcTracker::track(Napi::Env env, const Napi::Object& object) {
  const bool is_collected = canary_.IsEmpty() || canary_.Value().IsEmpty();
  Napi::Array alive = take_oldest(env, is_collected ? older_ : 0);
  if (is_collected) {
    older_ = tracked_.size();
    canary_ = Napi::Weak(Napi::Object::New(env));
  }
  tracked_.push_back(Napi::Weak(object));
  return alive;
}

Napi::Array GcTracker::take_all(Napi::Env env) {
  older_ = 0;
  return take_oldest(env, tracked_.size());
}

Napi::Array GcTracker::take_oldest(Napi::Env env, size_t count) {
  Napi::Array alive = Napi::Array::New(env);
  uint32_t length = 0;
  for (size_t i = 0; i < count; i++) {
    const Napi::Object object = tracked_.front().Value();
    if (!object.IsEmpty()) alive.Set(length++, object);
    tracked_.pop_front();
  }
  return alive;
}

}  // namespace polytrace

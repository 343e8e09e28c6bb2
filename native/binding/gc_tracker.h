// Finds the JavaScript objects that are still reachable after a garbage collection. A WeakRef of JavaScript is cleared
// only by the rare collection of the whole heap. A weak reference of Node-API is also cleared by the frequent
// collection of young objects.
#pragma once

#include <napi.h>

#include <deque>

namespace polytrace {

class GcTracker {
 public:
  // Tracks the object with a weak reference. Returns the objects that were tracked before and that a collection has not
  // freed since. The returned objects are not tracked any more.
  Napi::Array track(Napi::Env env, const Napi::Object& object);
  // Returns all tracked objects that may still be reachable, and stops tracking.
  Napi::Array take_all(Napi::Env env);

 private:
  Napi::Array take_oldest(Napi::Env env, size_t count);

  std::deque<Napi::ObjectReference> tracked_;
  size_t older_ = 0;              // the number of objects that were tracked before the canary was made
  Napi::ObjectReference canary_;  // an unreachable object: it is gone after a collection
};

}  // namespace polytrace

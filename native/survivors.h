// Finds the objects of JavaScript that are still in use after a garbage collection. JavaScript's own weak references last until the
// rare collection of the whole heap; those of Node-API end with the frequent one of young objects.
#pragma once

#include <napi.h>

#include <deque>

namespace polytrace {

class Survivors {
 public:
  // Watches the object. Returns the objects that were watched before and that a collection has left since; it watches them no more.
  Napi::Array add(Napi::Env env, const Napi::Object& object);
  // Returns all objects that may still be in use, and watches none any more.
  Napi::Array rest(Napi::Env env);

 private:
  Napi::Array take(Napi::Env env, size_t count);

  std::deque<Napi::ObjectReference> watched_;
  size_t older_ = 0;  // this many were watched before the canary was made
  Napi::ObjectReference canary_;  // nobody uses it, so a collection ends it
};

}  // namespace polytrace

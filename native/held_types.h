// Types that JavaScript holds. V8 learns of their memory, which is outside of its heap, so that it collects in time.
#pragma once

#include <napi.h>

#include <memory>

#include "types.h"

namespace polytrace {

// Several objects can hold the same types: each environment reports them to its V8 once. Call it on the JavaScript thread.
class HeldTypes {
 public:
  HeldTypes(napi_env env, std::shared_ptr<Types> types);
  HeldTypes(const HeldTypes&) = delete;
  HeldTypes& operator=(const HeldTypes&) = delete;
  ~HeldTypes();

  Types& get() const { return *types_; }
  // Before the garbage collection finds it; get() may not be called any more.
  void release();

 private:
  const napi_env env_;
  std::shared_ptr<Types> types_;
};

}  // namespace polytrace

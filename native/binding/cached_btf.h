// BTF that a JavaScript object keeps in memory. Its size is reported to V8 as external memory, so that V8 collects in
// time.
#pragma once

#include <napi.h>

#include <memory>

#include "btf/btf_types.h"

namespace polytrace {

// Several objects can share the same BTF: each environment reports its size to V8 once. All calls are made on the
// JavaScript thread.
class CachedBtf {
 public:
  CachedBtf(napi_env env, std::shared_ptr<BtfTypes> types);
  CachedBtf(const CachedBtf&) = delete;
  CachedBtf& operator=(const CachedBtf&) = delete;
  ~CachedBtf();

  BtfTypes& get() const { return *types_; }
  // Releases the BTF before the garbage collector does. get() must not be called afterwards.
  void release();

 private:
  const napi_env env_;
  std::shared_ptr<BtfTypes> types_;
};

}  // namespace polytrace

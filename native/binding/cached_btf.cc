#include "binding/cached_btf.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace polytrace {

namespace {

struct Holders {
  uint32_t count = 0;
  int64_t reported = 0;
};

// each environment can have a thread of its own
std::mutex mutex;
std::map<std::pair<napi_env, const BtfTypes*>, Holders> all_holders;

// Returns the bytes to report to V8.
int64_t add_holder(napi_env env, const BtfTypes& types) {
  const std::scoped_lock lock(mutex);
  Holders& entry = all_holders[{env, &types}];
  if (entry.count++ > 0) return 0;
  entry.reported = static_cast<int64_t>(types.bytes());
  return entry.reported;
}

// Returns the bytes to report to V8, as a negative number.
int64_t remove_holder(napi_env env, const BtfTypes& types) {
  const std::scoped_lock lock(mutex);
  const auto found = all_holders.find({env, &types});
  if (--found->second.count > 0) return 0;
  const int64_t reported = found->second.reported;
  all_holders.erase(found);
  return -reported;
}

// Called without the lock: V8 may collect now and destroy other holders.
void report_external_memory(napi_env env, int64_t bytes) {
  if (bytes != 0) Napi::MemoryManagement::AdjustExternalMemory(Napi::Env(env), bytes);
}

}  // namespace

CachedBtf::CachedBtf(napi_env env, std::shared_ptr<BtfTypes> types) : env_(env), types_(std::move(types)) {
  report_external_memory(env_, add_holder(env_, *types_));
}

CachedBtf::~CachedBtf() { release(); }

void CachedBtf::release() {
  if (!types_) return;
  report_external_memory(env_, remove_holder(env_, *types_));
  types_.reset();
}

}  // namespace polytrace

#include "held_types.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace polytrace {

namespace {

struct Holding {
  uint32_t holders = 0;
  int64_t reported = 0;
};

// environments can have threads of their own
std::mutex mutex;
std::map<std::pair<napi_env, const Types*>, Holding> holdings;

// Returns the bytes to report.
int64_t hold(napi_env env, const Types& types) {
  const std::scoped_lock lock(mutex);
  Holding& holding = holdings[{env, &types}];
  if (holding.holders++ > 0) return 0;
  holding.reported = static_cast<int64_t>(types.bytes());
  return holding.reported;
}

int64_t let_go(napi_env env, const Types& types) {
  const std::scoped_lock lock(mutex);
  const auto found = holdings.find({env, &types});
  if (--found->second.holders > 0) return 0;
  const int64_t reported = found->second.reported;
  holdings.erase(found);
  return -reported;
}

// Without the lock: V8 may collect now, and end other holders.
void report(napi_env env, int64_t bytes) {
  if (bytes != 0) Napi::MemoryManagement::AdjustExternalMemory(Napi::Env(env), bytes);
}

}  // namespace

HeldTypes::HeldTypes(napi_env env, std::shared_ptr<Types> types) : env_(env), types_(std::move(types)) {
  report(env_, hold(env_, *types_));
}

HeldTypes::~HeldTypes() { release(); }

void HeldTypes::release() {
  if (!types_) return;
  report(env_, let_go(env_, *types_));
  types_.reset();
}

}  // namespace polytrace

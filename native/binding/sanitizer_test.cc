#include "binding/sanitizer_test.h"

#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace polytrace {

namespace {

int read_after_free() {
  auto owned = std::make_unique<volatile int>(1);
  const volatile int* dangling = owned.get();
  owned.reset();
  return *dangling;
}

// The compiler does not know `length`.
int read_beyond(size_t length) {
  std::vector<char> bytes(length);
  const volatile char* data = bytes.data();
  return data[length];
}

int overflow(int number) {
  volatile int maximum = std::numeric_limits<int>::max() - number;
  return maximum + number + 1;
}

}  // namespace

Napi::Value trigger_sanitizer(const Napi::CallbackInfo& info) {
  const std::string kind = info[0].ToString().Utf8Value();
  int result = 0;
  if (kind == "read after free") result = read_after_free();
  if (kind == "read beyond the end") result = read_beyond(kind.size());
  if (kind == "overflow") result = overflow(static_cast<int>(kind.size()));
  return Napi::Number::New(info.Env(), result);
}

}  // namespace polytrace

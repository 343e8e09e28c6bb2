// A source of records without a kernel, for benchmarks of the code above the ring buffer.
#pragma once

#include <napi.h>

#include <cstdint>
#include <vector>

namespace polytrace {

class SyntheticSource : public Napi::ObjectWrap<SyntheticSource> {
 public:
  static Napi::Function define(Napi::Env env);
  // (records: Uint8Array, total): repeats the records until `total` have been read. Each is padded to 8 bytes.
  explicit SyntheticSource(const Napi::CallbackInfo& info);

 private:
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value left(const Napi::CallbackInfo& info);

  std::vector<uint8_t> records_;
  size_t at_ = 0;
  uint64_t left_;
};

}  // namespace polytrace

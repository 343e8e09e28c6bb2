// Reads properties of JavaScript objects into C++ values that do not need the environment any more.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace polytrace {

inline uint32_t read_number(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().Uint32Value();
}

inline std::string read_string(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::String>().Utf8Value();
}

inline bool read_flag(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean(); }

inline std::string read_optional_string(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

// Reads a BigInt; 0 if there is none.
inline uint64_t read_optional_bigint(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  bool lossless = false;
  return value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
}

inline std::vector<uint8_t> copy_bytes(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ByteLength()};
}

// Calls `read` with each element of an array of objects, and returns the results.
template <typename Read>
auto map_array(const Napi::Value& value, Read read) {
  std::vector<decltype(read(std::declval<Napi::Object>()))> result;
  if (!value.IsArray()) return result;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) result.push_back(read(array.Get(i).As<Napi::Object>()));
  return result;
}

}  // namespace polytrace

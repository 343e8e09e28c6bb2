#include "loading/embedded_objects.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <cerrno>
#include <memory>
#include <string>

#include "base/error.h"

namespace polytrace {

namespace {

// The largest object has 700 KiB. A damaged size must not make the addon ask for gigabytes.
constexpr unsigned long long MAX_OBJECT_BYTES = 8 << 20;

using Decompressor = std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)>;

[[noreturn]] void refuse(const EmbeddedObject& object) {
  throw Failure{"OBJECT_CORRUPT", std::string("the addon's file is damaged: its BPF object ") + object.name};
}

[[noreturn]] void refuse_memory(const EmbeddedObject& object) {
  throw Failure{"OPEN_FAILED", std::string("cannot decompress the BPF object ") + object.name, ENOMEM};
}

std::vector<uint8_t> decompress(const EmbeddedObject& object) {
  const size_t length = object.end - object.begin;
  // a number above the limit says that there is no size
  const unsigned long long size = ZSTD_getFrameContentSize(object.begin, length);
  if (size == 0 || size > MAX_OBJECT_BYTES) refuse(object);
  const std::vector<uint8_t> base = decompress_object(object.base);
  std::vector<uint8_t> bytes(size);
  const Decompressor decompressor(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (decompressor == nullptr) refuse_memory(object);
  // compares the size and the checksum
  const size_t result = ZSTD_decompress_usingDict(decompressor.get(), bytes.data(), bytes.size(), object.begin, length,
                                                  base.data(), base.size());
  if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) refuse_memory(object);
  if (ZSTD_isError(result) || result != size) refuse(object);
  return bytes;
}

}  // namespace

std::vector<uint8_t> decompress_object(std::string_view name) {
  for (const EmbeddedObject* object = EMBEDDED_OBJECTS; object->name != nullptr; object++) {
    if (name == object->name) return decompress(*object);
  }
  return {};
}

}  // namespace polytrace

#include "loading/embedded_objects.h"

#include <zlib.h>

#include <cerrno>
#include <string>

#include "base/error.h"

namespace polytrace {

namespace {

// The largest object has 400 KiB. A damaged size must not make the addon ask for gigabytes.
constexpr size_t MAX_OBJECT_BYTES = 8 << 20;

// gzip's format: a header of at least 10 bytes, and at the end a checksum and the size.
constexpr size_t MIN_GZIP_BYTES = 18;

// For inflateInit2(): the largest window, and the header and checksum of gzip.
constexpr int GZIP_WINDOW_BITS = 16 + MAX_WBITS;

size_t read_size(const EmbeddedObject& object) {
  if (object.end - object.begin < static_cast<ptrdiff_t>(MIN_GZIP_BYTES)) return 0;
  const uint8_t* at = object.end - 4;
  return at[0] | at[1] << 8 | at[2] << 16 | static_cast<size_t>(at[3]) << 24;
}

[[noreturn]] void refuse(const EmbeddedObject& object) {
  throw Failure{"OBJECT_CORRUPT", std::string("the addon's file is damaged: its BPF object ") + object.name};
}

std::vector<uint8_t> inflate_bytes(const EmbeddedObject& object) {
  const size_t size = read_size(object);
  if (size == 0 || size > MAX_OBJECT_BYTES) refuse(object);
  std::vector<uint8_t> bytes(size);
  z_stream stream{};
  stream.next_in = const_cast<Bytef*>(object.begin);
  stream.avail_in = static_cast<uInt>(object.end - object.begin);
  stream.next_out = bytes.data();
  stream.avail_out = static_cast<uInt>(size);
  if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK) {
    throw Failure{"OPEN_FAILED", std::string("cannot inflate the BPF object ") + object.name, ENOMEM};
  }
  // zlib compares the checksum and the size at the end
  const int result = inflate(&stream, Z_FINISH);
  const bool is_complete = stream.avail_in == 0 && stream.avail_out == 0;
  inflateEnd(&stream);
  if (result == Z_MEM_ERROR) {
    throw Failure{"OPEN_FAILED", std::string("cannot inflate the BPF object ") + object.name, ENOMEM};
  }
  if (result != Z_STREAM_END || !is_complete) refuse(object);
  return bytes;
}

}  // namespace

std::vector<uint8_t> inflate_object(std::string_view name) {
  for (const EmbeddedObject* object = EMBEDDED_OBJECTS; object->name != nullptr; object++) {
    if (name == object->name) return inflate_bytes(*object);
  }
  return {};
}

}  // namespace polytrace

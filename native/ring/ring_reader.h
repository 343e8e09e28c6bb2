// Reads the ring buffer. The JavaScript thread copies records out when JavaScript asks for them. A waiter thread sleeps
// until the ring has records, and then reports that once.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "base/handles.h"

struct ring_buffer;

namespace polytrace {

// A ring buffer, and its memory; neither if the kernel refused one of them.
struct MappedRing {
  Fd map{-1};
  std::shared_ptr<struct ring_buffer> ring = nullptr;
};

class RingReader {
 public:
  RingReader() = default;
  ~RingReader() { close(); }
  RingReader(const RingReader&) = delete;
  RingReader& operator=(const RingReader&) = delete;

  // Creates a ring of this size, and maps it, which takes tens of milliseconds. Any thread may call it.
  MappedRing create(uint32_t bytes);

  // Reads this ring. Call it before any other method. The caller owns the map, which must outlive this.
  void open(const MappedRing& ring);
  // Maps the ring, which takes milliseconds: call it on a thread that may wait. Returns 0 or a negative errno.
  int open(int map_fd);

  // Starts the waiter. After each arm(), it calls `on_readable` once on the JavaScript thread, as soon as the ring has
  // records.
  int start(Napi::Env env, Napi::Function on_readable);
  void arm();
  // An active waiter keeps the event loop alive.
  void set_active(Napi::Env env, bool active);

  // Copies records to the record buffer, each at a multiple of 8. Stops when no record is left, or when the longest
  // possible record would not fit. Returns the offset after the last record.
  size_t drain(uint8_t* buffer, size_t size, size_t offset);

  // Returns the bytes of the ring that are not read yet, including records that are being written.
  size_t unread_bytes() const;

  // Stops the waiter, and returns the mapping. Its last owner unmaps it, which takes milliseconds, too. Idempotent.
  // Call it on the JavaScript thread.
  std::shared_ptr<struct ring_buffer> stop();
  // Stops the waiter and unmaps the ring. Idempotent. Call it on the JavaScript thread.
  void close() { stop(); }

 private:
  static int on_record(void* context, void* data, size_t size);
  static void call_js(napi_env env, napi_value callback, void* context, void* data);
  void wait_loop();

  std::shared_ptr<struct ring_buffer> ring_;
  int map_fd_ = -1;
  int command_fd_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread waiter_;
  napi_threadsafe_function readable_ = nullptr;

  uint8_t* buffer_ = nullptr;
  size_t buffer_size_ = 0;
  size_t offset_ = 0;
};

}  // namespace polytrace

// Reads the ring buffer. Records are copied out on the JavaScript thread, when JavaScript asks for them. A waiter thread only
// sleeps until there are records, and then reports that once.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

struct ring_buffer;

namespace polytrace {

class RingReader {
 public:
  RingReader() = default;
  ~RingReader() { close(); }
  RingReader(const RingReader&) = delete;
  RingReader& operator=(const RingReader&) = delete;

  // The caller owns `map_fd`, which must outlive this. Returns 0 or a negative errno.
  int open(int map_fd);

  // Calls `on_readable` on the JavaScript thread, once after each arm(), when the ring has records.
  int start(Napi::Env env, Napi::Function on_readable);
  void arm();
  // An active waiter keeps the event loop alive.
  void set_active(Napi::Env env, bool active);

  // Copies records to `slab`, each at a multiple of 8. Ends when no record is left, or when the longest one would not fit.
  // Returns the offset after the last record.
  size_t drain(uint8_t* slab, size_t size, size_t offset);

  // Bytes of the ring that are not read yet, including records that are being written.
  size_t used() const;

  // Ends the waiter. Idempotent. Call it on the JavaScript thread.
  void close();

 private:
  static int on_record(void* self, void* data, size_t size);
  static void call_js(napi_env env, napi_value callback, void* context, void* data);
  void wait_loop();

  struct ring_buffer* ring_ = nullptr;
  int map_fd_ = -1;
  int command_fd_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread waiter_;
  napi_threadsafe_function readable_ = nullptr;

  uint8_t* slab_ = nullptr;
  size_t slab_size_ = 0;
  size_t offset_ = 0;
};

}  // namespace polytrace

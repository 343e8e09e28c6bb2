// Reading the ring buffer: records are copied out on the JavaScript thread, when JavaScript asks. A waiter thread does
// nothing but sleep until there is something to read, and says so once.
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

  // `map_fd` stays owned by the caller and must outlive this. Returns 0 or a negative errno.
  int open(int map_fd);

  // `on_readable` is called on the JavaScript thread after arm(), once, when the ring has records.
  int start(Napi::Env env, Napi::Function on_readable);
  void arm();
  // Whether the waiter keeps the event loop alive.
  void set_active(Napi::Env env, bool active);

  // Copies records to `slab`, each at a multiple of 8, until there are none left or no record might fit any more. Returns
  // the offset after the last.
  size_t drain(uint8_t* slab, size_t size, size_t offset);

  // Bytes that are written or being written and not read yet.
  size_t used() const;

  // Ends the waiter; idempotent. On the JavaScript thread.
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

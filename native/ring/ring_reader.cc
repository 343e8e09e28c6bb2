#include "ring/ring_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/abi_types.h"
#include "base/error.h"

namespace polytrace {

namespace {

size_t align8(size_t n) { return (n + 7) & ~size_t{7}; }

}  // namespace

MappedRing RingReader::create(uint32_t bytes) {
  const LogScope log;
  Fd map(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "events", 0, 0, bytes, nullptr));
  if (map.value < 0) return {};
  ring_buffer* const ring = ring_buffer__new(map.value, on_record, this, nullptr);
  if (ring == nullptr) return {};
  return {std::move(map), {ring, ring_buffer__free}};
}

void RingReader::open(const MappedRing& ring) {
  map_fd_ = ring.map.value;
  ring_ = ring.ring;
}

int RingReader::open(int map_fd) {
  map_fd_ = map_fd;
  ring_buffer* const ring = ring_buffer__new(map_fd, on_record, this, nullptr);
  if (ring == nullptr) return -errno;
  ring_.reset(ring, ring_buffer__free);
  return 0;
}

int RingReader::start(Napi::Env env, Napi::Function on_readable) {
  command_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (command_fd_ < 0) return -errno;
  const napi_value name = Napi::String::New(env, "polytrace.ring");
  if (napi_create_threadsafe_function(env, on_readable, nullptr, name, 0, 1, nullptr, nullptr, nullptr, call_js,
                                      &readable_) != napi_ok) {
    return -ENOMEM;
  }
  napi_unref_threadsafe_function(env, readable_);
  try {
    waiter_ = std::thread([this] { wait_loop(); });
  } catch (const std::system_error& error) {
    return -error.code().value();
  }
  return 0;
}

void RingReader::call_js(napi_env env, napi_value callback, void*, void*) {
  // without an environment, the thread-safe function is ending
  if (env == nullptr || callback == nullptr) return;
  napi_value undefined;
  napi_get_undefined(env, &undefined);
  napi_value ignored;
  // an exception stays pending, and Node.js reports it as uncaught
  napi_call_function(env, undefined, callback, 0, nullptr, &ignored);
}

void RingReader::arm() {
  const uint64_t one = 1;
  if (command_fd_ >= 0) (void)!write(command_fd_, &one, sizeof(one));
}

void RingReader::wait_loop() {
  bool armed = false;
  while (!stopping_) {
    struct pollfd fds[2] = {{command_fd_, POLLIN, 0}, {armed ? map_fd_ : -1, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (stopping_) return;
    if (fds[0].revents & POLLIN) {
      uint64_t count;
      if (read(command_fd_, &count, sizeof(count)) == sizeof(count)) armed = true;
      continue;
    }
    if (fds[1].revents != 0) {
      armed = false;
      napi_call_threadsafe_function(readable_, nullptr, napi_tsfn_nonblocking);
    }
  }
}

void RingReader::set_active(Napi::Env env, bool active) {
  if (readable_ == nullptr) return;
  if (active) {
    napi_ref_threadsafe_function(env, readable_);
  } else {
    napi_unref_threadsafe_function(env, readable_);
  }
}

int RingReader::on_record(void* context, void* data, size_t size) {
  auto* self = static_cast<RingReader*>(context);
  if (size >= sizeof(event_header) && size <= RECORD_SIZE_MAX) {
    std::memcpy(self->buffer_ + self->offset_, data, size);
    // programs cannot change this length after the copy
    auto* header = reinterpret_cast<event_header*>(self->buffer_ + self->offset_);
    header->size = static_cast<uint32_t>(size);
    self->offset_ += align8(size);
  }
  return self->buffer_size_ - self->offset_ < RECORD_SIZE_MAX ? -ENOBUFS : 0;
}

size_t RingReader::drain(uint8_t* buffer, size_t size, size_t offset) {
  if (ring_ == nullptr || size < RECORD_SIZE_MAX || offset > size - RECORD_SIZE_MAX) return offset;
  buffer_ = buffer;
  buffer_size_ = size;
  offset_ = align8(offset);
  if (size - offset_ >= RECORD_SIZE_MAX) ring_buffer__consume(ring_.get());
  buffer_ = nullptr;
  return offset_;
}

size_t RingReader::unread_bytes() const {
  if (ring_ == nullptr) return 0;
  return ring__avail_data_size(ring_buffer__ring(ring_.get(), 0));
}

std::shared_ptr<ring_buffer> RingReader::stop() {
  stopping_ = true;
  arm();
  if (waiter_.joinable()) waiter_.join();
  if (readable_ != nullptr) {
    napi_release_threadsafe_function(readable_, napi_tsfn_abort);
    readable_ = nullptr;
  }
  if (command_fd_ >= 0) ::close(command_fd_);
  command_fd_ = -1;
  return std::exchange(ring_, nullptr);
}

}  // namespace polytrace

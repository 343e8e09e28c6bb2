// The addon's functions for folders with pins.
#pragma once

#include <napi.h>

#include <memory>

#include "backend/pins.h"
#include "binding/napi_error.h"
#include "ring/ring_reader.h"

namespace polytrace {

// Returns { maps, links }: the names of pinned maps, and the prefixes of the names of pinned links.
Napi::Object pin_names(Napi::Env env);

// (descriptor of a folder) -> false if another process has locked it; else it is locked until the descriptor is closed
Napi::Value lock_folder(const Napi::CallbackInfo& info);

// (folder) -> whether a BPF file system is mounted there now
Napi::Value mount_bpf(const Napi::CallbackInfo& info);

// (folder) -> the layout hash of its pins, or null if it has no pins of polytrace
Napi::Value pinned_layout(const Napi::CallbackInfo& info);

// The class EarlierRing: reads the ring buffer of a dead tracer. openEarlierRing(folder) returns one, or null if the
// layout of its pins is not this addon's.
class EarlierRing : public Napi::ObjectWrap<EarlierRing> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit EarlierRing(const Napi::CallbackInfo& info);

 private:
  template <auto METHOD>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return run_guarded(info.Env(), [&] { return (this->*METHOD)(info); });
  }

  // isReadable() -> false: there are no pins of this layout, and the other methods return nothing
  Napi::Value is_readable(const Napi::CallbackInfo& info);
  // drain(buffer, offset) -> the offset after the last record that was copied
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value unread_bytes(const Napi::CallbackInfo& info);
  // names() -> [hook, text, …]
  Napi::Value names(const Napi::CallbackInfo& info);
  // losses() -> [hook, count, …]
  Napi::Value losses(const Napi::CallbackInfo& info);
  // processes() -> the bytes of saveProcesses(), or null
  Napi::Value processes(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::unique_ptr<PinnedRing> pins_;  // outlives the reader
  RingReader ring_;
};

// () -> nanoseconds of CLOCK_BOOTTIME, the clock of records
Napi::Value boot_time(const Napi::CallbackInfo& info);

}  // namespace polytrace

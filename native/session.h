// The class Session of the addon. It passes JavaScript's requests on to the tracer's side in the kernel and to the reader of
// its ring buffer. What takes the kernel long is done by the session's worker, and its method returns a promise.
#pragma once

#include <napi.h>

#include <functional>

#include "error.h"
#include "kernel_side.h"
#include "ring.h"
#include "survivors.h"
#include "worker.h"

namespace polytrace {

class Session : public Napi::ObjectWrap<Session> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Session(const Napi::CallbackInfo& info);
  ~Session() override;

 private:
  template <auto METHOD>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return (this->*METHOD)(info); });
  }

  void close_all();
  // The worker runs these. They return promises.
  Napi::Value later(const Napi::CallbackInfo& info, Worker::Work work);
  Napi::Value change(const Napi::CallbackInfo& info, std::function<void(KernelSide&)> change);
  // The same for a change that ends something. Where there is no memory or no thread for it, it is made at once, and the worker ends.
  template <typename Change>
  Napi::Value finish(const Napi::CallbackInfo& info, const Change& change);
  static void on_env_exit(void* self);

  Napi::Value probe_features(const Napi::CallbackInfo& info);
  Napi::Value read_types(const Napi::CallbackInfo& info);
  Napi::Value release_types(const Napi::CallbackInfo& info);
  Napi::Value take_pins(const Napi::CallbackInfo& info);
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value arm(const Napi::CallbackInfo& info);
  Napi::Value set_active(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value used(const Napi::CallbackInfo& info);
  Napi::Value watch(const Napi::CallbackInfo& info);
  Napi::Value watched(const Napi::CallbackInfo& info);
  Napi::Value add_hook(const Napi::CallbackInfo& info);
  Napi::Value remove_hooks(const Napi::CallbackInfo& info);
  Napi::Value set_enforces(const Napi::CallbackInfo& info);
  Napi::Value put_entries(const Napi::CallbackInfo& info);
  Napi::Value delete_entries(const Napi::CallbackInfo& info);
  Napi::Value use_process_sets(const Napi::CallbackInfo& info);
  Napi::Value set_kinds(const Napi::CallbackInfo& info);
  Napi::Value clear_sets(const Napi::CallbackInfo& info);
  Napi::Value begin_scan(const Napi::CallbackInfo& info);
  Napi::Value finish_scan(const Napi::CallbackInfo& info);
  Napi::Value keep_state(const Napi::CallbackInfo& info);
  Napi::Value use_scopes(const Napi::CallbackInfo& info);
  Napi::Value set_scopes(const Napi::CallbackInfo& info);
  Napi::Value protect_ancestors(const Napi::CallbackInfo& info);
  Napi::Value set_tracks_sockets(const Napi::CallbackInfo& info);
  Napi::Value inode_of(const Napi::CallbackInfo& info);
  Napi::Value take_losses(const Napi::CallbackInfo& info);
  Napi::Value take_missed(const Napi::CallbackInfo& info);
  Napi::Value hook_counts(const Napi::CallbackInfo& info);
  Napi::Value hook_memory(const Napi::CallbackInfo& info);
  Napi::Value pin_to(const Napi::CallbackInfo& info);
  Napi::Value name_hook(const Napi::CallbackInfo& info);
  Napi::Value self_tgid(const Napi::CallbackInfo& info);
  Napi::Value detach(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  napi_env env_;
  bool has_exit_hook_ = false;
  KernelSide kernel_;  // outlives the reader
  RingReader ring_;
  Survivors survivors_;
  Worker worker_;  // ends first
};

}  // namespace polytrace

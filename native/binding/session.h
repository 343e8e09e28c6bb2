// The class Session of the addon. It passes JavaScript's requests on to the tracer's BPF backend and to the reader of
// its ring buffer. The session's worker makes the slow calls of the kernel, and their methods return promises.
#pragma once

#include <napi.h>

#include <functional>
#include <future>
#include <memory>

#include "backend/bpf_backend.h"
#include "binding/gc_tracker.h"
#include "binding/napi_error.h"
#include "binding/worker.h"
#include "btf/btf_types.h"
#include "ring/ring_reader.h"

namespace polytrace {

class Session : public Napi::ObjectWrap<Session> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Session(const Napi::CallbackInfo& info);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  template <auto METHOD>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return run_guarded(info.Env(), [&] { return (this->*METHOD)(info); });
  }

  void close_all();
  // Waits until a ring that is being prepared exists.
  void forget_ring_map() noexcept;
  // The worker runs the work. Both return a promise.
  Napi::Value run_on_worker(const Napi::CallbackInfo& info, Worker::Work work);
  Napi::Value run_change(const Napi::CallbackInfo& info, std::function<void(BpfBackend&)> change);
  // The same for a change that must not fail because memory or threads are exhausted: then it is made on this thread,
  // and the worker stops.
  template <typename Change>
  Napi::Value run_final_change(const Napi::CallbackInfo& info, const Change& change);
  static void on_env_exit(void* self);

  Napi::Value use_kernel_btf(const Napi::CallbackInfo& info);
  Napi::Value probe_features(const Napi::CallbackInfo& info);
  Napi::Value load_kernel_btf(const Napi::CallbackInfo& info);
  Napi::Value release_kernel_btf(const Napi::CallbackInfo& info);
  Napi::Value remove_pins(const Napi::CallbackInfo& info);
  Napi::Value prepare_ring(const Napi::CallbackInfo& info);
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value arm(const Napi::CallbackInfo& info);
  Napi::Value set_active(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value unread_bytes(const Napi::CallbackInfo& info);
  Napi::Value track(const Napi::CallbackInfo& info);
  Napi::Value take_tracked(const Napi::CallbackInfo& info);
  Napi::Value add_hook(const Napi::CallbackInfo& info);
  // Loads the programs of a hook on a thread of its own, so that several hooks are loaded at the same time.
  std::future<Hook> start_loading(const std::shared_ptr<const HookSpec>& spec);
  Napi::Value remove_hooks(const Napi::CallbackInfo& info);
  Napi::Value sweep_pending(const Napi::CallbackInfo& info);
  Napi::Value set_enforcement(const Napi::CallbackInfo& info);
  Napi::Value set_move(const Napi::CallbackInfo& info);
  Napi::Value put_entries(const Napi::CallbackInfo& info);
  Napi::Value delete_entries(const Napi::CallbackInfo& info);
  Napi::Value put_hook_entries(const Napi::CallbackInfo& info);
  Napi::Value delete_hook_entries(const Napi::CallbackInfo& info);
  Napi::Value wait_for_programs(const Napi::CallbackInfo& info);
  Napi::Value enable_process_sets(const Napi::CallbackInfo& info);
  Napi::Value set_process_set_kinds(const Napi::CallbackInfo& info);
  Napi::Value clear_sets(const Napi::CallbackInfo& info);
  Napi::Value begin_scan(const Napi::CallbackInfo& info);
  Napi::Value track_arguments(const Napi::CallbackInfo& info);
  Napi::Value put_arguments(const Napi::CallbackInfo& info);
  Napi::Value finish_scan(const Napi::CallbackInfo& info);
  Napi::Value enable_process_state(const Napi::CallbackInfo& info);
  Napi::Value enable_scopes(const Napi::CallbackInfo& info);
  Napi::Value set_scopes(const Napi::CallbackInfo& info);
  Napi::Value load_marks(const Napi::CallbackInfo& info);
  Napi::Value name_mark(const Napi::CallbackInfo& info);
  Napi::Value read_sums(const Napi::CallbackInfo& info);
  Napi::Value list_processes(const Napi::CallbackInfo& info);
  Napi::Value check_processes(const Napi::CallbackInfo& info);
  Napi::Value list_pids(const Napi::CallbackInfo& info);
  Napi::Value protect_ancestors(const Napi::CallbackInfo& info);
  Napi::Value set_socket_tracking(const Napi::CallbackInfo& info);
  Napi::Value read_inode(const Napi::CallbackInfo& info);
  Napi::Value is_throttled(const Napi::CallbackInfo& info);
  Napi::Value take_losses(const Napi::CallbackInfo& info);
  Napi::Value take_missed_runs(const Napi::CallbackInfo& info);
  Napi::Value hook_counts(const Napi::CallbackInfo& info);
  Napi::Value hook_memory(const Napi::CallbackInfo& info);
  Napi::Value pin_to(const Napi::CallbackInfo& info);
  Napi::Value save_processes(const Napi::CallbackInfo& info);
  Napi::Value name_hook(const Napi::CallbackInfo& info);
  Napi::Value self_tgid(const Napi::CallbackInfo& info);
  Napi::Value detach(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  napi_env env_;
  bool has_exit_hook_ = false;
  std::shared_ptr<const KernelTypesFile> kernel_types_;
  BpfBackend backend_;                              // outlives the reader
  std::shared_ptr<const RunningProcesses> listed_;  // until it is checked; only the worker uses it
  std::future<MappedRing> preparing_;               // from prepare_ring() to open()
  Fd ring_map_{-1};                                 // of the prepared ring
  RingReader ring_;
  std::shared_ptr<struct ring_buffer> ended_ring_;  // close() hands it to the worker
  GcTracker gc_tracker_;
  Worker worker_;  // destroyed first
};

}  // namespace polytrace

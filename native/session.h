// One tracer's kernel side: the base sensor, its shared maps, and the hooks that use them. Owns every file descriptor,
// so that closing it, or the death of the process, detaches everything. Knows nothing of policies: it is given bytes.
// session_processes.cc has what concerns processes that run already, session_counts.cc what the kernel counts,
// session_pins.cc what outlives it.
#pragma once

#include <napi.h>

#include <map>
#include <string>
#include <vector>

#include "abi_types.h"
#include "attach.h"
#include "handles.h"
#include "pins.h"
#include "probe_links.h"
#include "ring.h"

namespace polytrace {

// Maps of the base sensor that hooks use.
constexpr const char* SHARED_MAPS[] = {"events",       "control",        "counters", "protected_processes",
                                       "process_bits", "process_bits_more", "process_states", "socket_owners"};

class Session : public Napi::ObjectWrap<Session> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Session(const Napi::CallbackInfo& info);
  ~Session() override;

 private:
  struct Hook {
    ObjectPtr object;            // destroyed last
    std::vector<LinkPtr> links;
    ProbeLinks probes;
    std::vector<int> programs;   // descriptors, owned by the object
    std::vector<int> counted;    // descriptors of the links whose own misses count
    uint64_t missed_before_detach = 0;  // by links
    uint64_t missed = 0;         // as told by take_missed
  };

  static uint64_t missed_by_links(const Hook& hook);
  void attach(Napi::Env env, Hook& hook, const Target& target, const std::array<bpf_program*, 2>& programs);
  std::vector<uint32_t> attach_places(Napi::Env env, Hook& hook, const Target& target,
                                      const std::array<bpf_program*, 2>& programs);
  void open_sensor(Napi::Env env, const Napi::Object& options);
  void attach_sensor(Napi::Env env, const char* program);
  bpf_map* sensor_map(Napi::Env env, const char* name);
  void keep_until_freed(Napi::Env env);
  void request_scan(Napi::Env env, const scan_request& request);
  uint32_t scan_once(Napi::Env env);
  void scan_until_still(Napi::Env env);
  void clear_unseen(Napi::Env env, const process_sets& sets);
  void share_map(Napi::Env env, bpf_map* map, uint32_t id);
  static std::string sensor_pin(size_t index);
  static std::string hook_pin(uint32_t id, size_t index);
  void pin_link(Napi::Env env, int link, const std::string& name);
  static std::vector<int> links_of(const Hook& hook);
  void pin_hook(Napi::Env env, uint32_t id, const Hook& hook);
  void unpin_hook(uint32_t id, const Hook& hook);
  void detach_all(bool keep);
  void close_all();
  static void on_env_exit(void* self);

  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value arm(const Napi::CallbackInfo& info);
  Napi::Value set_active(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value used(const Napi::CallbackInfo& info);
  Napi::Value add_hook(const Napi::CallbackInfo& info);
  Napi::Value remove_hook(const Napi::CallbackInfo& info);
  Napi::Value put_entries(const Napi::CallbackInfo& info);
  Napi::Value use_process_sets(const Napi::CallbackInfo& info);
  Napi::Value set_kinds(const Napi::CallbackInfo& info);
  Napi::Value clear_sets(const Napi::CallbackInfo& info);
  Napi::Value begin_scan(const Napi::CallbackInfo& info);
  Napi::Value finish_scan(const Napi::CallbackInfo& info);
  Napi::Value keep_state(const Napi::CallbackInfo& info);
  Napi::Value inode_of(const Napi::CallbackInfo& info);
  Napi::Value delete_entries(const Napi::CallbackInfo& info);
  Napi::Value take_losses(const Napi::CallbackInfo& info);
  Napi::Value take_missed(const Napi::CallbackInfo& info);
  Napi::Value hook_counts(const Napi::CallbackInfo& info);
  Napi::Value hook_memory(const Napi::CallbackInfo& info);
  Napi::Value pin_to(const Napi::CallbackInfo& info);
  Napi::Value name_hook(const Napi::CallbackInfo& info);
  Napi::Value set_enforces(const Napi::CallbackInfo& info);
  Napi::Value protect_ancestors(const Napi::CallbackInfo& info);
  Napi::Value set_tracks_sockets(const Napi::CallbackInfo& info);
  Napi::Value self_tgid(const Napi::CallbackInfo& info);
  Napi::Value detach(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  napi_env env_;
  bool open_ = false;
  ObjectPtr sensor_;
  std::vector<LinkPtr> sensor_links_;
  bool frees_attached_ = false;
  LinkPtr prepare_link_;  // while processes are scanned
  std::vector<LinkPtr> sockets_links_;  // one, while policies track sockets
  MappedMap control_;
  MappedMap counters_;
  RingReader ring_;
  Pins pins_;
  std::map<uint32_t, Hook> hooks_;
};

}  // namespace polytrace

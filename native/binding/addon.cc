// The addon's exports.
#include <napi.h>

#include "binding/btf.h"
#include "binding/cgroups.h"
#include "binding/child.h"
#include "binding/features.h"
#include "binding/file_reader.h"
#include "binding/kernel_symbol.h"
#include "binding/lines.h"
#include "binding/napi_error.h"
#include "binding/peer.h"
#include "binding/pins.h"
#include "binding/sanitizer_test.h"
#include "binding/service.h"
#include "binding/session.h"
#include "loading/typed_programs.h"

namespace polytrace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  install_log();
  register_typed_sections();
  exports.Set("layoutHash", Napi::String::New(env, POLYTRACE_LAYOUT_HASH));
  exports.Set("Session", Session::define(env));
  exports.Set("Btf", Btf::define(env));
  exports.Set("EarlierRing", EarlierRing::define(env));
  exports.Set("FileReader", FileReader::define(env));
  exports.Set("probeFeatures", Napi::Function::New<guarded_callback<probe_features>>(env, "probeFeatures"));
  exports.Set("bootOffset", Napi::Function::New<guarded_callback<boot_offset>>(env, "bootOffset"));
  exports.Set("bootTime", Napi::Function::New<guarded_callback<boot_time>>(env, "bootTime"));
  exports.Set("cgroupPath", Napi::Function::New<guarded_callback<cgroup_path>>(env, "cgroupPath"));
  exports.Set("pinNames", pin_names(env));
  exports.Set("mountBpf", Napi::Function::New<guarded_callback<mount_bpf>>(env, "mountBpf"));
  exports.Set("lockFolder", Napi::Function::New<guarded_callback<lock_folder>>(env, "lockFolder"));
  exports.Set("pinnedLayout", Napi::Function::New<guarded_callback<pinned_layout>>(env, "pinnedLayout"));
  exports.Set("peerCredentials", Napi::Function::New<guarded_callback<peer_credentials>>(env, "peerCredentials"));
  exports.Set("sendDatagram", Napi::Function::New<guarded_callback<send_datagram>>(env, "sendDatagram"));
  exports.Set("notifyService", Napi::Function::New<guarded_callback<notify_service>>(env, "notifyService"));
  exports.Set("kernelHasStruct", Napi::Function::New<guarded_callback<kernel_has_struct>>(env, "kernelHasStruct"));
  exports.Set("kernelSymbol", Napi::Function::New<guarded_callback<kernel_symbol>>(env, "kernelSymbol"));
  exports.Set("kernelInt", Napi::Function::New<guarded_callback<kernel_int>>(env, "kernelInt"));
  exports.Set("kernelJumps", Napi::Function::New<guarded_callback<kernel_jump>>(env, "kernelJumps"));
  exports.Set("writeLines", Napi::Function::New<guarded_callback<write_lines_binding>>(env, "writeLines"));
  exports.Set("startChild", Napi::Function::New<guarded_callback<start_child>>(env, "startChild"));
  exports.Set("releaseChild", Napi::Function::New<guarded_callback<release_child>>(env, "releaseChild"));
  exports.Set("reapChild", Napi::Function::New<guarded_callback<reap_child>>(env, "reapChild"));
  exports.Set("forwardSignals", Napi::Function::New<guarded_callback<forward_signals>>(env, "forwardSignals"));
  exports.Set("endBySignal", Napi::Function::New<guarded_callback<end_by_signal>>(env, "endBySignal"));
  exports.Set("findUser", Napi::Function::New<guarded_callback<find_user>>(env, "findUser"));
#ifdef POLYTRACE_SANITIZE
  exports.Set("triggerSanitizer", Napi::Function::New<guarded_callback<trigger_sanitizer>>(env, "triggerSanitizer"));
#endif
  return exports;
}

}  // namespace polytrace

static Napi::Object InitModule(Napi::Env env, Napi::Object exports) { return polytrace::init(env, exports); }

NODE_API_MODULE(NODE_GYP_MODULE_NAME, InitModule)

// The addon's exports.
#include <napi.h>

#include "btf.h"
#include "cgroups.h"
#include "error.h"
#include "features.h"
#include "misuse.h"
#include "pins.h"
#include "service.h"
#include "session.h"
#include "symbols.h"
#include "typed_programs.h"

namespace polytrace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  install_log();
  register_typed_sections();
  exports.Set("layoutHash", Napi::String::New(env, POLYTRACE_LAYOUT_HASH));
  exports.Set("Session", Session::define(env));
  exports.Set("Btf", Btf::define(env));
  exports.Set("probeFeatures", Napi::Function::New<exported<probe_features>>(env, "probeFeatures"));
  exports.Set("bootOffset", Napi::Function::New<exported<boot_offset>>(env, "bootOffset"));
  exports.Set("cgroupPath", Napi::Function::New<exported<cgroup_path>>(env, "cgroupPath"));
  exports.Set("pinNames", pin_names(env));
  exports.Set("lockFolder", Napi::Function::New<exported<lock_folder>>(env, "lockFolder"));
  exports.Set("pinnedLayout", Napi::Function::New<exported<pinned_layout>>(env, "pinnedLayout"));
  exports.Set("notifyService", Napi::Function::New<exported<notify_service>>(env, "notifyService"));
  exports.Set("kernelHasStruct", Napi::Function::New<exported<kernel_has_struct>>(env, "kernelHasStruct"));
  exports.Set("kernelSymbol", Napi::Function::New<exported<kernel_symbol>>(env, "kernelSymbol"));
#ifdef POLYTRACE_SANITIZE
  exports.Set("misuse", Napi::Function::New<exported<misuse>>(env, "misuse"));
#endif
  return exports;
}

}  // namespace polytrace

static Napi::Object InitModule(Napi::Env env, Napi::Object exports) { return polytrace::init(env, exports); }

NODE_API_MODULE(NODE_GYP_MODULE_NAME, InitModule)

#include "binding/features.h"

#include <bpf/btf.h>

#include <ctime>
#include <map>
#include <mutex>
#include <string>

#include "base/error.h"
#include "btf/btf_types.h"

namespace polytrace {

Napi::Value to_object(Napi::Env env, const Features& features) {
  Napi::Object result = Napi::Object::New(env);
  for (const auto& [name, err] : features) {
    result.Set(name, Napi::String::New(env, err == 0 ? std::string() : errno_name(err)));
  }
  return result;
}

// (path of a file with the types of the kernel, or nothing)
Napi::Value probe_features(const Napi::CallbackInfo& info) {
  const auto choice = info.Length() > 0 && info[0].IsString()
                          ? BtfTypes::choose_kernel_file(info[0].As<Napi::String>().Utf8Value())
                          : nullptr;
  return to_object(info.Env(), try_features());
}

Napi::Value kernel_has_struct(const Napi::CallbackInfo& info) {
  // Reading the types takes tens of milliseconds, and each hook asks. The answers are those for the chosen file.
  static std::mutex mutex;
  static std::map<std::string, bool> answers;
  static uint64_t version = 0;
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  const std::scoped_lock lock(mutex);
  if (const uint64_t current = BtfTypes::kernel_file_version(); current != version) {
    answers.clear();
    version = current;
  }
  auto found = answers.find(name);
  if (found == answers.end()) {
    found = answers.emplace(name, BtfTypes::load_kernel()->find(name, BTF_KIND_STRUCT) != 0).first;
  }
  return Napi::Boolean::New(info.Env(), found->second);
}

Napi::Value boot_offset(const Napi::CallbackInfo& info) {
  timespec boot = {}, now = {};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t offset = (int64_t{now.tv_sec} - boot.tv_sec) * 1'000'000'000 + (now.tv_nsec - boot.tv_nsec);
  return Napi::BigInt::New(info.Env(), offset);
}

}  // namespace polytrace

// The class FileReader of the addon: reads what traced processes have chosen, without ever blocking the event loop.
#pragma once

#include <napi.h>

#include "binding/file_threads.h"
#include "binding/napi_error.h"

namespace polytrace {

// Each method but dropLate returns a promise; of null if there was no answer in time.
class FileReader : public Napi::ObjectWrap<FileReader> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit FileReader(const Napi::CallbackInfo& info);
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader() override;

 private:
  template <auto METHOD>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return run_guarded(info.Env(), [&] { return (this->*METHOD)(info); });
  }

  // readPart(path, offset, length) -> { device, inode, size, modifiedNs, bytes } or false
  Napi::Value read_part(const Napi::CallbackInfo& info);
  // isLocalFile(path)
  Napi::Value is_local_file(const Napi::CallbackInfo& info);
  // findMappings(pid, BigUint64Array) -> for each address { start, end, offset, isLocal, name }, or false
  Napi::Value find_mappings(const Napi::CallbackInfo& info);
  // readProcess(pid, executable, isHostView) -> { commandLine, runsHostFile }
  Napi::Value read_process(const Napi::CallbackInfo& info);
  // openPath(path) -> a descriptor that the caller closes, or false
  Napi::Value read_processes(const Napi::CallbackInfo& info);
  Napi::Value open_path(const Napi::CallbackInfo& info);
  // openMapped(pid, path, major, minor) -> the same, for a file that a process has mapped
  Napi::Value open_mapped(const Napi::CallbackInfo& info);
  // dropLate(milliseconds): drops the running call if it takes longer
  Napi::Value open_in_container(const Napi::CallbackInfo& info);
  Napi::Value drop_late(const Napi::CallbackInfo& info);

  static void on_env_exit(void* self) { static_cast<FileReader*>(self)->threads_.close(); }

  const napi_env env_;
  bool has_exit_hook_ = false;
  FileThreads threads_;
};

}  // namespace polytrace

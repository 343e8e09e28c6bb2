#include "binding/file_reader.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/bpf_backend.h"
#include "files/traced_files.h"

namespace polytrace {

namespace {

template <typename Bytes>
Napi::Buffer<uint8_t> to_buffer(Napi::Env env, const Bytes& bytes) {
  return Napi::Buffer<uint8_t>::Copy(env, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

Napi::Value to_object(Napi::Env env, const FilePart& part) {
  const auto result = Napi::Object::New(env);
  result.Set("device", Napi::BigInt::New(env, part.identity.device));
  result.Set("inode", Napi::BigInt::New(env, part.identity.inode));
  result.Set("size", Napi::Number::New(env, static_cast<double>(part.identity.size)));
  result.Set("modifiedNs", Napi::BigInt::New(env, part.identity.modified_ns));
  result.Set("bytes", to_buffer(env, part.bytes));
  return result;
}

Napi::Value to_object(Napi::Env env, const Mapping& mapping) {
  if (mapping.end == 0) return Napi::Boolean::New(env, false);
  const auto result = Napi::Object::New(env);
  result.Set("start", Napi::BigInt::New(env, mapping.start));
  result.Set("end", Napi::BigInt::New(env, mapping.end));
  result.Set("offset", Napi::BigInt::New(env, mapping.offset));
  result.Set("isLocal", Napi::Boolean::New(env, mapping.is_local));
  result.Set("name", Napi::String::New(env, mapping.name));
  return result;
}

// Returns a copy of the descriptor, which JavaScript closes. If the call was dropped, there is no copy.
FileThreads::Result pass_on(const std::shared_ptr<Fd>& fd) {
  return [fd](Napi::Env env) -> Napi::Value {
    const int copy = fd->value < 0 ? -1 : fcntl(fd->value, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return Napi::Boolean::New(env, false);
    return Napi::Number::New(env, copy);
  };
}

// Of each process: lengths of executable, cwd and command line, and flags.
enum { TEXT_NUMBERS = 4, RUNS_HOST_FILE = 1, HAS_HOST_ROOT = 2 };

WantedTexts to_wanted(uint8_t texts) {
  return {.executable = (texts & TEXT_EXECUTABLE) != 0,
          .cwd = (texts & TEXT_CWD) != 0,
          .thread_name = (texts & TEXT_THREAD_NAME) != 0,
          .root = (texts & TEXT_ROOT) != 0};
}

// All texts one after the other, so that JavaScript gets few objects.
Napi::Value to_object(Napi::Env env, const std::vector<ProcessTexts>& all, bool is_dropped) {
  auto numbers = Napi::Uint32Array::New(env, all.size() * TEXT_NUMBERS);
  std::string bytes;
  size_t at = 0;
  for (const ProcessTexts& texts : all) {
    const auto& command_line = texts.facts.command_line;
    bytes.append(texts.executable).append(texts.cwd).append(command_line);
    numbers[at++] = static_cast<uint32_t>(texts.executable.size());
    numbers[at++] = static_cast<uint32_t>(texts.cwd.size());
    numbers[at++] = static_cast<uint32_t>(command_line.size());
    numbers[at++] = (texts.facts.runs_host_file ? RUNS_HOST_FILE : 0U) | (texts.has_host_root ? HAS_HOST_ROOT : 0U);
  }
  auto result = Napi::Object::New(env);
  result.Set("bytes", to_buffer(env, bytes));
  result.Set("numbers", numbers);
  result.Set("isDropped", Napi::Boolean::New(env, is_dropped));
  return result;
}

uint64_t read_size(const Napi::Value& value) { return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value()); }

}  // namespace

Napi::Function FileReader::define(Napi::Env env) {
  return DefineClass(env, "FileReader",
                     {
                         InstanceMethod<&FileReader::call<&FileReader::read_part>>("readPart"),
                         InstanceMethod<&FileReader::call<&FileReader::is_local_file>>("isLocalFile"),
                         InstanceMethod<&FileReader::call<&FileReader::find_mappings>>("findMappings"),
                         InstanceMethod<&FileReader::call<&FileReader::read_process>>("readProcess"),
                         InstanceMethod<&FileReader::call<&FileReader::read_processes>>("readProcesses"),
                         InstanceMethod<&FileReader::call<&FileReader::open_path>>("openPath"),
                         InstanceMethod<&FileReader::call<&FileReader::open_mapped>>("openMapped"),
                         InstanceMethod<&FileReader::call<&FileReader::open_in_container>>("openInContainer"),
                         InstanceMethod<&FileReader::call<&FileReader::drop_late>>("dropLate"),
                     });
}

FileReader::FileReader(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FileReader>(info), env_(info.Env()) {
  has_exit_hook_ = napi_add_env_cleanup_hook(env_, on_env_exit, this) == napi_ok;
}

FileReader::~FileReader() {
  if (has_exit_hook_) napi_remove_env_cleanup_hook(env_, on_env_exit, this);
  threads_.close();
}

Napi::Value FileReader::read_part(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  const FileRange range = {.offset = read_size(info[1]), .length = read_size(info[2])};
  return threads_.run(info.Env(), [path, range]() -> FileThreads::Result {
    auto part = std::make_shared<std::optional<FilePart>>(polytrace::read_part(path, range));
    return [part](Napi::Env env) -> Napi::Value {
      return *part ? to_object(env, **part) : Napi::Boolean::New(env, false);
    };
  });
}

Napi::Value FileReader::is_local_file(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  return threads_.run(info.Env(), [path]() -> FileThreads::Result {
    const bool is_local = polytrace::is_local_file(path);
    return [is_local](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, is_local); };
  });
}

Napi::Value FileReader::find_mappings(const Napi::CallbackInfo& info) {
  const uint32_t pid = info[0].As<Napi::Number>().Uint32Value();
  const auto given = info[1].As<Napi::BigUint64Array>();
  std::vector<uint64_t> addresses(given.Data(), given.Data() + given.ElementLength());
  return threads_.run(info.Env(), [pid, addresses = std::move(addresses)]() -> FileThreads::Result {
    auto found = std::make_shared<std::vector<Mapping>>(polytrace::find_mappings(pid, addresses));
    return [found](Napi::Env env) -> Napi::Value {
      auto result = Napi::Array::New(env, found->size());
      for (uint32_t i = 0; i < found->size(); i++) result.Set(i, to_object(env, (*found)[i]));
      return result;
    };
  });
}

Napi::Value FileReader::read_process(const Napi::CallbackInfo& info) {
  const uint32_t pid = info[0].As<Napi::Number>().Uint32Value();
  const auto given = info[1].As<Napi::Buffer<char>>();
  std::string executable(given.Data(), given.Length());
  const bool is_host_view = info[2].ToBoolean();
  return threads_.run(info.Env(), [pid, executable = std::move(executable), is_host_view]() -> FileThreads::Result {
    auto facts = std::make_shared<ProcessFacts>(polytrace::read_process(pid, executable, is_host_view));
    return [facts](Napi::Env env) -> Napi::Value {
      auto result = Napi::Object::New(env);
      result.Set("commandLine", to_buffer(env, facts->command_line));
      result.Set("runsHostFile", Napi::Boolean::New(env, facts->runs_host_file));
      return result;
    };
  });
}

// (a thread of each process, enum missing_text of each process, whether this process has the host's mounts)
Napi::Value FileReader::read_processes(const Napi::CallbackInfo& info) {
  const auto threads = info[0].As<Napi::Uint32Array>();
  const auto wanted = info[1].As<Napi::Uint8Array>();
  std::vector<ListedProcess> processes(std::min(threads.ElementLength(), wanted.ElementLength()));
  for (size_t i = 0; i < processes.size(); i++) processes[i] = {threads[i], to_wanted(wanted[i])};
  auto batch = std::make_shared<ProcessBatch>(std::move(processes), info[2].ToBoolean());
  const auto finish = [batch](bool is_dropped) -> FileThreads::Result {
    return [batch, is_dropped](Napi::Env env) { return to_object(env, batch->take(), is_dropped); };
  };
  return threads_.run(
      info.Env(),
      [batch, finish] {
        batch->read();
        return finish(false);
      },
      finish(true));
}

Napi::Value FileReader::open_path(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  return threads_.run(info.Env(), [path] { return pass_on(polytrace::open_path(path)); });
}

Napi::Value FileReader::open_mapped(const Napi::CallbackInfo& info) {
  const uint32_t pid = info[0].As<Napi::Number>().Uint32Value();
  const std::string path = info[1].As<Napi::String>().Utf8Value();
  const Device device = {info[2].As<Napi::Number>().Uint32Value(), info[3].As<Napi::Number>().Uint32Value()};
  return threads_.run(info.Env(), [=] { return pass_on(polytrace::open_mapped(pid, path, device)); });
}

Napi::Value FileReader::open_in_container(const Napi::CallbackInfo& info) {
  const ContainerCgroup cgroup = {.folder = info[0].As<Napi::String>().Utf8Value(),
                                  .path = info[1].As<Napi::String>().Utf8Value()};
  const std::string path = info[2].As<Napi::String>().Utf8Value();
  return threads_.run(info.Env(), [cgroup, path]() -> FileThreads::Result {
    const ContainerFile found = polytrace::open_in_container(cgroup, path);
    if (found.state != ContainerFile::State::found) {
      const bool is_waiting = found.state == ContainerFile::State::waiting;
      return [is_waiting](Napi::Env env) -> Napi::Value {
        return Napi::String::New(env, is_waiting ? "waiting" : "missing");
      };
    }
    return [found, pass = pass_on(found.file)](Napi::Env env) -> Napi::Value {
      const Napi::Value fd = pass(env);
      if (!fd.IsNumber()) return Napi::String::New(env, "missing");
      const auto result = Napi::Object::New(env);
      result.Set("fd", fd);
      result.Set("key", Napi::String::New(env, found.key));
      return result;
    };
  });
}

Napi::Value FileReader::drop_late(const Napi::CallbackInfo& info) {
  threads_.drop_late(info.Env(), std::chrono::milliseconds(info[0].As<Napi::Number>().Uint32Value()));
  return info.Env().Undefined();
}

}  // namespace polytrace

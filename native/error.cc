#include "error.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

namespace polytrace {

namespace {

constexpr size_t kLogMax = 16 * 1024;
thread_local LogScope* current = nullptr;

int on_print(enum libbpf_print_level level, const char* format, va_list args) {
  if (current == nullptr || level == LIBBPF_DEBUG) return 0;
  char* line = nullptr;
  const int length = vasprintf(&line, format, args);
  if (length >= 0) current->append(line);
  std::free(line);
  return length;
}

}  // namespace

// libbpf calls this: an exception would leave it in the middle of its work.
void LogScope::append(const char* line) noexcept {
  try {
    text_ += line;
    if (text_.size() > kLogMax) text_.erase(0, text_.size() - kLogMax);
  } catch (const std::bad_alloc&) {
    // a line less in the log
  }
}

LogScope::LogScope() : outer_(current) { current = this; }
LogScope::~LogScope() { current = outer_; }

void install_log() { libbpf_set_print(on_print); }

std::string errno_name(int error) {
  const char* name = strerrorname_np(error < 0 ? -error : error);
  return name != nullptr ? name : std::to_string(error);
}

Napi::Error to_error(Napi::Env env, const Failure& failure) {
  Napi::Error result = Napi::Error::New(env, failure.message);
  result.Set("code", Napi::String::New(env, failure.code));
  if (failure.error != 0) result.Set("errno", Napi::String::New(env, errno_name(failure.error)));
  if (!failure.log.empty()) result.Set("log", Napi::String::New(env, failure.log));
  if (failure.place) result.Set("place", Napi::Number::New(env, *failure.place));
  return result;
}

namespace {

Napi::Error no_memory(Napi::Env env) {
  Napi::Error result = Napi::Error::New(env, "there is not enough memory");
  result.Set("code", Napi::String::New(env, "NO_MEMORY"));
  result.Set("errno", Napi::String::New(env, "ENOMEM"));
  return result;
}

}  // namespace

Napi::Error caught_error(Napi::Env env) {
  try {
    try {
      throw;
    } catch (const Failure& failure) {
      return to_error(env, failure);
    } catch (const Napi::Error& error) {
      return error;
    } catch (const std::bad_alloc&) {
      return no_memory(env);
    } catch (const std::exception& error) {
      return to_error(env, {"INTERNAL", error.what()});
    }
  } catch (const std::bad_alloc&) {
    return no_memory(env);  // not even enough to describe the failure
  }
}

void throw_in_javascript(Napi::Env env) noexcept {
  try {
    caught_error(env).ThrowAsJavaScriptException();
  } catch (...) {
    // the environment is ending: nobody will see the error
  }
}

}  // namespace polytrace

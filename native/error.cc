#include "error.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

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

void LogScope::append(const char* line) {
  text_ += line;
  if (text_.size() > kLogMax) text_.erase(0, text_.size() - kLogMax);
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

void throw_in_javascript(Napi::Env env, const Failure& failure) noexcept {
  try {
    to_error(env, failure).ThrowAsJavaScriptException();
  } catch (...) {
    // the environment is ending: nobody will see the error
  }
}

void throw_in_javascript(const Napi::Error& error) noexcept {
  try {
    error.ThrowAsJavaScriptException();
  } catch (...) {
    // as above
  }
}

}  // namespace polytrace

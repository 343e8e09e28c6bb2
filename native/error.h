// Errors on their way to JavaScript, where they are an Error with `code`, `errno` (a name), `log` and `place`.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>

namespace polytrace {

// Collects the messages of libbpf and the verifier on this thread since the scope began: the last 16 KiB.
class LogScope {
 public:
  LogScope();
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;
  std::string text() const { return text_; }
  void append(const char* line) noexcept;

 private:
  LogScope* outer_;
  std::string text_;
};

// Sends libbpf's messages to the LogScope of the calling thread. A message without a scope is dropped.
void install_log();

// The symbolic name of an errno, such as EPERM; the number when it has none.
std::string errno_name(int error);

// The kernel side throws this. It needs no environment of JavaScript, so it can be thrown on any thread.
struct Failure {
  std::string code;
  std::string message;
  int error = 0;                        // an errno, positive or negative; 0 when there is none
  std::string log = {};                 // messages of libbpf and the verifier
  std::optional<uint32_t> place = {};   // the index of the place that could not be attached
};

Napi::Error to_error(Napi::Env env, const Failure& failure);

// What a handler has just caught, as an Error of JavaScript. Needs no memory to say that there is none.
Napi::Error caught_error(Napi::Env env);

// Throws in JavaScript what a handler has just caught. Does nothing where that is not possible, because the environment is ending.
void throw_in_javascript(Napi::Env env) noexcept;

// Runs a call that comes from JavaScript. What it throws becomes an Error of JavaScript; nothing leaves this as a C++ exception,
// which would end the process. An environment that is ending, as that of a terminated worker, refuses most calls by throwing.
template <typename Run>
Napi::Value guarded(Napi::Env env, Run run) noexcept {
  try {
    return run();
  } catch (...) {
    throw_in_javascript(env);
  }
  return Napi::Value();
}

// An exported function, guarded.
template <auto FUNCTION>
Napi::Value exported(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return FUNCTION(info); });
}

}  // namespace polytrace

// Errors that cross to JavaScript: an Error with `code`, `errno` (a name) and `log`.
#pragma once

#include <napi.h>

#include <string>

namespace polytrace {

// What libbpf and the verifier said on this thread since the scope began: the last 16 KiB.
class LogScope {
 public:
  LogScope();
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;
  std::string text() const { return text_; }
  void append(const char* line);

 private:
  LogScope* outer_;
  std::string text_;
};

// Routes libbpf's messages to the LogScope of the calling thread; without one they are dropped.
void install_log();

// The symbolic name of an errno, such as EPERM; the number when it has none.
std::string errno_name(int error);

// `error` is an errno, positive or negative; 0 when there is none.
Napi::Error make_error(Napi::Env env, const char* code, const std::string& message, int error = 0,
                       const std::string& log = "");

}  // namespace polytrace

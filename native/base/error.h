// Failures as plain C++ values that any thread can throw, and the messages of libbpf and the verifier that belong to
// them.
#pragma once

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

// The only exception of this addon. It needs no JavaScript environment, so any thread can throw it.
struct Failure {
  std::string code;
  std::string message;
  int error = 0;                       // an errno, positive or negative; 0 when there is none
  std::string log = {};                // messages of libbpf and the verifier
  std::optional<uint32_t> point = {};  // the index of the attach point that could not be attached
};

}  // namespace polytrace

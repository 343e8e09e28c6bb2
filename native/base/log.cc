// Collects the messages of libbpf.
#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "base/error.h"

namespace polytrace {

namespace {

constexpr size_t LOG_BYTES_MAX = size_t{16} * 1024;
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

// libbpf calls this function. An exception would leave libbpf in an inconsistent state.
void LogScope::append(const char* line) noexcept {
  try {
    text_ += line;
    if (text_.size() > LOG_BYTES_MAX) text_.erase(0, text_.size() - LOG_BYTES_MAX);
  } catch (const std::bad_alloc&) {
    // the log lacks this line
  }
}

LogScope::LogScope() : outer_(current) { current = this; }
LogScope::~LogScope() { current = outer_; }

void install_log() { libbpf_set_print(on_print); }

}  // namespace polytrace

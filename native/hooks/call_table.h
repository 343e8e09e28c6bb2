// Hooks of the raw tracepoints sys_enter and sys_exit that select system calls by their numbers share one program at
// the tracepoint. It jumps to the program of the hook that selects the number of the call. All other calls, which are
// most, run no hook.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/handles.h"
#include "hooks/hook.h"

namespace polytrace {

class CallTable {
 public:
  // Attaches the table to the tracepoint. `register_offset` is the place of the number in struct pt_regs. Throws
  // Failure.
  CallTable(const std::string& tracepoint, uint32_t register_offset);

  // Adds the hook's program for these numbers. Returns false if another hook has one of them, or if it has no room.
  bool add(uint32_t hook, int program, std::span<const uint32_t> numbers);
  void remove(uint32_t hook) noexcept;
  bool is_empty() const noexcept { return owners_.empty(); }

 private:
  Fd programs_;
  Fd dispatcher_{-1};
  Fd link_{-1};
  std::map<uint32_t, uint32_t> owners_;  // hooks by number
};

// The tables of one tracer, one for each tracepoint.
class CallTables {
 public:
  // Attaches a loaded hook. Returns false if the hook needs a link of its own.
  bool add(const HookSpec& spec, const Hook& hook) noexcept;
  void remove(uint32_t hook) noexcept;
  void clear() noexcept { tables_.clear(); }

 private:
  std::map<std::string, CallTable> tables_;
};

}  // namespace polytrace

// What a hook is put on, and how: one function for each mechanism.
#pragma once

#include <bpf/libbpf.h>
#include <napi.h>

#include <cstdint>
#include <string>

#include "handles.h"

namespace polytrace {

struct Target {
  // fentry, kprobe, lsm, raw_tracepoint, tracepoint, uprobe, usdt
  std::string mechanism;
  // a function, LSM hook or tracepoint; of a uprobe the symbol, or empty; the name of a static probe
  std::string name;
  // of a tracepoint; of a static probe its provider
  std::string group;
  // of a uprobe and a static probe; of a uprobe with the bytes from the symbol or from the start of the file
  std::string path;
  uint64_t offset = 0;
  uint64_t counter = 0;

  // for messages
  std::string words() const;
};

// spec: { mechanism, target, group?, path?, offset?: bigint, counter?: bigint }
Target read_target(const Napi::Object& spec);

// Before the program is loaded, for those that the kernel checks against what they are put on. 0 or a negative errno.
int set_target(bpf_program* program, const Target& target);

// Null, with errno, where it fails.
LinkPtr attach_program(bpf_program* program, const Target& target, bool at_return);

}  // namespace polytrace

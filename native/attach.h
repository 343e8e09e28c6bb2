// What a hook is put on, and how: one function for each mechanism.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <string>
#include <vector>

#include "handles.h"
#include "probe_links.h"

namespace polytrace {

// The function; of a uprobe the bytes from the start of the file, and the counter.
struct Place {
  std::string name;
  uint64_t offset = 0;
  uint64_t counter = 0;
};

struct Target {
  // fentry, kprobe, kprobe.multi, lsm, raw_tracepoint, tracepoint, uprobe, uprobe.multi, usdt
  std::string mechanism;
  // a function, LSM hook or tracepoint; of a uprobe the symbol, or empty; the name of a static probe
  std::string name;
  // of a tracepoint; of a static probe its provider
  std::string group;
  // of a uprobe and a static probe; of a uprobe with the bytes from the symbol or from the start of the file
  std::string path;
  uint64_t offset = 0;
  uint64_t counter = 0;
  // of a kprobe or uprobe that is attached to several: the program is told which by its cookie; else empty
  std::vector<Place> places;
  // those of them that are not there are left out
  bool optional_places = false;

  // for messages
  std::string words() const;
};

// Before the program is loaded, for those that the kernel checks against what they are put on. 0 or a negative errno.
int set_target(bpf_program* program, const Target& target);

// Null, with errno, where it fails. By the .multi mechanisms, to all places at once.
LinkPtr attach_program(bpf_program* program, const Target& target, bool at_return);

// One of the places, for a link of its own.
Probe probe_at(const Target& target, size_t place, bool at_return);

// Whether each place has a link of its own.
bool has_link_per_place(const Target& target);

// Whether a negative errno says that nothing can be attached there, now or ever.
bool is_no_place(int error);

}  // namespace polytrace

// Attaches a hook to its target: one function for each mechanism.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <string>
#include <vector>

#include "handles.h"
#include "probe_links.h"
#include "typed_programs.h"

namespace polytrace {

// One place of several. A kprobe needs the function's name. A uprobe needs the offset from the start of the file, and the
// offset of the counter in the file where there is one.
struct Place {
  std::string name;
  uint64_t offset = 0;
  uint64_t counter = 0;
};

struct Target {
  // fentry, kprobe, kprobe.multi, lsm, raw_tracepoint, tracepoint, uprobe, uprobe.multi, usdt
  std::string mechanism;
  // the name of a function, LSM hook, tracepoint or static probe; a uprobe's symbol, which may be empty
  std::string name;
  // a tracepoint's subsystem, or a static probe's provider
  std::string group;
  // the file of a uprobe or static probe; a uprobe also has the bytes from its symbol, or from the start of the file
  std::string path;
  uint64_t offset = 0;
  uint64_t counter = 0;
  // places of a kprobe or uprobe that is attached to several; the cookie tells the program which one was hit
  std::vector<Place> places;
  // places that do not exist are left out
  bool optional_places = false;

  // names the target in messages
  std::string words() const;
};

// Call it before the program is loaded: the kernel checks some programs against their target. Returns 0 or a negative errno.
int set_target(bpf_program* program, const Target& target, TypedTargets& typed);

// The .multi mechanisms attach to all places at once. Returns null and sets errno where it fails.
LinkPtr attach_program(bpf_program* program, const Target& target, bool at_return);

// Describes one of the places, for a link of its own.
Probe probe_at(const Target& target, size_t place, bool at_return);

// Returns whether each place has a link of its own.
bool has_link_per_place(const Target& target);

// Returns whether a negative errno means that nothing can ever be attached to the place.
bool is_no_place(int error);

}  // namespace polytrace

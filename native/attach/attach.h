// Attaches a hook to its target: one function for each mechanism.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <string>
#include <vector>

#include "attach/probe_links.h"
#include "base/handles.h"
#include "loading/typed_programs.h"

namespace polytrace {

// One of several attach points. A kprobe needs the function's name. A uprobe needs the offset from the start of the
// file, and the file offset of the counter if there is one.
struct AttachPoint {
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
  // the attach points of a kprobe or uprobe that has several; the cookie tells the program which one was hit
  std::vector<AttachPoint> points;
  // attach points that do not exist are skipped
  bool optional_points = false;

  // Returns a name for messages.
  std::string describe() const;
};

// Call it before the program is loaded, because the kernel checks some programs against their target. Returns 0 or a
// negative errno.
int set_target(bpf_program* program, const Target& target, TypedTargets& typed);

// The .multi mechanisms attach to all points with one link. Returns null and sets errno on failure.
LinkPtr attach_program(bpf_program* program, const Target& target, bool at_return);

// Describes the probe for one attach point with its own link.
Probe describe_probe(const Target& target, size_t point, bool at_return);

// Returns whether each attach point has its own link.
bool has_link_per_point(const Target& target);

// Returns whether a negative errno means that nothing can ever be attached to the attach point.
bool is_unattachable(int error);

}  // namespace polytrace

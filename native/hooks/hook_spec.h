// The request for one hook, as plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "attach/attach.h"

namespace polytrace {

// Instructions that replace the function body with this mark.
struct CodeSpec {
  uint32_t mark = 0;
  std::vector<uint8_t> instructions;
};

// How to set up one map of the hook. A zero keeps the value that the program declares.
struct MapSpec {
  std::string name;
  bool create = false;
  std::optional<uint32_t> shared_with;  // the hook that owns the map of this name
  uint32_t key_size = 0;
  uint32_t trim = 0;  // bytes to remove from the end of each value
  uint32_t max_entries = 0;
  uint32_t flags = 0;
  std::vector<uint8_t> entries;  // keys and values, one after the other
};

struct HookSpec {
  uint32_t id = 0;
  std::string object;
  bool entry = false;
  bool at_return = false;
  bool overrides = false;
  bool changeable = false;  // entries of its maps of groups change later
  bool optimize = false;    // rewrite the programs for `config` before they are loaded
  Target target;
  std::vector<uint8_t> config;
  std::vector<CodeSpec> code;
  std::vector<MapSpec> maps;
  // The numbers of the system calls that the hook selects, and the place of the number in struct pt_regs: see
  // call_table.h. Without numbers, the hook gets a link of its own.
  std::vector<uint32_t> calls;
  uint32_t call_register = 0;
};

}  // namespace polytrace

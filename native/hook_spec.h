// JavaScript's request for a hook, as plain data that does not need the environment.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "attach.h"

namespace polytrace {

// Instructions that replace the body with this mark.
struct CodeSpec {
  uint32_t mark = 0;
  std::vector<uint8_t> instructions;
};

// A zero leaves the value that the program has.
struct MapSpec {
  std::string name;
  bool create = false;
  std::optional<uint32_t> shared_with;  // the hook that owns the map of this name
  uint32_t key_size = 0;
  uint32_t trim = 0;  // bytes that are cut from the end of each value
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
  Target target;
  std::vector<uint8_t> config;
  std::vector<CodeSpec> code;
  std::vector<MapSpec> maps;
};

// spec: { id, object, entry: boolean, return: boolean, overrides?: boolean, config: Uint8Array,
//         mechanism, target, group?, path?, offset?: bigint, counter?: bigint, optionalPlaces?: boolean,
//         places?: [{ target, offset?: bigint, counter?: bigint }],
//         code: [{ mark, instructions: Uint8Array }],
//         maps: [{ name, create, sharedWith?: id, keySize, trim, maxEntries, flags, entries: Uint8Array }] }
HookSpec read_hook_spec(const Napi::Object& spec);

}  // namespace polytrace

// The addon's functions for folders with pins.
#pragma once

#include <napi.h>

#include <optional>
#include <vector>

#include "backend/pins.h"

namespace polytrace {

// Returns { maps, links }: the names of pinned maps, and the prefixes of the names of pinned links.
Napi::Object pin_names(Napi::Env env);

// (descriptor of a folder) -> false if another process has locked it; else it is locked until the descriptor is closed
Napi::Value lock_folder(const Napi::CallbackInfo& info);

// (folder) -> whether a BPF file system is mounted there now
Napi::Value mount_bpf(const Napi::CallbackInfo& info);

// (folder) -> the layout hash of its pins, or null if it has no pins of polytrace
Napi::Value pinned_layout(const Napi::CallbackInfo& info);

// Returns [hook, count, name, …], or null.
Napi::Value to_array(Napi::Env env, const std::optional<std::vector<UnreadRecords>>& unread);

}  // namespace polytrace

// Finds the path of a cgroup by its id.
#pragma once

#include <napi.h>

namespace polytrace {

// cgroupPath(mount, id): the path of a cgroup below the mount point of its hierarchy, with names as bytes; null when it
// does not exist or may not be opened.
Napi::Value cgroup_path(const Napi::CallbackInfo& info);

}  // namespace polytrace

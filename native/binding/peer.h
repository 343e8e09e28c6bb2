// The process at the other end of a Unix socket.
#pragma once

#include <napi.h>

namespace polytrace {

// peerCredentials(fd): [pid, uid, gid] of the process that connected the socket, as it was then. Null when the
// descriptor is no connected Unix socket.
Napi::Value peer_credentials(const Napi::CallbackInfo& info);

}  // namespace polytrace
